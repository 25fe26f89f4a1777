from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aps_exporter.beliefs import EcuBeliefs
from aps_exporter.readings import (
    ChannelReading,
    EcuReading,
    InverterReading,
    PhaseReading,
    RoundReading,
    SignalReading,
    Snapshot,
)

ECU = "216200000001"
SERIAL = "704000000001"
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ROUND = 300.0


class Ecu:
    """Beliefs that hear a reply whenever a test says so; a round is 300 s."""

    def __init__(self, *, inverters: int = 8, online: int = 8) -> None:
        self.beliefs = EcuBeliefs("roof", ECU, None, stale_after=900)
        self.at = 0.0
        self.info(inverters=inverters, online=online)

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.at)

    def info(
        self,
        *,
        lifetime: int = 3_600_000_000,
        today: int = 7_200_000,
        inverters: int = 8,
        online: int = 8,
    ) -> None:
        reading = EcuReading(ECU, lifetime, 1_000, today, inverters, online, timezone="Etc/UTC")
        self.beliefs.hear_info(reading, self.at, self.now, ROUND)

    def round(
        self, *rows: InverterReading, unknown: dict[str, int] | None = None, new: bool = True
    ) -> None:
        reading = RoundReading(self.now.replace(tzinfo=None), rows, unknown or {})
        self.beliefs.hear_round(reading, self.at, self.now, ROUND, new=new)

    def snapshot(self) -> Snapshot:
        snapshot = self.beliefs.snapshot(self.at, self.now, ROUND)
        assert snapshot is not None
        return snapshot

    def inverter(self) -> InverterReading:
        (inverter,) = self.snapshot().inverters
        return inverter

    def rejected(self) -> dict[str, int]:
        return dict(self.snapshot().rejected_values)


def _row(
    *,
    hertz: float = 50.0,
    celsius: float = 20,
    volts: Sequence[float] = (230,),
    watts: Sequence[float] = (100, 110),
) -> InverterReading:
    phases = ("1",) if len(volts) == 1 else ("1", "2", "3")
    return InverterReading(
        SERIAL,
        "01",
        "DS3",
        online=True,
        frequency_hertz=hertz,
        temperature_celsius=celsius,
        phases=tuple(PhaseReading(p, v) for p, v in zip(phases, volts, strict=True)),
        channels=tuple(ChannelReading(c, w) for c, w in enumerate(watts, start=1)),
    )


def _offline() -> InverterReading:
    return InverterReading(
        SERIAL,
        "01",
        "DS3",
        online=False,
        phases=(PhaseReading("1", None),),
        channels=(ChannelReading(1, None), ChannelReading(2, None)),
    )


@pytest.fixture
def ecu() -> Ecu:
    return Ecu()


def test_nothing_is_known_before_the_first_info() -> None:
    beliefs = EcuBeliefs("roof", ECU, None, stale_after=900)
    assert beliefs.snapshot(0, NOON, ROUND) is None


def test_good_values_are_believed(ecu: Ecu) -> None:
    ecu.round(_row())
    assert ecu.inverter() == _row()


def test_zero_glitch_keeps_registered_and_today_of_before(ecu: Ecu) -> None:
    ecu.at += ROUND
    ecu.info(inverters=0, today=0)
    info = ecu.snapshot().info
    assert (info.inverters, info.today_energy_joules, info.inverters_online) == (8, 7_200_000, 8)
    assert ecu.rejected() == {"registered_zero": 1, "today_zero": 1}


def test_zero_glitch_that_stays_ages_out(ecu: Ecu) -> None:
    for _ in range(4):
        ecu.at += ROUND
        ecu.info(inverters=0, today=0)
    info = ecu.snapshot().info
    assert (info.inverters, info.today_energy_joules) == (None, None)
    assert info.power_watts == 1_000


def test_alternating_zero_glitches_are_counted_exactly(ecu: Ecu) -> None:
    for _ in range(1_000):
        ecu.at += ROUND
        ecu.info(inverters=0, today=0)
        ecu.at += ROUND
        ecu.info()
        assert ecu.snapshot().info.inverters == 8
    assert ecu.rejected() == {"registered_zero": 1_000, "today_zero": 1_000}


def test_no_inverter_registered_and_none_online_is_believed(ecu: Ecu) -> None:
    ecu.info(inverters=0, online=0, today=0)
    info = ecu.snapshot().info
    assert (info.inverters, info.today_energy_joules) == (0, 0)


