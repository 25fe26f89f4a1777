"""Whole days and weeks, judged by promtool: which alerts fire, and on which of them none does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.rules.days import (
    ECU,
    EXPORTER,
    LAST_LIGHT,
    HalfHour,
    Series,
    ages,
    by,
    ecu_series,
    half_hours,
    inverter_series,
    target_series,
)
from tests.rules.promtool import expect_alerts

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

INVERTERS: Final = ("802000000001", "802000000002", "802000000003")
NEVER_HEARD: Final = "802000000099"

NINE_DAYS: Final = half_hours("bbdbbbdbb")
NOON_OF_DAY_7: Final = 7 * 24 + 12
NOON_OF_DAY_8: Final = 8 * 24 + 12
MIDNIGHT_OF_DAY_8: Final = 8 * 24


def plant(
    *, works: Callable[[HalfHour], bool] = lambda _: True, days: list[HalfHour] = NINE_DAYS
) -> Series:
    """Three inverters of two panels that work in the light while `works` says so, and one that was
    never heard. The ECU has no rounds at night.
    """
    watts = by(days, lambda m: m.watts if works(m) else 0)
    online = by(days, lambda m: float(m.watts > 0 and works(m)))
    series = target_series([1] * len(days))
    series |= ecu_series([6 * (w or 0) for w in watts], ages(m.watts > 0 for m in days))
    for inverter in INVERTERS:
        series |= inverter_series(inverter, online, {1: watts, 2: watts})
    return series | inverter_series(NEVER_HEARD, [0] * len(days), {})


def test_winter_nights_and_a_never_heard_inverter_are_quiet(tmp_path: Path) -> None:
    expect_alerts(tmp_path, plant(), ever=[])


def test_dark_morning_after_bright_ones_is_quiet(tmp_path: Path) -> None:
    def is_light(moment: HalfHour) -> bool:
        # Not longer: an hour has two of these samples to Prometheus 3, but three to Prometheus 2.
        return moment.watts > 0 and not (moment.day == 8 and moment.slot < 19)

    series = plant(works=is_light)
    series |= ecu_series(
        by(NINE_DAYS, lambda m: 6 * m.watts if is_light(m) else 0), ages(map(is_light, NINE_DAYS))
    )
    expect_alerts(tmp_path, series, ever=[])


def test_outage_of_all_inverters_is_told_on_its_second_day_too_but_not_at_night(
    tmp_path: Path,
) -> None:
    offline = f'{{alertname="ApsInvertersOffline", ecu="{ECU}"}}'
    expect_alerts(
        tmp_path,
        plant(works=lambda m: m.hours < NOON_OF_DAY_7),
        ever=[offline],
        at={
            NOON_OF_DAY_7 + 0.5: [],
            NOON_OF_DAY_7 + 1: [offline],
            MIDNIGHT_OF_DAY_8: [],
            NOON_OF_DAY_8: [offline],
        },
    )


def test_snow_for_longer_than_a_week_is_no_daylight(tmp_path: Path) -> None:
    days = half_hours("b" * 3 + "d" * 9)
    melted = 24 * 3
    offline = f'{{alertname="ApsInvertersOffline", ecu="{ECU}"}}'
    expect_alerts(
        tmp_path,
        plant(works=lambda m: m.hours < melted, days=days),
        ever=[offline],
        at={melted + 12: [offline], melted + 8 * 24 + 12: []},
    )


def test_second_day_without_new_rounds_is_told(tmp_path: Path) -> None:
    series = plant() | ecu_series(
        by(NINE_DAYS, lambda m: 6 * m.watts if m.hours < NOON_OF_DAY_7 else None),
        ages(m.watts > 0 and m.hours < NOON_OF_DAY_7 for m in NINE_DAYS),
    )
    stale = f'{{alertname="ApsDataStale", ecu="{ECU}"}}'
    expect_alerts(
        tmp_path,
        series,
        ever=[stale],
        at={
            NOON_OF_DAY_7 + 0.5: [],
            NOON_OF_DAY_7 + 1: [stale],
            MIDNIGHT_OF_DAY_8: [],
            NOON_OF_DAY_8: [stale],
        },
    )


def test_second_day_of_an_unreachable_ecu_is_told_day_and_night_and_only_as_that(
    tmp_path: Path,
) -> None:
    def until_noon(value: float | None, moment: HalfHour) -> float | None:
        return value if moment.hours < NOON_OF_DAY_7 else None

    series = {
        name: [until_noon(v, m) for v, m in zip(values, NINE_DAYS, strict=True)]
        if name.startswith(("aps_inverter", "aps_channel"))
        else values
        for name, values in plant().items()
    }
    series |= target_series(by(NINE_DAYS, lambda m: float(m.hours < NOON_OF_DAY_7)))
    series |= ecu_series(
        by(NINE_DAYS, lambda m: until_noon(6 * m.watts, m)),
        ages(m.watts > 0 and m.hours < NOON_OF_DAY_7 for m in NINE_DAYS),
    )
    unreachable = '{alertname="ApsEcuUnreachable", target="roof"}'
    expect_alerts(
        tmp_path,
        series,
        ever=[unreachable],
        at={
            NOON_OF_DAY_7 + 0.5: [],
            NOON_OF_DAY_7 + 1: [unreachable],
            MIDNIGHT_OF_DAY_8: [unreachable],
            NOON_OF_DAY_8: [unreachable],
        },
    )


def test_replaced_ecu_is_quiet(tmp_path: Path) -> None:
    new_ecu = "216000000002"

    def before(value: float | None, moment: HalfHour) -> float | None:
        return value if moment.hours < NOON_OF_DAY_7 else None

    def after(value: float | None, moment: HalfHour) -> float | None:
        return value if moment.hours >= NOON_OF_DAY_7 else None

    series = dict[str, list[float | None]]()
    for name, values in plant().items():
        if ECU not in name:
            series[name] = values
            continue
        series[name] = [before(v, m) for v, m in zip(values, NINE_DAYS, strict=True)]
        series[name.replace(ECU, new_ecu)] = [
            after(v, m) for v, m in zip(values, NINE_DAYS, strict=True)
        ]
    of_new = f'{EXPORTER}, ecu="{new_ecu}"'
    series[f"aps_ecu_lifetime_energy_joules_total{{{of_new}}}"] = by(
        NINE_DAYS, lambda m: after((m.hours - NOON_OF_DAY_7) * 360_000, m)
    )
    expect_alerts(tmp_path, series, ever=[])


def test_dst_change_is_quiet(tmp_path: Path) -> None:
    """The ECU's clock jumps an hour at midnight; the first round of that morning tells."""
    morning = 4 * 24 + 9
    of = f'{EXPORTER}, ecu="{ECU}"'
    offsets = by(NINE_DAYS, lambda m: 3400 if m.hours == morning else -200)
    series = plant() | {f"aps_ecu_clock_offset_seconds{{{of}}}": offsets}
    today = by(NINE_DAYS, lambda m: 0 if m.slot < (0 if m.day < 4 else 46) else 7.2e6)
    series[f"aps_ecu_day_energy_joules{{{of}}}"] = today
    expect_alerts(tmp_path, series, ever=[])


