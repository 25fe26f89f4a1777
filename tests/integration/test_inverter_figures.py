"""What the dashboard of the inverters reckons, by promtool: two days, of which the first is whole.

One step is a round of five minutes. The roof makes power from 8:00 to 16:00; on the second day the
grid is gone from 12:00 to 14:00.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.integration.promtool import Input, Seeded, expr

pytestmark = pytest.mark.integration

HERE, THERE = 'job="aps", instance="here"', 'job="aps", instance="there"'
OFFLINE: Final = "Minutes offline in daylight, per day"

WHOLE_DAY: Final = "0x95 1x95 0x95"
WITHOUT_GRID: Final = "0x95 1x47 0x23 1x23 0x96"
WOKE_AT_NINE: Final = "0x95 0x11 1x35 0x23 1x23 0x96"
NEVER_ON: Final = "0x576"
ONLINE: Final = {
    "11": f"{WHOLE_DAY} {WITHOUT_GRID}",
    "12": f"{WHOLE_DAY} {WOKE_AT_NINE}",
    "13": f"{WHOLE_DAY} 0x288",
    "14": NEVER_ON,
}

INPUT: Final[list[Input]] = [
    *(
        ("aps_ecu_power_watts", f'{where}, ecu="1"', ONLINE["11"].replace("1x", "500x"))
        for where in (HERE, THERE)
    ),
    *(
        ("aps_inverter_online", f'{where}, ecu="1", inverter="{inverter}"', online)
        for where in (HERE, THERE)
        for inverter, online in ONLINE.items()
    ),
    *(
        (
            "aps_inverter_last_seen_timestamp_seconds",
            f'{where}, ecu="1", inverter="{inverter}"',
            "57300x576",
        )
        for where in (HERE, THERE)
        for inverter in ("11", "12", "13")
    ),
    *(
        ("aps_inverter_info", f'{where}, ecu="1", inverter="11", model="{model}"', "1x576")
        for where, model in ((HERE, "QS1"), (THERE, "QS1A"))
    ),
    *(
        (
            "aps_channel_integrated_energy_joules_total",
            f'{where}, ecu="1", inverter="11", channel="{channel}"',
            "0+6250x576",
        )
        for where in (HERE, THERE)
        for channel in (1, 2)
    ),
    *(
        (
            "aps_inverter_grid_voltage_volts",
            f'{HERE}, ecu="1", inverter="11", phase="{phase}"',
            f"{volts}x576",
        )
        for phase, volts in ((1, 229), (2, 231))
    ),
]

# Daylight is from 8:30 to 15:25: half an hour from dawn and dusk, every five minutes, 84 times.
WITHOUT_THE_GRID: Final = 24 * 5
BEFORE_NINE: Final = 6 * 5
ALL_DAY: Final = 84 * 5


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            expr("aps-inverters", OFFLINE),
            {
                '{ecu="1", inverter="11"}': WITHOUT_THE_GRID,
                '{ecu="1", inverter="12"}': BEFORE_NINE + WITHOUT_THE_GRID,
                '{ecu="1", inverter="13"}': ALL_DAY,
            },
        ),
        (
            expr("aps-inverters", OFFLINE, inverter="12"),
            {'{ecu="1", inverter="12"}': BEFORE_NINE + WITHOUT_THE_GRID},
        ),
        # one model, whatever two exporters call it
        (f"count({expr('aps-inverters', 'Every inverter now')})", {"{}": 1}),
        (
            expr("aps-inverters", "Every inverter now", "C", inverter="11"),
            {'{ecu="1", inverter="11"}': 57_300_000},
        ),
        # two channels, 6250 J in each of 288 rounds, in Wh
        (expr("aps-inverters", "Every inverter now", "E"), {'{ecu="1", inverter="11"}': 1000}),
        (expr("aps-inverters", "Every inverter now", "G"), {'{ecu="1", inverter="11"}': 231}),
    ],
)
def test_figure_is_the_one_reckoned_by_hand(
    tmp_path: Path, query: str, expected: dict[str, float]
) -> None:
    status, said = Seeded(tmp_path, INPUT, "5m").says(query, expected, "2d")
    assert status == 0, said


def test_wrong_figure_is_seen(tmp_path: Path) -> None:
    query = expr("aps-inverters", OFFLINE, inverter="11")
    wrong = {'{ecu="1", inverter="11"}': 2.0 * WITHOUT_THE_GRID}
    status, said = Seeded(tmp_path, INPUT, "5m").says(query, wrong, "2d")
    assert (status, "exp:" in said) == (1, True)
