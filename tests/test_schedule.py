import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean, median

import pytest

from aps_exporter.readings import LocalTime
from aps_exporter.schedule import RoundSchedule, ScheduleMemory

STAMP = datetime.fromisoformat("2026-06-01T10:00:00")


def _schedule(jitter: float = 0) -> RoundSchedule:
    return RoundSchedule(300, jitter=lambda: jitter)


def _stamp(rounds: float) -> datetime:
    return STAMP + timedelta(seconds=300 * rounds)


def test_new_schedule_is_due_at_once() -> None:
    assert _schedule().next_at == float("-inf")


def test_second_look_halves_the_time_in_which_a_round_can_come() -> None:
    schedule = _schedule()
    assert schedule.saw_round(_stamp(0), at=1_000)
    assert schedule.next_at == 1_150


def test_same_stamp_is_no_new_round() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    assert not schedule.saw_round(_stamp(0), at=1_150)


def test_stamp_that_goes_back_is_a_new_round() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    assert schedule.saw_round(_stamp(-12), at=1_305)


def test_look_in_vain_is_repeated_once_after_a_minute_and_then_every_round() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    looks = []
    for _ in range(5):
        looks.append(schedule.next_at)
        schedule.saw_round(_stamp(0), at=schedule.next_at)
    assert looks == [1_150, 1_210, 1_300, 1_600, 1_900]


@pytest.mark.parametrize("seen_late_by", [0, 100, 299])
def test_two_refreshes_are_never_less_than_a_minute_apart(seen_late_by: float) -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    at = 1_300 + seen_late_by
    schedule.saw_round(_stamp(1), at=at)
    assert schedule.next_at - at >= 60


def test_back_off_doubles_from_a_minute_to_five() -> None:
    schedule = _schedule()
    waits = []
    for _ in range(6):
        schedule.failed(0, any_reply=False)
        waits.append(schedule.next_at)
    assert waits == [60, 120, 240, 300, 300, 300]


@pytest.mark.parametrize("jitter", [-1, -0.5, 0.5, 1])
def test_jitter_keeps_the_back_off_between_a_minute_and_five(jitter: float) -> None:
    schedule = _schedule(jitter)
    waits = []
    for _ in range(6):
        schedule.failed(0, any_reply=False)
        waits.append(schedule.next_at)
    assert all(60 <= wait <= 300 for wait in waits)
    assert waits[1] != 120


def test_default_jitter_differs_from_time_to_time() -> None:
    schedule = RoundSchedule(300)
    waits = set()
    for _ in range(20):
        schedule.answered()
        schedule.failed(0, any_reply=False)
        schedule.failed(0, any_reply=False)
        waits.add(schedule.next_at)
    assert len(waits) > 1


def test_answer_ends_the_back_off() -> None:
    schedule = _schedule()
    for _ in range(3):
        schedule.failed(0, any_reply=False)
    schedule.answered()
    schedule.saw_round(_stamp(0), at=1_000)
    assert schedule.next_at == 1_150
    schedule.failed(1_150, any_reply=False)
    assert schedule.next_at == 1_210


def test_failed_query_is_retried_before_the_next_round_and_the_round_is_not_put_off() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.failed(1_000, any_reply=True)
    assert (schedule.next_at, schedule.ask_all_at) == (1_060, 1_150)


@pytest.mark.parametrize(("failed_at", "next_at"), [(1_030, 1_090), (1_031, 1_150), (1_140, 1_150)])
def test_retry_shortly_before_a_whole_refresh_is_left_to_it(
    failed_at: float, next_at: float
) -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.failed(failed_at, any_reply=True)
    assert schedule.next_at == next_at


@pytest.mark.parametrize(("at", "due"), [(1_059, False), (1_060, True), (1_090, True)])
def test_retry_is_due_from_its_moment_on(at: float, *, due: bool) -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.failed(1_000, any_reply=True)
    assert schedule.is_due(at) == due


def test_retry_that_nobody_started_in_time_is_left_to_the_whole_refresh() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.failed(1_000, any_reply=True)
    assert [schedule.is_due(at) for at in (1_091, 1_149, 1_150)] == [False, False, True]


def test_ecu_without_any_reply_is_asked_nothing_before_the_back_off_ends() -> None:
    schedule = _schedule()
    schedule.failed(1_000, any_reply=False)
    assert schedule.ask_all_at == schedule.next_at == 1_060


def test_answer_without_a_round_is_followed_a_round_later() -> None:
    schedule = _schedule()
    schedule.saw_no_round(1_000)
    assert schedule.next_at == 1_300


def test_period_is_the_configured_one_until_two_rounds_were_seen() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    assert schedule.period_seconds == 300