def test_clock_that_stays_an_hour_off_after_a_dst_change_is_told(tmp_path: Path) -> None:
    morning = 4 * 24 + 9
    of = f'{EXPORTER}, ecu="{ECU}"'
    offsets = by(NINE_DAYS, lambda m: 3400 if m.hours >= morning else -200)
    series = plant() | {f"aps_ecu_clock_offset_seconds{{{of}}}": offsets}
    off = f'{{alertname="ApsClockOffset", ecu="{ECU}"}}'
    expect_alerts(tmp_path, series, ever=[off], at={morning + 0.5: [], morning + 2: [off]})


ROOF: Final = "802000000007"
PLAIN, HALF_SHADED, TREE_IN_THE_AFTERNOON = 1, 5, 6
MIXED_WEATHER: Final = "bdbbddbbdbbddbdb"
RAINY_WEEK: Final = "bbbbbbbddddddddb"
LAST_DAY: Final = 15

Fault = Callable[[int, HalfHour], float]
"""The share of its usual that a channel makes at a moment."""


def _light_share(channel: int, moment: HalfHour) -> float:
    if channel == HALF_SHADED and moment.bright:
        return 0.5
    return 0.4 if channel == TREE_IN_THE_AFTERNOON and moment.bright and moment.slot >= 26 else 1


def roof(weather: str, fault: Fault = lambda _channel, _moment: 1, ecu: str = ECU) -> Series:
    """Six panels: four plain ones, one half shaded, one in the shade of a tree from 13 h on."""
    days = half_hours(weather)

    def watts(channel: int) -> list[float | None]:
        return [m.watts * _light_share(channel, m) * fault(channel, m) for m in days]

    channels = {channel: watts(channel) for channel in range(1, 7)}
    online = by(days, lambda m: float(m.watts > 0))
    return inverter_series(ROOF, online, channels, ecu)


