"""Reads APsystems solar gateways (ECUs) on the LAN and gives their numbers to Prometheus."""

__version__ = "0.1.0"