def test_literal_lifetime_stands_beside_the_believed_one(ecu: Ecu) -> None:
    ecu.at += ROUND
    ecu.info(lifetime=0)
    snapshot = ecu.snapshot()
    assert snapshot.reported_lifetime_energy_joules == 0
    assert snapshot.lifetime_energy_joules == 3_600_000_000
    assert snapshot.info.lifetime_energy_joules == 3_600_000_000
    assert ecu.rejected() == {"lifetime_fell": 1}


@pytest.mark.parametrize(("registered", "channels"), [(1, 2), (2, 6), (20, 78)])
def test_leap_is_judged_by_the_channels_that_are_known_and_four_for_each_inverter_that_is_not(
    ecu: Ecu, registered: int, channels: int
) -> None:
    ecu.info(inverters=registered)
    ecu.round(_row())
    ecu.at += ROUND
    most = channels * 1_000 * 600
    ecu.info(lifetime=3_600_000_000 + most, inverters=registered)
    assert ecu.rejected() == {}
    ecu.at += ROUND
    ecu.info(lifetime=3_600_000_000 + 2 * most + 360_000, inverters=registered)
    assert ecu.rejected() == {"lifetime_leap": 1}


def test_rise_is_believed_while_nothing_is_known_of_the_inverters() -> None:
    ecu = Ecu(inverters=0, online=0)
    ecu.at += ROUND
    ecu.info(lifetime=7_200_000_000, inverters=0, online=0)
    assert ecu.snapshot().lifetime_energy_joules == 7_200_000_000


@pytest.mark.parametrize(
    ("bad", "reason", "kept"),
    [
        (_row(hertz=65.0), "frequency", "frequency_hertz"),
        (_row(celsius=-100), "temperature", "temperature_celsius"),
        (_row(volts=[5]), "voltage", "phases"),
        (_row(watts=[62_405, 110]), "channel_power", "channels"),
    ],
    ids=["frequency", "temperature", "voltage", "channel_power"],
)
def test_value_out_of_range_is_counted_and_the_last_good_one_stays(
    ecu: Ecu, bad: InverterReading, reason: str, kept: str
) -> None:
    ecu.round(_row())
    ecu.at += ROUND
    ecu.round(bad)
    assert getattr(ecu.inverter(), kept) == getattr(_row(), kept)
    assert ecu.rejected() == {reason: 1}


def test_value_never_good_is_absent_and_so_is_the_sum_it_belongs_to(ecu: Ecu) -> None:
    ecu.round(_row(watts=[62_405, 110]))
    inverter = ecu.inverter()
    assert [channel.power_watts for channel in inverter.channels] == [None, 110]
    assert inverter.power_watts is None


def test_last_good_value_ages_by_its_own_round(ecu: Ecu) -> None:
    ecu.round(_row())
    for _ in range(4):
        ecu.at += ROUND
        ecu.round(_row(celsius=200))
    inverter = ecu.inverter()
    assert (inverter.temperature_celsius, inverter.frequency_hertz) == (None, 50.0)


def test_one_bad_phase_does_not_touch_the_others(ecu: Ecu) -> None:
    ecu.round(_row(volts=[230, 900, 231]))
    assert [phase.voltage_volts for phase in ecu.inverter().phases] == [230, None, 231]


