"""Every alert, in groups by what it watches."""

from grafana.rules.grid_alerts import grid_alerts
from grafana.rules.plant_alerts import PLANT_ALERTS
from grafana.rules.reading_alerts import READING_ALERTS
from grafana.rules.rule import Group


def alert_groups(voltage_limit: float) -> tuple[Group, ...]:
    """All alerts; the limit is in volts, phase to neutral."""
    return (
        Group("aps-reading-alerts", READING_ALERTS),
        Group("aps-plant-alerts", PLANT_ALERTS),
        Group("aps-grid-alerts", grid_alerts(voltage_limit)),
    )
