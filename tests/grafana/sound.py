"""A small dashboard without a fault, written by hand: tests break it."""

import copy
from typing import Any, Final

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
    "tags": ["apsystems"],
    "templating": {
        "list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus"},
            {
                "name": "ecu",
                "type": "query",
                "datasource": PROMETHEUS,
                "query": {"query": "label_values(aps_ecu_info, ecu)", "refId": "A"},
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
    ],
}


def sound_dashboard() -> dict[str, Any]:
    """One of its own for each test."""
    return copy.deepcopy(_SOUND)