@pytest.mark.parametrize("unseen", [0, 1, 3])
def test_period_is_learned_whether_or_not_rounds_went_by_unseen(unseen: int) -> None:
    schedule = _schedule()
    schedule.saw_round(STAMP, at=1_000)
    schedule.saw_round(STAMP + (unseen + 1) * timedelta(seconds=303), at=1_310 + 300 * unseen)
    assert schedule.period_seconds == 303


def test_long_rounds_are_learned_when_looked_for_in_vain() -> None:
    schedule = _schedule()
    for index in range(4):
        at = 1_000 + 600 * index
        schedule.saw_round(_stamp(2 * index), at=at)
        schedule.saw_round(_stamp(2 * index), at=at + 305)
    assert schedule.period_seconds == 600


def test_night_is_no_period() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    for hour in range(10):
        schedule.saw_round(_stamp(0), at=1_305 + 3_600 * hour)
    schedule.saw_round(_stamp(120), at=37_000)
    assert schedule.period_seconds == 300


class Ecu:
    """Shows a round every period, at moments that only the test knows."""

    def __init__(self, period: float = 300, *, first: float = 117, jitter: float = 0) -> None:
        self.period = period
        self._first = first
        self._jitter = jitter
        self._noise = random.Random(4)
        self._moments: dict[int, float] = {}

    def visible(self, index: int) -> float:
        """When this round becomes visible."""
        noise = self._noise.uniform(-self._jitter, self._jitter)
        return self._moments.setdefault(index, self._first + index * self.period + noise)

    def newest(self, at: float) -> int:
        index = int((at - self._first) // self.period) + 1
        while self.visible(index) > at:
            index -= 1
        return index

    def stamp(self, index: int) -> datetime:
        """By the ECU's own clock, which need not be right."""
        return STAMP + timedelta(seconds=index * self.period)


@dataclass
class Watch:
    """What came of letting a schedule follow an ECU; delays by round index."""

    looks: list[float]
    delays: dict[int, float]

    def mean_delay(self, first: int, last: int) -> float:
        return mean(d for index, d in self.delays.items() if first <= index < last)


def _follow(
    ecu: Ecu, rounds: int, schedule: RoundSchedule | None = None, *, start: float = 400
) -> Watch:
    schedule = schedule or _schedule()
    watch = Watch([], {})
    at = start
    while at < start - 400 + rounds * ecu.period:
        watch.looks.append(at)
        newest = ecu.newest(at)
        if schedule.saw_round(ecu.stamp(newest), at):
            watch.delays[newest] = at - ecu.visible(newest)
        at = max(schedule.next_at, at + 1)
    assert min(later - at for at, later in pairwise(watch.looks)) >= 60
    return watch


def test_punctual_ecu_is_read_within_seconds_of_each_round() -> None:
    watch = _follow(Ecu(), 288)
    assert watch.mean_delay(12, 288) < 6
    assert len(watch.looks) <= 1.05 * 288


def test_unpunctual_ecu_is_read_within_seconds_of_each_round() -> None:
    watch = _follow(Ecu(jitter=5), 864)
    assert watch.mean_delay(12, 864) < 9
    assert len(watch.looks) <= 1.06 * 864


@pytest.mark.parametrize("period", [299, 301, 303, 310, 420, 450, 600, 660])
def test_any_period_is_learned_and_followed(period: float) -> None:
    schedule = _schedule()
    watch = _follow(Ecu(period), 300, schedule)
    assert schedule.period_seconds == pytest.approx(period, rel=0.01)
    assert watch.mean_delay(150, 300) < 20
    assert len(watch.delays) >= 290
    assert len(watch.looks) <= 1.35 * 300


@pytest.mark.parametrize("first", range(0, 300, 7))
@pytest.mark.parametrize("interval", [15, 30, 60])
def test_search_of_the_phase_by_scrapes_loses_no_round_and_takes_none_for_long(
    first: int, interval: int
) -> None:
    ecu, schedule = Ecu(first=first + 0.5), _schedule()
    seen: list[int] = []
    for at in range(400, 400 + 20 * 300, interval):
        if schedule.is_due(at) and schedule.saw_round(ecu.stamp(ecu.newest(at)), at):
            seen.append(ecu.newest(at))
        assert schedule.period_seconds == 300
    assert seen == [*range(seen[0], seen[-1] + 1)]


def test_drifting_clock_is_followed() -> None:
    class Drifting(Ecu):
        def stamp(self, index: int) -> datetime:
            return STAMP + timedelta(seconds=int(index * 300.02))

    assert _follow(Drifting(), 864).mean_delay(432, 864) < 8


def test_skipped_rounds_do_not_break_the_lock() -> None:
    class Skipping(Ecu):
        def newest(self, at: float) -> int:
            index = super().newest(at)
            return index - 1 if index % 20 == 7 else index

    watch = _follow(Skipping(), 864)
    assert watch.mean_delay(100, 864) < 12
    assert len(watch.looks) <= 1.2 * 864


def test_round_that_comes_two_minutes_late_does_not_break_the_lock() -> None:
    class Late(Ecu):
        def visible(self, index: int) -> float:
            return super().visible(index) + (120 if index % 50 == 25 else 0)

    watch = _follow(Late(), 864)
    on_time = [delay for index, delay in watch.delays.items() if index > 100 and index % 50 != 25]
    assert mean(on_time) < 12


@pytest.mark.parametrize("jump", [3_600, -3_600, 47, -47, 86_400], ids=str)
def test_jump_of_the_ecus_clock_does_not_break_the_lock(jump: float) -> None:
    class Jumping(Ecu):
        def stamp(self, index: int) -> datetime:
            return super().stamp(index) + timedelta(seconds=jump if index >= 150 else 0)

    watch = _follow(Jumping(), 300)
    assert watch.mean_delay(100, 150) < 6
    assert watch.mean_delay(170, 300) < 9


@pytest.mark.parametrize("shift", [100, 200, 250])
def test_restarted_ecu_is_found_at_its_new_phase(shift: float) -> None:
    class Restarted(Ecu):
        def visible(self, index: int) -> float:
            return super().visible(index) + (shift if index >= 150 else 0)

        def stamp(self, index: int) -> datetime:
            return super().stamp(index) + timedelta(seconds=shift if index >= 150 else 0)

    assert _follow(Restarted(), 300).mean_delay(165, 300) < 8


def test_ecu_that_stamps_full_five_minutes_is_followed() -> None:
    watch = _follow(Ecu(first=117 + 41), 288)
    assert watch.mean_delay(12, 288) < 6


@pytest.mark.parametrize("jump", [-61, -80, -100, -150, -240, -290], ids=str)
def test_clock_that_steps_back_a_little_is_followed_soon(jump: float) -> None:
    class Stepping(Ecu):
        def stamp(self, index: int) -> datetime:
            return super().stamp(index) + timedelta(seconds=jump if index >= 150 else 0)

    assert _follow(Stepping(), 400).mean_delay(170, 400) < 9


def test_day_without_scrapes_leaves_no_late_phase() -> None:
    ecu, schedule = Ecu(jitter=3), _schedule()
    _follow(ecu, 150, schedule)
    late = [
        at - ecu.visible(newest)
        for at in _looks_after_a_pause(ecu, schedule, 300 * (150 + 288), 200)
        if (newest := ecu.newest(at))
    ]
    assert median(late[20:]) < 12


def _looks_after_a_pause(
    ecu: Ecu, schedule: RoundSchedule, at: float, looks: int
) -> Iterator[float]:
    for _ in range(looks):
        if schedule.saw_round(ecu.stamp(ecu.newest(at)), at):
            yield at
        at = schedule.next_at


def test_late_phase_of_long_rounds_is_found_in_the_end() -> None:
    class Moved(Ecu):
        def visible(self, index: int) -> float:
            return super().visible(index) - (200 if index >= 100 else 0)

    assert _follow(Moved(600), 700).mean_delay(500, 700) < 30


@pytest.mark.parametrize("step", [-290, -240, -150, -1], ids=str)
def test_clock_set_at_dusk_does_not_make_the_night_busy(step: float) -> None:
    class SteppingAtDusk(Ecu):
        def newest(self, at: float) -> int:
            return min(super().newest(at), 100)

        def stamp(self, index: int) -> datetime:
            return super().stamp(index) + timedelta(seconds=step if index == 100 else 0)

    watch = _follow(SteppingAtDusk(), 250)
    night = [look for look in watch.looks if look > 110 * 300]
    gaps = [later - at for at, later in pairwise(night)]
    assert gaps == [pytest.approx(300)] * len(gaps)


def test_new_phase_that_no_stamp_tells_of_is_found_in_the_end() -> None:
    class Moved(Ecu):
        def visible(self, index: int) -> float:
            return super().visible(index) - (150 if index >= 100 else 0)

    assert _follow(Moved(), 600).mean_delay(400, 600) < 15


def test_night_costs_a_look_a_round_and_the_morning_finds_the_phase() -> None:
    class Sleeping(Ecu):
        def newest(self, at: float) -> int:
            index = super().newest(at)
            return index if index % 288 < 144 else index - index % 288 + 143

    watch = _follow(Sleeping(), 3 * 288)
    night = [look for look in watch.looks if 150 * 300 < look < 280 * 300]
    assert [later - at for at, later in pairwise(night)] == [300] * (len(night) - 1)
    assert watch.mean_delay(290, 430) < 8


def test_what_is_taken_for_one_long_round_is_doubted_now_and_then() -> None:
    class Recovering(Ecu):
        def newest(self, at: float) -> int:
            index = super().newest(at)
            return index - index % 2 if index < 100 else index

    schedule = _schedule()
    watch = _follow(Recovering(), 300, schedule)
    assert schedule.period_seconds == 300
    assert watch.mean_delay(160, 300) < 8


def test_restart_of_the_exporter_starts_the_search_anew() -> None:
    ecu = Ecu(first=200)
    _follow(ecu, 50)
    assert _follow(ecu, 100).mean_delay(20, 100) < 8


NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def _resumed(
    schedule: RoundSchedule, at: float, *, seconds_later: float, clock_set_by: float = 0
) -> RoundSchedule:
    """A new process that starts so much later, with a monotonic clock of its own at 50."""
    memory = schedule.memory(at, NOON)
    assert memory is not None
    resumed = _schedule()
    resumed.resume(memory, 50, NOON + timedelta(seconds=seconds_later + clock_set_by))
    return resumed


def test_nothing_is_remembered_before_the_first_round() -> None:
    assert _schedule().memory(1_000, NOON) is None


def test_resumed_schedule_asks_at_once() -> None:
    ecu, schedule = Ecu(), _schedule()
    at = _follow(ecu, 100, schedule).looks[-1]
    assert _resumed(schedule, at, seconds_later=20).is_due(50)


def test_resumed_schedule_knows_when_the_next_round_comes() -> None:
    ecu, schedule = Ecu(), _schedule()
    looks = _follow(ecu, 100, schedule).looks
    resumed = _resumed(schedule, looks[-1], seconds_later=100)
    assert resumed.saw_round(ecu.stamp(ecu.newest(looks[-1] + 100)), at=50)
    assert resumed.next_at - 50 == pytest.approx(schedule.next_at - looks[-1] - 100)


def test_round_that_was_known_before_a_restart_is_new_only_once() -> None:
    ecu, schedule = Ecu(), _schedule()
    at = _follow(ecu, 100, schedule).looks[-1]
    resumed = _resumed(schedule, at, seconds_later=20)
    stamp = ecu.stamp(ecu.newest(at + 20))
    assert [resumed.saw_round(stamp, at=50), resumed.saw_round(stamp, at=110)] == [True, False]


def test_known_round_after_the_time_of_the_next_one_is_a_look_in_vain() -> None:
    ecu, schedule = Ecu(), _schedule()
    at = _follow(ecu, 100, schedule).looks[-1]
    resumed = _resumed(schedule, at, seconds_later=5_000)  # at night
    looks = []
    for _ in range(6):
        look = max(50, resumed.next_at)
        looks.append(look)
        resumed.saw_round(ecu.stamp(ecu.newest(at)), at=look)
    assert looks[1] == 110
    assert [later - look for look, later in pairwise(looks[3:])] == [pytest.approx(300)] * 2


@pytest.mark.parametrize("seconds_later", [10, 150, 300, 10_000, 200_000])
def test_rounds_after_a_restart_are_as_fresh_as_before_it(seconds_later: float) -> None:
    ecu, schedule = Ecu(), _schedule()
    at = _follow(ecu, 100, schedule).looks[-1]
    memory = schedule.memory(at, NOON)
    assert memory is not None
    resumed = _schedule()
    resumed.resume(memory, at + seconds_later, NOON + timedelta(seconds=seconds_later))
    first = ecu.newest(at + seconds_later)
    watch = _follow(ecu, 20, resumed, start=at + seconds_later)
    assert watch.mean_delay(first + 1, first + 19) < 15


def test_clock_that_went_back_during_a_restart_makes_the_search_begin_anew() -> None:
    ecu, schedule = Ecu(), _schedule()
    at = _follow(ecu, 100, schedule).looks[-1]
    resumed = _resumed(schedule, at, seconds_later=20, clock_set_by=-86_400)
    assert resumed.memory(50, NOON) is None


def test_periods_that_cannot_be_are_not_resumed() -> None:
    memory = ScheduleMemory(LocalTime(STAMP), NOON, NOON, (1e9, 300.0, 0.0, -300.0))
    schedule = _schedule()
    schedule.resume(memory, 50, NOON)
    assert schedule.period_seconds == 300
