from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aps_exporter.energy import MOST_CHANNELS_REMEMBERED, EnergyAccount

ROUND = 300.0
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CHANNEL = ("704000000001", 1)


def _at(rounds: float) -> datetime:
    return NOON + timedelta(seconds=rounds * ROUND)


def _integrated(*points: tuple[float, float]) -> float:
    """What is integrated from pairs of round number and watts."""
    account = EnergyAccount()
    for rounds, watts in points:
        account.add_round(_at(rounds), watts, {}, ROUND)
    return account.integrated_joules


def test_first_round_makes_no_energy() -> None:
    assert _integrated((0, 1_000)) == 0


def test_energy_of_two_rounds_is_a_trapezoid() -> None:
    assert _integrated((0, 100), (1, 300)) == 200 * ROUND


def test_one_missed_round_is_bridged() -> None:
    assert _integrated((0, 100), (2, 300)) == 200 * 2 * ROUND


def test_rounds_need_not_be_punctual_to_the_second() -> None:
    assert _integrated((0, 100), (2.05, 100)) == pytest.approx(100 * 2.05 * ROUND)


def test_gap_of_more_than_two_periods_counts_nothing() -> None:
    assert _integrated((0, 100), (3, 100), (4, 100)) == 100 * ROUND


def test_long_rounds_are_no_gaps_once_their_period_is_known() -> None:
    account = EnergyAccount()
    account.add_round(_at(0), 100, {}, 660)
    account.add_round(_at(4), 100, {}, 660)
    assert account.integrated_joules == 100 * 4 * ROUND


def test_round_that_comes_again_adds_nothing() -> None:
    assert _integrated((0, 100), (1, 100), (1, 100)) == 100 * ROUND


def test_clock_that_is_set_back_takes_nothing_away() -> None:
    assert _integrated((0, 100), (1, 100), (-11, 100), (-10, 100)) == 2 * 100 * ROUND


def test_round_without_power_of_the_ecu_is_a_gap() -> None:
    account = EnergyAccount()
    account.add_round(_at(0), 100, {}, ROUND)
    account.add_round(_at(1), None, {}, ROUND)
    account.add_round(_at(2), 100, {}, ROUND)
    assert account.integrated_joules == 2 * 100 * ROUND


def test_channels_are_integrated_apart_from_the_ecu_and_from_each_other() -> None:
    account = EnergyAccount()
    other = ("704000000001", 2)
    for rounds in (0, 1):
        account.add_round(_at(rounds), None, {CHANNEL: 50, other: 70}, ROUND)
    account.add_round(_at(2), None, {other: 70}, ROUND)
    assert account.integrated_joules == 0
    assert account.channel_joules(CHANNEL) == 50 * ROUND
    assert account.channel_joules(other) == 2 * 70 * ROUND


def test_channel_that_never_worked_has_made_nothing() -> None:
    assert EnergyAccount().channel_joules(CHANNEL) == 0


def test_account_goes_on_from_what_it_remembers() -> None:
    account = EnergyAccount()
    for rounds in (0, 1):
        account.add_round(_at(rounds), 100, {CHANNEL: 50}, ROUND)
    resumed = EnergyAccount(account.memory)
    resumed.add_round(_at(2), 100, {CHANNEL: 50}, ROUND)
    assert resumed.integrated_joules == 2 * 100 * ROUND
    assert resumed.channel_joules(CHANNEL) == 2 * 50 * ROUND


def test_peer_that_makes_up_channels_does_not_fill_the_memory() -> None:
    account = EnergyAccount()
    for batch in range(3):
        made_up = {(f"{batch:04}{number:08}", 1): 5.0 for number in range(4_400)}
        account.add_round(_at(batch), 100, made_up, ROUND)
    assert len(account.memory.channels) <= MOST_CHANNELS_REMEMBERED
    assert account.channel_joules(("000200000000", 1)) == 0


@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e5)),
        max_size=30,
    )
)
def test_integrated_energy_never_falls(points: list[tuple[float, float]]) -> None:
    account = EnergyAccount()
    before = 0.0
    for rounds, watts in points:
        account.add_round(_at(rounds), watts, {}, ROUND)
        assert account.integrated_joules >= before
        before = account.integrated_joules


class Days:
    """An account that hears replies at local times of a plant in UTC."""

    def __init__(self) -> None:
        self.account = EnergyAccount()

    def hear(self, when: str, lifetime: int | None, watts: float = 0) -> None:
        at = datetime.fromisoformat(when).replace(tzinfo=UTC)
        self.account.reach(
            at.date(), at, lifetime_joules=lifetime, watts=watts, round_seconds=ROUND
        )

    def joules(self, day: str) -> float | None:
        return self.account.day_joules(date.fromisoformat(day))


def test_first_partial_day_has_no_energy_of_the_day() -> None:
    days = Days()
    assert days.joules("2026-06-01") is None
    days.hear("2026-06-01T14:00", 1_000, watts=500)
    days.hear("2026-06-01T14:05", 2_000, watts=500)
    assert days.joules("2026-06-01") is None


