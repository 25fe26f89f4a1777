"""What the dashboards add up, by promtool: two ECUs, the first read by two exporters."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from grafana.every import FOLDER

pytestmark = pytest.mark.integration

HERE, THERE = 'job="aps", instance="here"', 'job="aps", instance="there"'
MINUTES_A_DAY = 1440


def series(name: str, labels: str, values: str) -> dict[str, str]:
    return {"series": f"{name}{{{labels}}}", "values": values}


def constant(name: str, labels: str, value: int) -> dict[str, str]:
    return series(name, labels, f"{value}x{MINUTES_A_DAY}")


# One step is a minute. ECU 1: its lifetime counter is frozen, its power makes 60 J/min. ECU 2: its
# lifetime counter rises by 120 J/min, and the exporter missed half of its power.
INPUT = [
    *(constant("aps_ecu_power_watts", f'{where}, ecu="1"', 500) for where in (HERE, THERE)),
    constant("aps_ecu_power_watts", f'{HERE}, ecu="2"', 300),
    *(
        constant("aps_inverter_online", f'{where}, ecu="1", inverter="11"', 1)
        for where in (HERE, THERE)
    ),
    constant("aps_inverter_online", f'{HERE}, ecu="1", inverter="12"', 0),
    constant("aps_inverter_online", f'{HERE}, ecu="2", inverter="21"', 1),
    *(
        constant("aps_ecu_lifetime_energy_joules_total", f'{where}, ecu="1"', 9000)
        for where in (HERE, THERE)
    ),
    *(
        series(
            "aps_ecu_integrated_energy_joules_total", f'{where}, ecu="1"', f"0+60x{MINUTES_A_DAY}"
        )
        for where in (HERE, THERE)
    ),
    series("aps_ecu_lifetime_energy_joules_total", f'{HERE}, ecu="2"', f"0+120x{MINUTES_A_DAY}"),
    series("aps_ecu_integrated_energy_joules_total", f'{HERE}, ecu="2"', f"0+60x{MINUTES_A_DAY}"),
    *(constant("aps_ecu_data_age_seconds", f'{HERE}, ecu="{ecu}"', 0) for ecu in (1, 2)),
]


def expr(title: str) -> str:
    """A query of the overview's JSON, for all ECUs and inverters and a range of a day.

    It asks for the day before instead of the day after: promtool knows nothing of later times.
    """
    panels = json.loads((FOLDER / "aps-overview.json").read_text(encoding="utf-8"))["panels"]
    (panel,) = (panel for panel in panels if panel["title"] == title)
    (query,) = (target["expr"] for target in panel["targets"])
    every: str = query.replace("$ecu", ".+").replace("$inverter", ".+").replace("$__range", "1d")
    return every.replace(" offset -1d", "")


def promtool_says(
    folder: Path, query: str, expected: dict[str, float]
) -> subprocess.CompletedProcess[str]:
    test: dict[str, Any] = {
        "rule_files": [],
        "tests": [
            {
                "interval": "1m",
                "input_series": INPUT,
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
        ],
    }
    file = folder / "sums.yml"
    file.write_text(json.dumps(test), encoding="utf-8")
    return subprocess.run(  # noqa: S603 - a program of the system, on our own file
        ["promtool", "test", "rules", str(file)],  # noqa: S607 - wherever the system has it
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Power now", {"{}": 800}),
        ("Peak today", {"{}": 800}),
        # 60 J/min and 120 J/min, over 1440 minutes, in Wh
        ("Today", {"{}": 24 + 48}),
        ("Energy per day, 30 days", {'{ecu="1"}': 24, '{ecu="2"}': 48}),
        ("Age of the data now", {"{}": 0}),
    ],
)
def test_ecu_counts_once_and_its_better_counter_holds(
    tmp_path: Path, title: str, expected: dict[str, float]
) -> None:
    said = promtool_says(tmp_path, expr(title), expected)
    assert said.returncode == 0, said.stdout + said.stderr


def test_inverters_that_are_on_are_told_in_words(tmp_path: Path) -> None:
    query = f"round(100 * ({expr('Inverters on, now')}))"
    said = promtool_says(tmp_path, query, {'{on="2", of="3", shown="2 / 3"}': 67})
    assert said.returncode == 0, said.stdout + said.stderr


def test_wrong_figure_is_seen(tmp_path: Path) -> None:
    said = promtool_says(tmp_path, expr("Power now"), {"{}": 1300})
    assert said.returncode == 1
    assert "exp:" in said.stdout + said.stderr
