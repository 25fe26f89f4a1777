"""The rule files by name, with every name in them checked."""

from collections.abc import Mapping
from typing import Final

from grafana.rules.alerts import alert_groups
from grafana.rules.known_names import check_names
from grafana.rules.recording import recording_groups
from grafana.rules.rule import rules_yaml

RECORDING_FILE: Final = "aps-recording.rules.yml"
ALERTS_FILE: Final = "aps-alerts.rules.yml"

USUAL_VOLTAGE_LIMIT: Final = 253.0
"""Volts to neutral: 230 V and a tenth."""


def rule_files(voltage_limit: float = USUAL_VOLTAGE_LIMIT) -> Mapping[str, str]:
    """Text by file name; the limit is in volts, phase to neutral."""
    recording, alerts = recording_groups(), alert_groups(voltage_limit)
    check_names((*recording, *alerts))
    head = "Made by `python -m grafana.rules --voltage-limit {:g}`; change it there."
    return {
        RECORDING_FILE: rules_yaml(recording, head.format(voltage_limit)),
        ALERTS_FILE: rules_yaml(alerts, head.format(voltage_limit)),
    }
