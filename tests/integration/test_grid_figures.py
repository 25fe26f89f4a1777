"""What the dashboard of the grid reckons, by promtool: two ECUs, one of them read twice."""

from pathlib import Path
from typing import Final

import pytest

from tests.integration.promtool import Input, Seeded, expr

pytestmark = pytest.mark.integration

HERE, THERE = 'job="aps", instance="here"', 'job="aps", instance="there"'

# One step is a minute. Inverter 11 has 240 V for twelve hours, then 260 V until the day ends.
NOON_LEAP: Final = "240x719 260x720"
INPUT: Final[list[Input]] = [
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


def of_grid(title: str, ref_id: str = "A", ecu: str = ".+") -> str:
    """A query of the dashboard, for a limit of 253 V and a range of a day."""
    return expr("aps-grid", title, ref_id, ecu=ecu, limit="253", __range="1d")


def promtool_says(folder: Path, query: str, expected: dict[str, float]) -> tuple[int, str]:
    return Seeded(folder, INPUT, "1m").says(query, expected, "1d")


# At 12:05 the ten minutes before still hold 240 V; from 12:10 to 24:00 there are 143 looks, each
# for five minutes.
MINUTES: Final = 143 * 5


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (of_grid("Above the limit today"), {"{}": MINUTES}),
        (of_grid("Above the limit per day, 30 days"), {'{ecu="1"}': MINUTES, '{ecu="2"}': 0}),
        (f"round(1000 * {of_grid('Voltage against the limit, now')})", {"{}": 1028}),  # 260 / 253
        # 400 V over 253 V times the root of 3
        (f"round(1000 * {of_grid('Voltage against the limit, now', ecu='2')})", {"{}": 913}),
        (f"round(1000 * {of_grid('Highest mean of 10 minutes today')})", {"{}": 1028}),
        (
            f"round({of_grid('Voltage per phase', 'C')})",
            {'{ecu="1", phase="1"}': 260, '{ecu="2", phase="1-2"}': 400},
        ),
        (of_grid("Voltage per phase", "A"), {"{}": 253}),
        (f"round({of_grid('Voltage per phase', 'B')})", {"{}": 438}),
        (of_grid("Grid frequency now"), {"{}": 50}),
        (of_grid("Highest frequency today"), {"{}": 50}),
        (f"round(10 * ({of_grid('Grid frequency', 'A')}))", {"{}": 502}),
        (of_grid("Voltage against power"), {"{}": 500}),
    ],
)
def test_figure_is_the_one_reckoned_by_hand(
    tmp_path: Path, query: str, expected: dict[str, float]
) -> None:
    status, said = promtool_says(tmp_path, query, expected)
    assert status == 0, said


def test_wrong_figure_is_seen(tmp_path: Path) -> None:
    status, said = promtool_says(tmp_path, of_grid("Above the limit today"), {"{}": 2 * MINUTES})
    assert (status, "exp:" in said) == (1, True)
