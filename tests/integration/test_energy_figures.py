"""What the dashboard of energy reckons, by promtool: two ECUs, the first read by two exporters."""

from pathlib import Path
from typing import Final

import pytest

from tests.integration.promtool import Input, Seeded, expr

pytestmark = pytest.mark.integration

HERE, THERE = 'job="aps", instance="here"', 'job="aps", instance="there"'
LIFETIME: Final = "aps_ecu_lifetime_energy_joules_total"
INTEGRATED: Final = "aps_ecu_integrated_energy_joules_total"

SO_FAR: Final = {"__range": "1d", "tariff": "0.30"}


def rising(minutes: int, days: int) -> list[Input]:
    """Of ECU 1 the lifetime energy stands still, and power makes 60 J/min; 2 makes 120 J/min."""
    steps = days * 1440 // minutes
    twice, once = (
        [(LIFETIME, where, f"0x{steps}"), (INTEGRATED, where, f"0+{60 * minutes}x{steps}")]
        for where in (f'{HERE}, ecu="1"', f'{THERE}, ecu="1"')
    )
    return [*twice, *once, (LIFETIME, f'{HERE}, ecu="2"', f"0+{120 * minutes}x{steps}")]


ONE_DAY: Final = rising(minutes=5, days=1)

# 60 J/min and 120 J/min, over 1440 minutes, in Wh
ECU_1, ECU_2 = 24, 48
BOTH: Final = {"{}": ECU_1 + ECU_2}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (expr("aps-energy", "In total, now"), BOTH),
        (expr("aps-energy", "This year", **SO_FAR), BOTH),
        (expr("aps-energy", "This month", **SO_FAR), BOTH),
        # 0.072 kWh at 0.30 each
        *(
            (f"round(10000 * ({expr('aps-energy', title, **SO_FAR)}))", {"{}": 216})
            for title in ("Worth in total", "Worth this year", "Worth this month")
        ),
        (expr("aps-energy", "Energy per day"), {'{ecu="1"}': ECU_1, '{ecu="2"}': ECU_2}),
        (expr("aps-energy", "Each day, and the same day last year"), BOTH),
        (expr("aps-energy", "Best ten days of 12 months"), BOTH),
    ],
)
def test_ecu_counts_once_and_its_better_counter_holds(
    tmp_path: Path, query: str, expected: dict[str, float]
) -> None:
    status, said = Seeded(tmp_path, ONE_DAY, "5m").says(query, expected, "1d")
    assert status == 0, said


@pytest.mark.parametrize(
    ("midnight", "month"),
    [
        ("30d10h", "1970-01"),  # of 31 January in Hawaii
        ("30d11h", "1970-02"),  # of 1 February in New Zealand, in summer
        ("30d23h", "1970-02"),  # of 1 February in Amsterdam
        ("31d10h", "1970-02"),  # of 1 February in Hawaii
    ],
)
def test_month_of_a_day_is_that_of_the_place(tmp_path: Path, midnight: str, month: str) -> None:
    query = expr("aps-energy", "Energy per month, 12 months")
    series = rising(minutes=30, days=32)
    expected = {f'{{month="{month}"}}': ECU_1 + ECU_2}
    status, said = Seeded(tmp_path, series, "30m").says(query, expected, midnight)
    assert status == 0, said


def test_same_day_last_year_is_365_days_before(tmp_path: Path) -> None:
    """The first day has energy and none of the others, and the day that begins at 365 d asks it."""
    query = expr("aps-energy", "Each day, and the same day last year", "B")
    series = [(LIFETIME, f'{HERE}, ecu="1"', "0+21600x4 86400x1460")]
    for at, energy in (("364d", 0), ("365d", ECU_1), ("366d", 0)):
        expected = {} if at == "364d" else {"{}": energy}
        status, said = Seeded(tmp_path, series, "6h").says(query, expected, at)
        assert status == 0, f"{at}: {said}"


def channel(where: str, number: int, joules_per_round: int, rated_watts: int | None) -> list[Input]:
    labels = f'{where}, ecu="1", inverter="11", channel="{number}"'
    info = f'{labels}, panel="{number} of {where[-3]}", array="south", row="1", column="{number}"'
    energy = f"0+{joules_per_round}x288"
    rated = (
        [] if rated_watts is None else [("aps_channel_rated_watts", labels, f"{rated_watts}x288")]
    )
    return [
        ("aps_channel_info", info, "1x288"),
        ("aps_channel_integrated_energy_joules_total", labels, energy),
        *rated,
    ]


def test_specific_yield_is_that_of_channels_with_rated_watts(tmp_path: Path) -> None:
    """400 Wh and 200 Wh of 400 W each; the third channel's rated power is not known."""
    query = expr("aps-energy", "Specific yield per day")
    series = [
        one
        for where in (HERE, THERE)
        for number, joules, rated in ((1, 5000, 400), (2, 2500, 400), (3, 5000, None))
        for one in channel(where, number, joules, rated)
    ]
    expected = {'{ecu="1", array="south"}': 0.75}
    status, said = Seeded(tmp_path, series, "5m").says(query, expected, "1d")
    assert status == 0, said


def test_wrong_figure_is_seen(tmp_path: Path) -> None:
    query = expr("aps-energy", "This year", **SO_FAR)
    status, said = Seeded(tmp_path, ONE_DAY, "5m").says(query, {"{}": 3 * ECU_1 + ECU_2}, "1d")
    assert (status, "exp:" in said) == (1, True)
