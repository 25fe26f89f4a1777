"""What an ECU says of a day, what of it is missing, and whether a month fits its days."""

from bisect import insort
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aps_exporter.history import (
    DayPoints,
    MonthDifference,
    PowerPoint,
    Present,
    day_points,
    missing,
    month_differences,
)

DAY = date(2026, 6, 1)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def in_utc(stamp: datetime) -> datetime:
    return stamp.replace(tzinfo=UTC)


def in_amsterdam(stamp: datetime) -> datetime:
    return stamp.replace(tzinfo=AMSTERDAM).astimezone(UTC)


def points(power: dict[time, int], *lists: dict[date, int]) -> DayPoints:
    return day_points(power, lists, DAY, in_utc, 300)


def test_power_is_at_the_minutes_in_utc_oldest_first() -> None:
    power = {time(12, 5): 700, time(12, 0): 600}
    found = day_points(power, [], DAY, in_amsterdam, 300)
    assert found.power == (
        PowerPoint(datetime(2026, 6, 1, 10, 0, tzinfo=UTC), 600),
        PowerPoint(datetime(2026, 6, 1, 10, 5, tzinfo=UTC), 700),
    )


@pytest.mark.parametrize(
    ("lists", "joules"),
    [
        ([{DAY: 36_000}, {DAY: 72_000}], 36_000),
        ([{DAY: 0}, {DAY: 72_000}], 72_000),
        ([{}, {DAY: 72_000}], 72_000),
        ([{DAY: 0}, {}], 195_000),  # 300 s x 650 W
        ([], 195_000),
    ],
)
def test_energy_is_the_first_list_s_else_the_power_s(
    lists: list[dict[date, int]], joules: float
) -> None:
    assert points({time(12, 0): 600, time(12, 5): 700}, *lists).energy_joules == joules


def test_gap_in_the_power_counts_as_nothing() -> None:
    power = {time(12, 0): 600, time(12, 5): 600, time(14, 0): 600, time(14, 5): 600}
    assert points(power).energy_joules == 2 * 300 * 600


@pytest.mark.parametrize("power", [{}, {time(12, 0): 600}, {time(3, 0): 0, time(3, 5): 0}])
def test_day_that_made_nothing_has_no_energy(power: dict[time, int]) -> None:
    assert points(power).energy_joules is None


def test_hour_that_spring_leaves_out_does_not_hide_the_one_behind_it() -> None:
    power = {time(2, 30): 1, time(3, 30): 2}
    found = day_points(power, [], date(2026, 3, 29), in_amsterdam, 300)
    assert found.power == (PowerPoint(datetime(2026, 3, 29, 1, 30, tzinfo=UTC), 2),)


@pytest.mark.parametrize(("seconds", "is_missing"), [(150, False), (151, True), (0, False)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_minute_is_present_when_a_point_lies_within_150_seconds(
    seconds: int, sign: int, *, is_missing: bool
) -> None:
    asked = DayPoints((PowerPoint(NOON, 600),))
    there = Present([NOON + sign * timedelta(seconds=seconds)])
    assert bool(missing(asked, there).power) is is_missing


def test_energy_that_is_there_is_not_missing() -> None:
    asked = DayPoints((), 36_000)
    assert missing(asked, Present()) == asked
    assert missing(asked, Present(energy=True)) == DayPoints()


seconds_of_day = st.lists(st.integers(0, 86_399), unique=True, max_size=60)


@given(seconds_of_day, seconds_of_day)
def test_a_second_back_fill_misses_nothing_and_none_is_left_out(
    asked: list[int], there: list[int]
) -> None:
    moments = [NOON + timedelta(seconds=s) for s in there]
    wanted = DayPoints(tuple(PowerPoint(NOON + timedelta(seconds=s), s) for s in sorted(asked)))
    lacking = missing(wanted, Present(moments)).power
    for point in wanted.power:
        gaps = [abs(point.at - moment).total_seconds() for moment in moments]
        assert (point in lacking) == all(gap > 150 for gap in gaps)
    for point in lacking:
        insort(moments, point.at)
    assert missing(wanted, Present(moments)).power == ()


MAY = date(2026, 5, 1)
KWH = 3_600_000


def may(kwh: float, days: int = 31) -> dict[date, float]:
    return {MAY + timedelta(days=n): kwh * KWH for n in range(days)}


def test_month_that_says_more_than_two_percent_else_is_told() -> None:
    said = {MAY: 320 * KWH}
    assert month_differences(said, may(10)) == [MonthDifference(MAY, 320 * KWH, 310 * KWH)]


@pytest.mark.parametrize(
    ("said", "days"),
    [
        ({MAY: 316 * KWH}, may(10)),  # 1.9 %
        ({MAY: 304 * KWH}, may(10)),
        ({MAY: 900 * KWH}, may(10, days=30)),
        ({}, may(10)),
        ({MAY: 0}, {}),
    ],
    ids=["a little more", "a little less", "not the whole month", "not said", "nothing at all"],
)
def test_month_that_fits_or_is_not_whole_is_not_told(
    said: dict[date, int], days: dict[date, float]
) -> None:
    assert month_differences(said, days) == []