def test_waking_row_after_a_night_brings_nothing_back_from_before(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.at += ROUND
    ecu.round(_offline())
    ecu.at += ROUND
    ecu.round(_row(hertz=65.0, volts=[5]))
    inverter = ecu.inverter()
    assert inverter.frequency_hertz is None
    assert [phase.voltage_volts for phase in inverter.phases] == [None]
    assert ecu.rejected() == {"frequency": 1, "voltage": 1}


def test_offline_inverter_measures_nothing_and_keeps_its_channels(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.at += ROUND
    ecu.round(_offline())
    inverter = ecu.inverter()
    assert (inverter.online, inverter.power_watts) == (False, None)
    assert [channel.channel for channel in inverter.channels] == [1, 2]


def test_same_round_again_is_not_judged_again(ecu: Ecu) -> None:
    ecu.round(_row(hertz=65.0))
    ecu.round(_row(hertz=65.0), new=False)
    assert ecu.rejected() == {"frequency": 1}


def test_last_seen_is_the_newest_round_in_which_it_was_online(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.at += ROUND
    ecu.round(_offline())
    assert ecu.snapshot().last_seen == {SERIAL: NOON}


def test_empty_list_keeps_the_rows_until_they_age_out(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.at += ROUND
    ecu.round()
    assert ecu.inverter() == _row()
    assert ecu.rejected() == {"empty_list": 1}
    ecu.at += 901
    assert ecu.inverter().online is None


def test_inverter_that_left_the_list_is_gone(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.at += ROUND
    ecu.round(InverterReading("704000000002", "00", None, online=False))
    assert [inverter.inverter for inverter in ecu.snapshot().inverters] == ["704000000002"]


def test_signal_of_an_offline_inverter_is_absent(ecu: Ecu) -> None:
    ecu.round(_offline())
    ecu.beliefs.hear_signal(SignalReading({SERIAL: 0.8}), ecu.at)
    assert ecu.snapshot().signal == {}


def test_signal_of_an_online_inverter_is_known_until_it_ages_out(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.beliefs.hear_signal(SignalReading({SERIAL: 0.8, "704000000009": 0.5}), ecu.at)
    assert ecu.snapshot().signal == {SERIAL: 0.8}
    ecu.at += 600
    ecu.round(_row())
    ecu.at += 301
    assert ecu.snapshot().signal is None


def test_signal_ages_by_itself_and_not_with_the_rows(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.at += 901
    ecu.info()
    ecu.beliefs.hear_signal(SignalReading({SERIAL: 0.8}), ecu.at)
    assert ecu.inverter().online is None
    assert ecu.snapshot().signal == {SERIAL: 0.8}


def test_signal_of_an_inverter_last_heard_offline_stays_absent(ecu: Ecu) -> None:
    ecu.round(_offline())
    ecu.at += 901
    ecu.info()
    ecu.beliefs.hear_signal(SignalReading({SERIAL: 0.8}), ecu.at)
    assert ecu.snapshot().signal == {}


def test_signal_is_absent_when_rows_are_old_and_the_ecu_counts_nobody_online(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.at += 901
    ecu.info(online=0)
    ecu.beliefs.hear_signal(SignalReading({SERIAL: 0.8}), ecu.at)
    assert ecu.snapshot().signal == {}


def test_signal_that_was_never_told_is_not_an_empty_one(ecu: Ecu) -> None:
    ecu.round(_row())
    assert ecu.snapshot().signal is None


def test_serials_without_end_are_not_remembered_without_end(ecu: Ecu) -> None:
    for number in range(0, 6_000, 500):
        ecu.at += ROUND
        ecu.round(*(replace(_row(), inverter=f"{number + n:012}") for n in range(500)))
    assert len(ecu.snapshot().last_seen) == 500
    assert len(ecu.beliefs._last_seen) <= 2_500  # noqa: SLF001 - memory has no public face


def test_rows_of_the_newest_round_that_nobody_can_read_are_told(ecu: Ecu) -> None:
    ecu.round(_row(), unknown={"07": 2})
    ecu.at += ROUND
    ecu.round(_row(), unknown={"07": 1})
    snapshot = ecu.snapshot()
    assert (snapshot.unknown_rows, snapshot.unknown_rows_of_round) == ({"07": 3}, 1)


def test_unknown_rows_are_counted_by_eight_type_codes_and_the_rest_as_other(ecu: Ecu) -> None:
    for number in range(10, 20):
        ecu.at += ROUND
        ecu.round(_row(), unknown={str(number): 2})
    unknown = ecu.snapshot().unknown_rows
    assert len(unknown) == 9
    assert (unknown["17"], unknown["other"]) == (2, 4)


def test_round_in_the_future_is_counted(ecu: Ecu) -> None:
    reading = RoundReading(datetime.fromisoformat("2031-01-01T00:00:00"), (_row(),), {})
    ecu.beliefs.hear_round(reading, ecu.at, ecu.now, ROUND, new=True)
    assert ecu.rejected() == {"future_report": 1}


def test_data_age_counts_from_the_newest_round_in_whole_seconds(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.at += 12.9
    ecu.round(_row(), new=False)
    assert ecu.snapshot().data_age_seconds == 12


def test_clock_offset_is_the_round_less_the_moment_it_became_visible(ecu: Ecu) -> None:
    ecu.round(_row())
    ecu.beliefs.reckon_clock_offset(NOON + timedelta(seconds=7))
    assert ecu.snapshot().clock_offset_seconds == -7


def test_glitch_that_still_knows_today_is_not_believed_either() -> None:
    ecu = Ecu()
    ecu.info(inverters=0, online=8, today=36_000)
    assert ecu.snapshot().info.today_energy_joules == 7_200_000
    assert ecu.rejected() == {"registered_zero": 1}


def test_list_of_nothing_but_unknown_rows_is_not_empty() -> None:
    ecu = Ecu()
    ecu.round(unknown={"09": 2})
    assert ecu.rejected() == {}
    assert ecu.snapshot().unknown_rows == {"09": 2}


def test_row_that_says_less_than_others_is_taken_as_it_is() -> None:
    ecu = Ecu()
    phases, channels = (PhaseReading("1", None),), (ChannelReading(1, None),)
    ecu.round(InverterReading(SERIAL, "01", "DS3", online=True, phases=phases, channels=channels))
    inverter = ecu.inverter()
    assert (inverter.online, inverter.power_watts, inverter.phases) == (True, None, phases)
    assert ecu.rejected() == {}


def test_round_that_comes_before_any_info_makes_no_snapshot() -> None:
    beliefs = EcuBeliefs("roof", ECU, None, stale_after=900)
    beliefs.hear_round(RoundReading(NOON.replace(tzinfo=None), (), {}), 0, NOON, ROUND, new=True)
    assert beliefs.snapshot(0, NOON, ROUND) is None


def test_clock_offset_is_not_reckoned_without_a_round() -> None:
    ecu = Ecu()
    ecu.beliefs.reckon_clock_offset(NOON)
    assert ecu.snapshot().clock_offset_seconds is None


def test_power_of_the_ecu_is_integrated_from_round_to_round() -> None:
    ecu = Ecu()
    ecu.round(_row())
    ecu.at = ROUND
    ecu.info()
    ecu.round(_row())
    snapshot = ecu.snapshot()
    assert snapshot.integrated_energy_joules == 1_000 * ROUND
    assert snapshot.channel_energy_joules == {(SERIAL, 1): 100 * ROUND, (SERIAL, 2): 110 * ROUND}


def test_power_of_a_round_before_is_not_integrated_into_a_new_one() -> None:
    ecu = Ecu()
    ecu.round(_row())
    ecu.at = ROUND  # and this time the info query has failed
    ecu.round(_row())
    assert ecu.snapshot().integrated_energy_joules == 0


def test_power_that_is_not_believed_is_a_gap_in_the_energy_of_its_channel() -> None:
    ecu = Ecu()
    ecu.round(_row(watts=(100, 100)))
    ecu.at = ROUND
    ecu.round(_row(watts=(62_405, 100)))
    assert ecu.snapshot().channel_energy_joules == {(SERIAL, 1): 0, (SERIAL, 2): 100 * ROUND}


def test_energy_of_the_day_is_withdrawn_when_the_ecu_falls_silent() -> None:
    ecu = Ecu()
    ecu.at = 12 * 3_600 - 100
    ecu.info(lifetime=3_600_000_000)
    ecu.at = 12 * 3_600 + 100
    ecu.info(lifetime=3_603_600_000)
    assert ecu.snapshot().day_energy_joules == 3_600_000
    ecu.at += 901
    assert ecu.snapshot().day_energy_joules is None


def test_lifetime_that_is_not_said_leaves_the_counter_where_it_is() -> None:
    ecu = Ecu()
    reading = EcuReading(ECU, None, 1_000, 0, 8, 8, timezone="Etc/UTC")
    ecu.beliefs.hear_info(reading, ecu.at, ecu.now, ROUND)
    snapshot = ecu.snapshot()
    assert snapshot.lifetime_energy_joules == 3_600_000_000
    assert snapshot.reported_lifetime_energy_joules is None


def test_power_that_no_plant_can_make_is_not_integrated() -> None:
    ecu = Ecu()
    ecu.round(_row())
    ecu.at = ROUND
    reading = EcuReading(ECU, 3_600_000_000, 2**32 - 1, 0, 8, 8, timezone="Etc/UTC")
    ecu.beliefs.hear_info(reading, ecu.at, ecu.now, ROUND)
    ecu.round(_row())
    assert ecu.snapshot().integrated_energy_joules == 0
