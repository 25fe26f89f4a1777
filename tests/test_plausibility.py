from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aps_exporter.plausibility import PHYSICAL_RANGES, LifetimeCounter, LifetimeMemory, Quantity

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROUND = 300.0
WATTS = 8_000.0  # eight channels
MOST = int(WATTS * 2 * ROUND)  # what they can make since the last reply, and a round


class Replies:
    """A counter that hears a reply a round."""

    def __init__(self) -> None:
        self.counter = LifetimeCounter()
        self.at = 0.0

    def hear(self, *reported: int) -> list[str | None]:
        reasons: list[str | None] = []
        for joules in reported:
            reasons.append(self.counter.hear(joules, self.at, NOON, WATTS, ROUND))
            self.at += ROUND
        return reasons


@pytest.mark.parametrize(
    ("quantity", "good", "bad"),
    [
        ("frequency", [45, 49.9, 64], [0, 44.9, 64.1, 65.0]),
        ("voltage", [50, 230, 500], [5, 49, 501, 230_400]),
        ("temperature", [-60, 0, 120], [-100, -61, 121]),
        ("channel_power", [0, 1_000], [1_001, 62_405]),
    ],
)
def test_ranges_hold_what_can_be_and_nothing_else(
    quantity: Quantity, good: list[float], bad: list[float]
) -> None:
    holds = PHYSICAL_RANGES[quantity].holds
    assert [holds(value) for value in (*good, *bad)] == [True] * len(good) + [False] * len(bad)


def test_counter_starts_at_the_first_value() -> None:
    replies = Replies()
    assert replies.hear(1_000_000) == [None]
    assert replies.counter.joules == 1_000_000


def test_counter_follows_every_believable_rise() -> None:
    replies = Replies()
    replies.hear(1_000_000, 1_360_000, 1_360_000, 2_000_000)
    assert replies.counter.joules == 2_000_000


def test_zero_for_one_reply_changes_nothing() -> None:
    replies = Replies()
    assert replies.hear(1_000_000, 0, 1_000_000) == [None, "lifetime_fell", None]
    assert replies.counter.joules == 1_000_000


def test_rise_behind_a_glitch_is_counted_whole() -> None:
    replies = Replies()
    replies.hear(1_000_000, 0, 1_720_000)
    assert replies.counter.joules == 1_720_000


def test_fall_is_believed_at_the_third_reply_and_only_what_was_added_since_counts() -> None:
    replies = Replies()
    assert replies.hear(9_000_000, 360_000, 360_000, 720_000) == [
        None,
        "lifetime_fell",
        "lifetime_fell",
        None,
    ]
    assert (replies.counter.joules, replies.counter.believed_joules) == (9_360_000, 720_000)
    replies.hear(1_080_000)
    assert replies.counter.joules == 9_720_000


def test_clock_that_was_ahead_before_a_restart_does_not_make_a_leap_of_a_true_rise() -> None:
    month_ahead = LifetimeMemory(1_000_000, 1_000_000, NOON + timedelta(days=30))
    counter = LifetimeCounter(month_ahead)
    assert counter.hear(37_000_000, 0, NOON, WATTS, ROUND) is None
    assert counter.joules == 37_000_000


def test_rise_among_doubted_replies_that_cannot_be_does_not_count() -> None:
    replies = Replies()
    replies.hear(90_000_000_000, 0, 0, 80_000_000_000)
    assert replies.counter.believed_joules == 80_000_000_000
    assert replies.counter.joules == 90_000_000_000


def test_falling_replies_do_not_agree() -> None:
    replies = Replies()
    replies.hear(9_000_000, 3_000_000, 2_000_000, 1_000_000)
    assert replies.counter.believed_joules == 9_000_000


def test_replies_on_both_sides_do_not_agree() -> None:
    replies = Replies()
    leap = 9_000_000 + 100 * MOST
    assert replies.hear(9_000_000, 0, leap, 0, leap) == [
        None,
        "lifetime_fell",
        "lifetime_leap",
        "lifetime_fell",
        "lifetime_leap",
    ]
    assert replies.counter.joules == 9_000_000


def test_believed_reply_between_two_falls_starts_the_count_anew() -> None:
    replies = Replies()
    replies.hear(9_000_000, 0, 0, 9_000_000, 0, 0)
    assert replies.counter.believed_joules == 9_000_000


def test_most_that_the_channels_can_make_is_believed() -> None:
    replies = Replies()
    assert replies.hear(1_000_000, 1_000_000 + MOST) == [None, None]


def test_more_than_the_channels_can_make_is_a_leap_that_only_moves_the_base() -> None:
    replies = Replies()
    leap = 1_000_000 + 100 * MOST
    assert replies.hear(1_000_000, leap, leap, leap) == [
        None,
        "lifetime_leap",
        "lifetime_leap",
        None,
    ]
    assert (replies.counter.joules, replies.counter.believed_joules) == (1_000_000, leap)


def test_zero_at_first_contact_is_withheld_until_three_replies_agree() -> None:
    replies = Replies()
    assert replies.hear(0, 0) == [None, None]
    assert replies.counter.joules is None
    replies.hear(0)
    assert replies.counter.joules == 0


def test_value_after_a_first_zero_is_taken_at_once() -> None:
    replies = Replies()
    replies.hear(0, 5_000_000)
    assert replies.counter.joules == 5_000_000


@given(st.lists(st.integers(0, 2**32 - 1).map(lambda tenths: tenths * 360_000), max_size=60))
def test_counter_never_falls_whatever_is_said(reported: list[int]) -> None:
    replies = Replies()
    published = 0
    for joules in reported:
        replies.hear(joules)
        assert (replies.counter.joules or 0) >= published
        published = replies.counter.joules or 0


@given(
    st.lists(st.integers(0, MOST // 2 // 360_000), max_size=40),
    st.sets(st.integers(0, 39)),
)
def test_single_glitches_lose_and_add_nothing(rises: list[int], glitches: set[int]) -> None:
    replies = Replies()
    true = 50_000 * 360_000
    replies.hear(true)
    for index, rise in enumerate(rises):
        true += rise * 360_000
        if index in glitches:
            replies.hear(0)
        replies.hear(true)
    assert replies.counter.joules == true
