"""Which faults are on when."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from aps_exporter.clock import ScaledClock
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.script import parse_script
from tests.simulator.asking import Ticks
from tests.virtual_time import in_virtual_time

START = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def ticks() -> Ticks:
    return Ticks(50.0)


def _schedule(ticks: Ticks, *faults: str, script: str = "", speed: float = 1) -> FaultSchedule:
    clock = ScaledClock(speed, START, ticks=ticks)
    return FaultSchedule(clock, faults, parse_script(script))  # type: ignore[arg-type]


def test_faults_given_are_on_from_the_start(ticks: Ticks) -> None:
    faults = _schedule(ticks, "silent", "offline")
    assert {*faults} == {"silent", "offline"}
    assert len(faults) == 2
    assert "close" not in faults


@pytest.mark.parametrize(
    ("after", "is_on"), [(0, False), (9.9, False), (10, True), (14.9, True), (15, False)]
)
def test_window_is_open_from_its_start_until_before_its_end(
    ticks: Ticks, after: float, *, is_on: bool
) -> None:
    faults = _schedule(ticks, script="+0:00:10 silent for 5s")
    ticks.seconds += after
    assert ("silent" in faults) is is_on
    assert [*faults] == (["silent"] if is_on else [])


def test_timer_that_ends_a_rounding_error_early_finds_the_window_open(ticks: Ticks) -> None:
    faults = _schedule(ticks, script="+0:00:10 silent for 5s")
    ticks.seconds += 10 - 1e-9
    assert "silent" in faults


def test_window_follows_the_clock_at_its_speed(ticks: Ticks) -> None:
    faults = _schedule(ticks, script="+1:00:00 silent for 1h", speed=3_600)
    ticks.seconds += 1
    assert "silent" in faults
    ticks.seconds += 1
    assert "silent" not in faults


def test_windows_of_several_faults_may_overlap(ticks: Ticks) -> None:
    faults = _schedule(ticks, "glue", script="+0:00:01 drip for 3s\n+0:00:02 no-end for 3s")
    seen = []
    for _ in range(6):
        seen.append({*faults} - {"glue"})
        ticks.seconds += 1
    assert seen == [set(), {"drip"}, {"drip", "no-end"}, {"drip", "no-end"}, {"no-end"}, set()]


def test_overlapping_windows_of_one_fault_are_one(ticks: Ticks) -> None:
    script = "+0:00:05 drip for 2s\n+0:00:01 drip for 9s\n+0:00:10 drip for 2s"
    faults = _schedule(ticks, script=script)
    for second in range(14):
        assert ("drip" in faults) is (1 <= second < 12)
        if "drip" in faults:
            assert faults.began("drip") == START + timedelta(seconds=1)
        ticks.seconds += 1


def test_faults_are_added_and_taken_away_by_hand(ticks: Ticks) -> None:
    faults = _schedule(ticks)
    faults.add("silent")
    faults |= {"drip"}
    assert {*faults} == {"silent", "drip"}
    faults.remove("silent")
    assert {*faults} == {"drip"}
    faults.clear()
    assert not faults


def test_sets_made_of_it_are_plain(ticks: Ticks) -> None:
    faults = _schedule(ticks, "silent")
    assert faults | {"drip"} == {"silent", "drip"}
    assert faults & {"drip"} == set()
    assert {*faults} == {"silent"}


def test_hand_does_not_close_a_window_of_the_script(ticks: Ticks) -> None:
    faults = _schedule(ticks, script="+0:00:00 silent for 5s")
    faults.add("silent")
    faults.discard("silent")
    faults.clear()
    assert "silent" in faults
    ticks.seconds += 5
    assert "silent" not in faults


def test_name_of_no_fault_is_not_taken(ticks: Ticks) -> None:
    with pytest.raises(ValueError, match="'sleepy'"):
        _schedule(ticks, "sleepy")


def test_fault_began_when_it_was_added_and_begins_anew_after_it_was_gone(ticks: Ticks) -> None:
    faults = _schedule(ticks, "glue")
    ticks.seconds += 10
    faults.add("silent")
    ticks.seconds += 10
    faults.add("silent")
    assert faults.began("glue") == START
    assert faults.began("silent") == START + timedelta(seconds=10)
    faults.discard("silent")
    assert faults.began("silent") is None
    faults.add("silent")
    assert faults.began("silent") == START + timedelta(seconds=20)


@in_virtual_time
async def test_edges_come_at_their_simulated_times() -> None:
    loop = asyncio.get_running_loop()
    clock = ScaledClock(60, START, ticks=loop.time)
    script = "+0:10:00 refuse for 5m\n+0:20:00 silent for 1h\n+168:00:00 refuse for 90s"
    faults = FaultSchedule(clock, (), parse_script(script))
    began = loop.time()
    seen = [
        ((loop.time() - began) * 60, "refuse" in faults) async for _ in faults.edges_of("refuse")
    ]
    moments, states = zip(*seen, strict=True)
    assert moments == pytest.approx((600, 900, 604_800, 604_890))
    assert states == (True, False, True, False)


@in_virtual_time
async def test_edges_that_passed_while_nobody_looked_still_come() -> None:
    loop = asyncio.get_running_loop()
    clock = ScaledClock(1, START, ticks=loop.time)
    faults = FaultSchedule(clock, (), parse_script("+0:00:01 refuse for 1s"))
    await asyncio.sleep(10)
    assert len([edge async for edge in faults.edges_of("refuse")]) == 2


@in_virtual_time
async def test_fault_without_windows_has_no_edges() -> None:
    faults = FaultSchedule(ScaledClock(1, START), ["refuse"], parse_script("+0:00:01 drip for 1s"))
    assert [edge async for edge in faults.edges_of("refuse")] == []
