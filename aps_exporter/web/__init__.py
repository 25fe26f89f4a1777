"""The web face: metrics for Prometheus, a page for people, JSON for scripts, probes."""
