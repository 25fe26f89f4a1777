"""What the dashboards add up, by promtool: two ECUs, the first read by two exporters."""

from pathlib import Path
from typing import Final

import pytest

from tests.integration.promtool import Input, Seeded, expr

pytestmark = pytest.mark.integration

HERE, THERE = 'job="aps", instance="here"', 'job="aps", instance="there"'
MINUTES_A_DAY = 1440


def constant(name: str, labels: str, value: int) -> Input:
    return (name, labels, f"{value}x{MINUTES_A_DAY}")


# One step is a minute. ECU 1: its lifetime counter is frozen, its power makes 60 J/min. ECU 2: its
# lifetime counter rises by 120 J/min, and the exporter missed half of its power.
INPUT: Final[list[Input]] = [
    *(constant("aps_ecu_power_watts", f'{where}, ecu="1"', 500) for where in (HERE, THERE)),
    constant("aps_ecu_power_watts", f'{HERE}, ecu="2"', 300),
    *(
        constant("aps_inverter_online", f'{where}, ecu="1", inverter="11"', 1)
        for where in (HERE, THERE)
    ),
    ("aps_inverter_online", f'{HERE}, ecu="1", inverter="12"', "1x720 0x720"),
    constant("aps_inverter_online", f'{HERE}, ecu="1", inverter="13"', 0),  # it was never heard
    constant("aps_inverter_online", f'{HERE}, ecu="2", inverter="21"', 1),
    *(
        constant("aps_ecu_lifetime_energy_joules_total", f'{where}, ecu="1"', 9000)
        for where in (HERE, THERE)
    ),
    *(
        ("aps_ecu_integrated_energy_joules_total", f'{where}, ecu="1"', f"0+60x{MINUTES_A_DAY}")
        for where in (HERE, THERE)
    ),
    ("aps_ecu_lifetime_energy_joules_total", f'{HERE}, ecu="2"', f"0+120x{MINUTES_A_DAY}"),
    ("aps_ecu_integrated_energy_joules_total", f'{HERE}, ecu="2"', f"0+60x{MINUTES_A_DAY}"),
    *(constant("aps_ecu_data_age_seconds", f'{HERE}, ecu="{ecu}"', 0) for ecu in (1, 2)),
]


def promtool_says(folder: Path, query: str, expected: dict[str, float]) -> tuple[int, str]:
    return Seeded(folder, INPUT, "1m").says(query, expected, "1d")


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
    query = expr("aps-overview", title, __range="1d")
    status, said = promtool_says(tmp_path, query, expected)
    assert status == 0, said


def test_inverters_that_are_on_are_told_in_words(tmp_path: Path) -> None:
    query = f"round(100 * ({expr('aps-overview', 'Inverters on, now')}))"
    status, said = promtool_says(tmp_path, query, {'{on="2", of="3", shown="2 / 3"}': 67})
    assert status == 0, said


def test_wrong_figure_is_seen(tmp_path: Path) -> None:
    status, said = promtool_says(tmp_path, expr("aps-overview", "Power now"), {"{}": 1300})
    assert (status, "exp:" in said) == (1, True)