def test_day_seen_from_its_midnight_is_what_the_lifetime_counter_rose() -> None:
    days = Days()
    days.hear("2026-06-01T23:58", 5_000)
    days.hear("2026-06-02T00:03", 5_000)
    days.hear("2026-06-02T12:00", 8_000, watts=700)
    assert days.joules("2026-06-02") == 3_000


def test_day_starts_at_nothing_at_midnight_even_if_no_reply_has_come_yet() -> None:
    days = Days()
    days.hear("2026-06-01T23:58", 5_000)
    days.hear("2026-06-02T00:03", 5_000)
    days.hear("2026-06-02T23:58", 9_000)
    assert days.joules("2026-06-03") == 0


def test_energy_made_just_before_midnight_is_not_the_next_days() -> None:
    days = Days()
    days.hear("2026-06-01T23:58", 5_000, watts=10)  # where the sun does not set
    days.hear("2026-06-02T00:03", 5_300, watts=10)
    days.hear("2026-06-02T00:08", 5_600, watts=10)
    assert days.joules("2026-06-02") == 600


def test_frozen_lifetime_gives_way_to_integrated_energy() -> None:
    days = Days()
    days.hear("2026-06-01T23:58", 0)
    days.hear("2026-06-02T00:03", 0)
    days.account.add_round(_at(0), 100, {}, ROUND)
    days.account.add_round(_at(1), 100, {}, ROUND)
    days.hear("2026-06-02T12:00", 0, watts=100)
    assert days.joules("2026-06-02") == 100 * ROUND


def test_day_without_lifetime_energy_is_the_integrated_one() -> None:
    days = Days()
    days.hear("2026-06-01T23:58", None)
    days.hear("2026-06-02T00:03", None)
    days.account.add_round(_at(0), 100, {}, ROUND)
    days.account.add_round(_at(1), 100, {}, ROUND)
    days.hear("2026-06-02T12:00", 4_000_000, watts=100)  # believed from now on
    assert days.joules("2026-06-02") == 100 * ROUND


def test_exporter_that_slept_through_a_dark_midnight_knows_the_day() -> None:
    days = Days()
    days.hear("2026-06-01T22:30", 5_000)
    days.hear("2026-06-02T05:00", 5_000)
    days.hear("2026-06-02T12:00", 8_000, watts=700)
    assert days.joules("2026-06-02") == 3_000


@pytest.mark.parametrize(
    ("last", "first"),
    [
        (("2026-06-01T15:00", 5_000, 800.0), ("2026-06-02T09:00", 7_000, 600.0)),
        (("2026-06-01T22:00", 5_000, 0.0), ("2026-06-02T06:30", 5_360, 0.0)),
        (("2026-06-01T22:00", 0, 0.0), ("2026-06-02T23:00", 0, 0.0)),  # lifetime is frozen
        (("2026-06-01T22:00", 0, 0.0), ("2026-06-02T09:00", 0, 600.0)),
        (("2026-06-01T15:00", 0, 600.0), ("2026-06-02T05:00", 0, 0.0)),
    ],
    ids=["by day", "something was made", "a day between", "in the morning", "since the afternoon"],
)
def test_day_is_not_known_if_something_may_have_been_made_around_midnight(
    last: tuple[str, int, float], first: tuple[str, int, float]
) -> None:
    days = Days()
    days.hear(*last)
    days.hear(*first)
    assert days.joules("2026-06-02") is None


def test_day_after_an_unknown_one_is_known_again() -> None:
    days = Days()
    days.hear("2026-06-01T15:00", 5_000, watts=800)
    days.hear("2026-06-02T09:00", 7_000, watts=600)
    days.hear("2026-06-02T23:58", 9_000)
    days.hear("2026-06-03T00:02", 9_000)
    days.hear("2026-06-03T10:00", 9_500)
    assert days.joules("2026-06-03") == 500


@pytest.mark.parametrize("ahead", ["2027-06-02T12:00", "2026-06-03T11:30"])
def test_clock_that_was_ahead_costs_no_more_than_the_day(ahead: str) -> None:
    days = Days()
    days.hear("2026-06-01T23:58", 5_000)
    days.hear("2026-06-02T00:03", 5_000)
    days.hear("2026-06-02T21:00", 6_000)
    days.hear(ahead, 6_000)
    days.hear("2026-06-02T21:10", 6_000)
    assert days.joules("2026-06-02") is None
    days.hear("2026-06-02T23:58", 6_000)
    days.hear("2026-06-03T00:03", 6_000)
    days.hear("2026-06-03T12:00", 9_000, watts=700)
    assert days.joules("2026-06-03") == 3_000


def test_day_that_is_over_has_no_sum_any_more() -> None:
    days = Days()
    days.hear("2026-06-01T23:58", 5_000)
    days.hear("2026-06-02T00:03", 5_000)
    assert days.joules("2026-06-01") is None


def test_day_survives_a_restart() -> None:
    days = Days()
    days.hear("2026-06-01T23:58", 5_000)
    days.hear("2026-06-02T00:03", 5_000)
    days.account = EnergyAccount(days.account.memory)
    days.hear("2026-06-02T12:00", 8_000, watts=700)
    assert days.joules("2026-06-02") == 3_000
