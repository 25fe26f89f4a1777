"""When the rounds of a simulated ECU are, when they show and what time they bear, with faults."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest

from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.rounds import lateness
from tests.simulator.asking import NOON, WatchedEcu, info_of, round_of

ROUND = timedelta(seconds=300)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def _distances(stamps: list[datetime]) -> set[timedelta]:
    """How far the different ones of these are apart, in their order."""
    different = list(dict.fromkeys(stamps))
    return {later - earlier for earlier, later in pairwise(different)}


def _lateness_seen(ecu: WatchedEcu, hours: int) -> dict[datetime, timedelta]:
    """How late each round but the first showed; rounded up to 5 s."""
    step = timedelta(seconds=5)
    began = round_of(WatchedEcu()).measured_at + 3 * MINUTE  # the ECU's clock when it starts
    stamps = ecu.stamps(step, hours * 720)
    first_seen = {stamp: began + step * stamps.index(stamp) for stamp in dict.fromkeys(stamps)}
    return {stamp: seen - stamp for stamp, seen in list(first_seen.items())[1:]}


def test_frozen_clock_keeps_the_stamp_while_values_go_on() -> None:
    ecu = WatchedEcu()
    ecu.pass_time(ROUND)
    ecu.faults.add("frozen-clock")
    frozen, before = round_of(ecu).measured_at, info_of(ecu)
    ecu.pass_time(6 * 12 * ROUND)
    after = info_of(ecu)
    assert round_of(ecu).measured_at == frozen
    assert after.last_ema_contact == before.last_ema_contact
    assert after.power_watts == ecu.plant.power_watts(ecu.newest_round) != before.power_watts
    assert (after.lifetime_energy_joules or 0) > (before.lifetime_energy_joules or 0)


def test_frozen_clock_of_a_script_stands_at_the_opening_of_its_window() -> None:
    ecu = WatchedEcu(script="+0:10:00 frozen-clock for 1h")
    start = round_of(ecu).measured_at
    ecu.pass_time(50 * MINUTE)  # nobody asked when it began
    assert round_of(ecu).measured_at == start + 2 * ROUND
    ecu.pass_time(20 * MINUTE)
    assert round_of(ecu).measured_at == start + 14 * ROUND


def test_rounds_that_grow_long_do_not_move_a_frozen_clock() -> None:
    ecu = WatchedEcu(
        script="+0:12:00 frozen-clock for 1h\n+0:25:00 long-rounds for 1h\n"
    )  # from 12:03 on, so it stands at 12:15
    stamps = [stamp.minute for stamp in ecu.stamps(MINUTE, 72)]
    assert set(stamps[12:]) == {15}


def test_clock_ahead_adds_seven_minutes_to_every_time_and_to_no_value() -> None:
    right, ahead = WatchedEcu(), WatchedEcu(faults=["clock-ahead"])
    seven_minutes = timedelta(minutes=7)
    assert round_of(ahead).measured_at == round_of(right).measured_at + seven_minutes
    contacts = [info_of(ecu).last_ema_contact for ecu in (right, ahead)]
    assert contacts[0] is not None
    assert contacts[1] == contacts[0] + seven_minutes
    assert round_of(ahead).inverters == round_of(right).inverters


def test_frozen_clock_can_be_ahead_too() -> None:
    ecu = WatchedEcu(faults=["frozen-clock", "clock-ahead"])
    start = round_of(WatchedEcu()).measured_at
    ecu.pass_time(ROUND)
    assert round_of(ecu).measured_at == start + timedelta(minutes=7)


def test_late_rounds_show_up_to_four_minutes_late_and_none_is_missed() -> None:
    seen = _lateness_seen(WatchedEcu(faults=["late-rounds"]), hours=8)
    assert _distances(list(seen)) == {ROUND}
    assert min(seen.values()) < 30 * SECOND
    assert 210 * SECOND < max(seen.values()) <= 245 * SECOND
    assert len(set(seen.values())) > 20


def test_healthy_rounds_show_at_once() -> None:
    assert set(_lateness_seen(WatchedEcu(), hours=2).values()) == {timedelta()}


def test_same_round_is_always_as_late() -> None:
    one, other = (
        _lateness_seen(WatchedEcu("qs1:1", faults=["late-rounds"]), hours=1),
        _lateness_seen(WatchedEcu("ds3:3", faults=["late-rounds"]), hours=1),
    )
    assert one == other


@pytest.mark.parametrize("minutes", range(0, 60, 5))
def test_lateness_is_between_nothing_and_four_minutes(minutes: int) -> None:
    round_ = datetime(2026, 6, 1, 12, minutes, tzinfo=UTC)
    assert timedelta() <= lateness(round_) <= timedelta(seconds=240)


@pytest.mark.parametrize("minute", [3, 7])
def test_long_rounds_take_ten_minutes_from_the_start(minute: int) -> None:
    ecu = WatchedEcu(faults=["long-rounds"], start=NOON.replace(minute=minute))
    assert _distances(ecu.stamps(MINUTE, 120)) == {2 * ROUND}


def test_long_rounds_make_the_energy_of_two() -> None:
    ecu = WatchedEcu(faults=["long-rounds"])
    earlier = ecu.newest_round
    ecu.pass_time(2 * ROUND)
    assert ecu.newest_round == earlier + 2 * ROUND
    rise = ecu.plant.lifetime_joules(ecu.newest_round) - ecu.plant.lifetime_joules(earlier)
    powers = [ecu.plant.power_watts(earlier + ROUND * step) for step in (1, 2)]
    assert rise == 300 * sum(powers)


@pytest.mark.parametrize(
    "faults", [["late-rounds"], ["long-rounds"], ["late-rounds", "long-rounds"]]
)
@pytest.mark.parametrize("minutes", range(0, 20, 2))
def test_round_that_has_shown_stays_when_a_fault_begins_and_ends(
    faults: list[Fault], minutes: int
) -> None:
    script = "\n".join(f"+0:{minutes:02}:00 {fault} for 1h7m" for fault in faults)
    ecu = WatchedEcu(script=script)
    stamps, lifetimes = [], []
    for _ in range(100):
        stamps.append(round_of(ecu).measured_at)
        lifetimes.append(info_of(ecu).lifetime_energy_joules or 0)
        ecu.pass_time(MINUTE)
    assert stamps == sorted(stamps)
    assert lifetimes == sorted(lifetimes)


def test_late_round_of_yesterday_makes_no_energy_of_today() -> None:
    midnight = datetime(2026, 5, 31, 22, 0, 1, tzinfo=UTC)  # 00:00:01 in Amsterdam
    ecu = WatchedEcu(faults=["late-rounds"], sun=None, start=midnight)
    yesterday = round_of(ecu).measured_at
    assert yesterday.time() == time(23, 55)
    before = info_of(ecu).lifetime_energy_joules
    ecu.pass_time(ROUND)
    assert round_of(ecu).measured_at >= yesterday + ROUND
    assert info_of(ecu).lifetime_energy_joules == before
