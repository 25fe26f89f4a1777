"""A small dashboard without a fault, written by hand: tests break it."""

import copy
from typing import Any, Final

from grafana.lint import dashboard_faults

Dashboard = dict[str, Any]

PROMETHEUS: Final = {"type": "prometheus", "uid": "${datasource}"}
INFLUXDB: Final = {"type": "influxdb", "uid": "${datasource}"}

_SOUND: Final[dict[str, Any]] = {
    "id": None,
    "uid": "aps-sound",
    "title": "Sound",
    "description": "Nothing is wrong with it.",
    "schemaVersion": 39,
    "editable": True,
    "timezone": "browser",
    "refresh": "1m",
    "graphTooltip": 1,
    "links": [{"type": "dashboards", "tags": ["roof"], "keepTime": True, "includeVars": True}],
    "annotations": {"list": [{"builtIn": 1, "datasource": {"uid": "-- Grafana --"}}]},
    "tags": ["apsystems", "roof"],
    "templating": {
        "list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus"},
            {
                "name": "ecu",
                "type": "query",
                "datasource": PROMETHEUS,
                "query": {"query": "label_values(aps_ecu_info, ecu)", "refId": "A"},
                "includeAll": True,
            },
        ]
    },
    "panels": [
        {
            "id": 1,
            "type": "timeseries",
            "title": "Power",
            "description": "Of each inverter.",
            "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
            "datasource": PROMETHEUS,
            "targets": [
                {
                    "refId": "A",
                    "datasource": PROMETHEUS,
                    "expr": 'max by (inverter) (aps_inverter_power_watts{ecu=~"$ecu"})',
                    "legendFormat": "{{inverter}}",
                }
            ],
            "fieldConfig": {
                "defaults": {"unit": "watt", "custom": {"spanNulls": 900000}},
                "overrides": [],
            },
            "transformations": [{"id": "sortBy", "options": {}}],
        },
        {
            "id": 2,
            "type": "stat",
            "title": "Energy",
            "description": "Of today.",
            "gridPos": {"x": 12, "y": 0, "w": 12, "h": 8},
            "datasource": INFLUXDB,
            "targets": [
                {
                    "refId": "A",
                    "datasource": INFLUXDB,
                    "query": 'SELECT last("e") FROM (SELECT "day_energy_kwh" AS "e" FROM "aps_ecu" '
                    'WHERE "ecu" =~ /^$ecu$/ AND $timeFilter)',
                }
            ],
            "fieldConfig": {"defaults": {"unit": "watth"}, "overrides": []},
        },
        {
            "id": 3,
            "type": "text",
            "title": "Words",
            "description": "To read.",
            "gridPos": {"x": 0, "y": 8, "w": 24, "h": 2},
        },
        {
            "id": 4,
            "type": "row",
            "title": "More",
            "collapsed": True,
            "gridPos": {"x": 0, "y": 20, "w": 24, "h": 1},
            "panels": [
                {
                    "id": 5,
                    "type": "heatmap",
                    "title": "Energy per day",
                    "description": "Of all.",
                    "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8},
                    "datasource": PROMETHEUS,
                    "targets": [
                        {
                            "refId": "A",
                            "datasource": PROMETHEUS,
                            "expr": "increase(aps_ecu_lifetime_energy_joules_total[1d]) / 3600",
                            "legendFormat": "{{ecu}}",
                            "interval": "1d",
                        }
                    ],
                    "fieldConfig": {"defaults": {"unit": "watth"}, "overrides": []},
                },
            ],
        },
    ],
}


def sound_dashboard() -> Dashboard:
    """One of its own for each test."""
    return copy.deepcopy(_SOUND)


def faults(dashboard: Dashboard) -> list[str]:
    """What the linter says of it."""
    return [*dashboard_faults(dashboard)]


def panel(dashboard: Dashboard, index: int = 0) -> Dashboard:
    found: Dashboard = dashboard["panels"][index]
    return found


def panel_in_row(dashboard: Dashboard) -> Dashboard:
    return panel(panel(dashboard, 3))


def target(dashboard: Dashboard, index: int = 0) -> Dashboard:
    found: Dashboard = panel(dashboard, index)["targets"][0]
    return found


def variable(dashboard: Dashboard) -> Dashboard:
    found: Dashboard = dashboard["templating"]["list"][1]
    return found
