"""Prometheus rules: what is recorded, what is alerted on, and the YAML that Prometheus reads.

`python -m grafana.rules` (or `make rules`) writes it under `deploy/prometheus/`.
"""

from grafana.rules.alerts import alert_groups
from grafana.rules.known_names import UnknownNameError, check_names
from grafana.rules.recording import recording_groups
from grafana.rules.rule import AlertingRule, Group, RecordingRule
from grafana.rules.rule_files import ALERTS_FILE, RECORDING_FILE, rule_files

__all__ = [
    "ALERTS_FILE",
    "RECORDING_FILE",
    "AlertingRule",
    "Group",
    "RecordingRule",
    "UnknownNameError",
    "alert_groups",
    "check_names",
    "recording_groups",
    "rule_files",
]
