from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from aps_exporter.schedule import RoundSchedule

STAMP = datetime.fromisoformat("2026-06-01T10:00:00")


def _schedule(jitter: float = 0) -> RoundSchedule:
    return RoundSchedule(300, jitter=lambda: jitter)


def _stamp(rounds: float) -> datetime:
    return STAMP + timedelta(seconds=300 * rounds)


def test_new_schedule_is_due_at_once() -> None:
    assert _schedule().next_at == float("-inf")


def test_first_round_is_followed_a_round_and_five_seconds_later() -> None:
    schedule = _schedule()
    assert schedule.saw_round(_stamp(0), at=1_000)
    assert schedule.next_at == 1_305


def test_same_stamp_is_no_new_round() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    assert not schedule.saw_round(_stamp(0), at=1_305)


def test_stamp_that_goes_back_is_a_new_round() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    assert schedule.saw_round(_stamp(-12), at=1_305)


def test_lateness_of_asking_does_not_add_up() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.saw_round(_stamp(1), at=1_320)
    schedule.saw_round(_stamp(2), at=1_640)
    assert schedule.next_at == 1_905


def test_phase_survives_rounds_nobody_asked_for() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.saw_round(_stamp(10), at=4_200)
    assert schedule.next_at == 4_305


def test_missing_round_is_asked_for_after_a_minute_and_then_every_round() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.saw_round(_stamp(0), at=1_305)
    assert schedule.next_at == 1_365
    schedule.saw_round(_stamp(0), at=1_365)
    assert schedule.next_at == 1_665
    schedule.saw_round(_stamp(0), at=1_665)
    assert schedule.next_at == 1_965


def test_phase_that_proved_too_early_is_given_up() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.saw_round(_stamp(0), at=1_305)
    schedule.saw_round(_stamp(1), at=1_365)
    assert schedule.next_at == 1_365 + 305


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
    assert schedule.next_at == 1_305
    schedule.failed(1_305, any_reply=False)
    assert schedule.next_at == 1_365


def test_failed_query_is_retried_before_the_next_round_and_the_round_is_not_put_off() -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.failed(1_000, any_reply=True)
    assert (schedule.next_at, schedule.ask_all_at) == (1_060, 1_305)


@pytest.mark.parametrize(("failed_at", "next_at"), [(1_185, 1_245), (1_186, 1_305), (1_300, 1_305)])
def test_retry_shortly_before_a_whole_refresh_is_left_to_it(
    failed_at: float, next_at: float
) -> None:
    schedule = _schedule()
    schedule.saw_round(_stamp(0), at=1_000)
    schedule.failed(failed_at, any_reply=True)
    assert schedule.next_at == next_at


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


@pytest.mark.parametrize("period", [300, 303, 420, 600, 660])
def test_three_days_of_any_period_cost_at_most_three_refreshes_a_round(period: int) -> None:
    schedule = _schedule()
    asked = []
    seen = 0
    now = 0.0
    while now < 3 * 86_400:
        asked.append(now)
        stamp = STAMP + now // period * timedelta(seconds=period)
        seen += schedule.saw_round(stamp, at=now)
        now = schedule.next_at
    rounds = 3 * 86_400 / period
    assert seen >= rounds - 2
    assert len(asked) <= 3 * rounds
    assert min(later - at for at, later in pairwise(asked)) >= 60