def under_its_share(channel: int, ecu: str = ECU) -> str:
    labels = f'ecu="{ecu}", inverter="{ROOF}", channel="{channel}"'
    return f'{{alertname="ApsChannelUnderUsualShare", {labels}}}'


def _text(panel: str, channel: int, ecu: str, share: str) -> dict[str, str]:
    return {
        "summary": f"Panel {panel} makes {share} of what it usually does",
        "description": f"For two hours panel {panel} (inverter 802000000007, channel {channel}, "
        f"ECU {ecu}) has made {share} of its usual share at this time of day, beside the others on "
        "the same roof. Look for leaves, dirt, snow or a new shadow on it. If there is none, a "
        "plug between panel and inverter may be loose: do not pull it under load.",
    }


def _labels(channel: str, ecu: str, **also: str) -> dict[str, str]:
    of = {"job": "aps", "instance": "pi:10899", "ecu": ecu, "inverter": ROOF, "channel": channel}
    return {**of, "severity": "warning", **also}


TEXTS_OF_HALVED_CHANNELS: Final[dict[str, Any]] = {
    "alertname": "ApsChannelUnderUsualShare",
    "exp_alerts": [
        {
            "exp_labels": _labels("1", "216000000011", panel="South 1"),
            "exp_annotations": _text("South 1", 1, "216000000011", "66.67%"),
        },
        {
            "exp_labels": _labels("5", "216000000015"),
            "exp_annotations": _text("802000000007/5", 5, "216000000015", "47.22%"),
        },
        {
            "exp_labels": _labels("6", "216000000016"),
            "exp_annotations": _text("802000000007/6", 6, "216000000016", "45.95%"),
        },
    ],
}
"""At 14:00 of the last day, after 7 bright days (weight 1) and 7 dull ones (weight 1/16).

Of the plain channel 0.5 of a median that is 0.75 now (0.4, 0.5, 0.5, 1, 1, 1), where 1 is usual. Of
the half shaded one (7 x 0.5 + 7/16) / (7 + 7/16) = 0.5294 is usual, of the one by the tree
(7 x 0.4 + 7/16) / (7 + 7/16) = 0.4353; they make 0.25 and 0.2.
"""


@pytest.mark.parametrize("weather", [MIXED_WEATHER, RAINY_WEEK, "dddddb"])
def test_channel_that_is_always_half_shaded_is_quiet(tmp_path: Path, weather: str) -> None:
    """The last: dull days tell nothing of orientation, so a first week is never compared with."""
    expect_alerts(tmp_path, roof(weather), ever=[])


def test_channels_that_make_half_of_their_usual_are_told_and_a_dusty_one_is_not(
    tmp_path: Path,
) -> None:
    """Each on a roof of its own; of the first the name of the panel is known."""
    midday = LAST_DAY * 24 + 11

    def halved(channel: int) -> Fault:
        return lambda of, m: 0.5 if of == channel and m.hours >= midday else 1

    def dusty(of: int, moment: HalfHour) -> float:
        return 0.8 if of == HALF_SHADED and moment.day >= LAST_DAY - 1 else 1

    ecus = {
        f"21600000001{channel}": channel for channel in (PLAIN, HALF_SHADED, TREE_IN_THE_AFTERNOON)
    }
    series = roof(MIXED_WEATHER, dusty)
    for ecu, channel in ecus.items():
        series |= roof(MIXED_WEATHER, halved(channel), ecu)
    of = f'{EXPORTER}, ecu="216000000011", inverter="{ROOF}", channel="1", panel="South 1"'
    series[f"aps_channel_info{{{of}}}"] = [1] * len(half_hours(MIXED_WEATHER))
    told = [under_its_share(channel, ecu) for ecu, channel in ecus.items()]
    dusk = LAST_DAY * 24 + LAST_LIGHT / 2
    expect_alerts(
        tmp_path,
        series,
        ever=told,
        at={midday + 1.5: [], midday + 3: told, dusk: told, dusk + 2: []},
        texts=[TEXTS_OF_HALVED_CHANNELS | {"eval_time": f"{midday + 3}h"}],
    )


def test_dead_channel_is_told_for_days(tmp_path: Path) -> None:
    def dead(of: int, moment: HalfHour) -> float:
        return 0 if of == PLAIN and moment.day >= 8 else 1

    fault = under_its_share(PLAIN)
    expect_alerts(
        tmp_path,
        roof(MIXED_WEATHER, dead),
        ever=[fault],
        at={day * 24 + 14: [fault] for day in (9, 10, 13, LAST_DAY)},
    )
