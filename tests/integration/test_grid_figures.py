"""What the dashboard of the grid reckons, by promtool: two ECUs, one of them read twice."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from grafana.every import FOLDER

pytestmark = pytest.mark.integration

HERE, THERE = 'job="aps", instance="here"', 'job="aps", instance="there"'

# One step is a minute. Inverter 11 has 240 V for twelve hours, then 260 V until the day ends.
NOON_LEAP: Final = "240x719 260x720"
INPUT: Final = [
    *(
        ("aps_inverter_grid_voltage_volts", f'{where}, ecu="1", inverter="11", phase="1"', values)
        for where, values in ((HERE, NOON_LEAP), (THERE, NOON_LEAP))
    ),
    ("aps_inverter_grid_voltage_volts", f'{HERE}, ecu="1", inverter="12", phase="1"', "241x1440"),
    ("aps_inverter_grid_voltage_volts", f'{HERE}, ecu="2", inverter="21", phase="1-2"', "400x1440"),
    *(
        ("aps_inverter_grid_frequency_hertz", f'{HERE}, ecu="1", inverter="{inverter}"', values)
        for inverter, values in (("11", "49.9x1440"), ("12", "50x1440"), ("13", "65x1440"))
    ),
    *(
        ("aps_inverter_power_watts", f'{where}, ecu="1", inverter="11"', "500x1440")
        for where in (HERE, THERE)
    ),
]


def expr(title: str, ref_id: str = "A", ecu: str = ".+") -> str:
    """A query of the dashboard's JSON, for a limit of 253 V and a range of a day.

    It asks for the day before instead of the day after: promtool knows nothing of later times.
    """
    panels = json.loads((FOLDER / "aps-grid.json").read_text(encoding="utf-8"))["panels"]
    (panel,) = (panel for panel in panels if panel["title"] == title)
    (query,) = (target["expr"] for target in panel["targets"] if target["refId"] == ref_id)
    values = {"$ecu": ecu, "$inverter": ".+", "$limit": "253", "$__range": "1d", " offset -1d": ""}
    for variable, value in values.items():
        query = query.replace(variable, value)
    return str(query)


def promtool_says(folder: Path, query: str, expected: dict[str, float]) -> tuple[int, str]:
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [
            {"series": f"{name}{{{labels}}}", "values": values} for name, labels, values in INPUT
        ],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": "1d",
                "exp_samples": [
                    {"labels": labels, "value": value} for labels, value in expected.items()
                ],
            }
        ],
    }
    file = folder / "figures.yml"
    file.write_text(json.dumps({"rule_files": [], "tests": [test]}), encoding="utf-8")
    said = subprocess.run(  # noqa: S603 - a program of the system, on our own file
        ["promtool", "test", "rules", str(file)],  # noqa: S607 - wherever the system has it
        check=False,
        capture_output=True,
        text=True,
    )
    return said.returncode, said.stdout + said.stderr


# At 12:05 the ten minutes before still hold 240 V; from 12:10 to 24:00 there are 143 looks, each
# for five minutes.
MINUTES: Final = 143 * 5


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (expr("Above the limit today"), {"{}": MINUTES}),
        (expr("Above the limit per day, 30 days"), {'{ecu="1"}': MINUTES, '{ecu="2"}': 0}),
        (f"round(1000 * {expr('Voltage against the limit, now')})", {"{}": 1028}),  # 260 / 253
        # 400 V over 253 V times the root of 3
        (f"round(1000 * {expr('Voltage against the limit, now', ecu='2')})", {"{}": 913}),
        (f"round(1000 * {expr('Highest mean of 10 minutes today')})", {"{}": 1028}),
        (
            f"round({expr('Voltage per phase', 'C')})",
            {'{ecu="1", phase="1"}': 260, '{ecu="2", phase="1-2"}': 400},
        ),
        (expr("Voltage per phase", "A"), {"{}": 253}),
        (f"round({expr('Voltage per phase', 'B')})", {"{}": 438}),
        (expr("Grid frequency now"), {"{}": 50}),
        (expr("Highest frequency today"), {"{}": 50}),
        (f"round(10 * ({expr('Grid frequency', 'A')}))", {"{}": 502}),
        (expr("Voltage against power"), {"{}": 500}),
    ],
)
def test_figure_is_the_one_reckoned_by_hand(
    tmp_path: Path, query: str, expected: dict[str, float]
) -> None:
    status, said = promtool_says(tmp_path, query, expected)
    assert status == 0, said


def test_wrong_figure_is_seen(tmp_path: Path) -> None:
    status, said = promtool_says(tmp_path, expr("Above the limit today"), {"{}": 2 * MINUTES})
    assert (status, "exp:" in said) == (1, True)
