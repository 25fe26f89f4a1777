import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from aps_exporter.round_time import ROUNDS_REMEMBERED, RoundTimes

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(autouse=True)
def host_in_utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def test_configured_zone_goes_before_the_ecus() -> None:
    times = RoundTimes("roof", AMSTERDAM)
    moment = times.moment(_local("2026-06-01T12:00"), "US/Pacific", _utc("2026-06-01T10:02"))
    assert moment == _utc("2026-06-01T10:00")


def test_zone_of_the_ecu_holds_without_a_configured_one() -> None:
    times = RoundTimes("roof", None)
    moment = times.moment(_local("2026-06-01T12:00"), "US/Pacific", _utc("2026-06-01T19:02"))
    assert moment == _utc("2026-06-01T19:00")


@pytest.mark.parametrize("zone", ["Etc/GMT-8", "Mars/Olympus", "../../etc/passwd", "", None])
def test_zone_that_means_nothing_gives_way_to_the_hosts(zone: str | None) -> None:
    times = RoundTimes("roof", None)
    moment = times.moment(_local("2026-06-01T12:00"), zone, _utc("2026-06-01T12:02"))
    assert moment == _utc("2026-06-01T12:00")


@pytest.mark.parametrize(
    ("now", "expected"),
    [("2026-10-25T00:31", "2026-10-25T00:30"), ("2026-10-25T01:31", "2026-10-25T01:30")],
)
def test_hour_that_dst_repeats_is_the_one_nearer_to_now(now: str, expected: str) -> None:
    times = RoundTimes("roof", AMSTERDAM)
    moment = times.moment_of_round(_local("2026-10-25T02:30"), None, _utc(now), awake=True)
    assert moment == _utc(expected)


@pytest.mark.parametrize(
    ("stamp", "now"),
    [
        ("2026-06-01T12:00", "2026-06-01T10:03"),  # Europe in summer, on a host in UTC
        ("2026-06-01T12:00", "2026-06-01T06:33"),  # India
        ("2026-06-01T12:00", "2026-06-01T16:01"),  # New York
        ("2026-06-01T12:00", "2026-06-01T11:59:10"),  # a minute ahead
        ("2026-06-01T12:00", "2026-06-01T12:14"),
    ],
)
def test_new_round_lies_within_a_quarter_of_an_hour_before_now(stamp: str, now: str) -> None:
    times = RoundTimes("roof", None)
    moment = times.moment_of_round(_local(stamp), "Etc/GMT-8", _utc(now), awake=True)
    assert -60 <= (_utc(now) - moment).total_seconds() <= 900
    assert (moment - _utc(stamp)).total_seconds() % 900 == 0


def test_corrected_offset_holds_for_the_night_too() -> None:
    times = RoundTimes("roof", None)
    times.moment_of_round(_local("2026-06-01T12:00"), None, _utc("2026-06-01T10:03"), awake=True)
    moment = times.moment(_local("2026-06-01T22:00"), None, _utc("2026-06-02T02:00"))
    assert moment == _utc("2026-06-01T20:00")


def test_night_stamp_is_never_ahead_of_now() -> None:
    times = RoundTimes("roof", None)
    moment = times.moment_of_round(
        _local("2026-06-01T23:05"), "Etc/GMT-8", _utc("2026-06-01T21:07"), awake=False
    )
    assert moment == _utc("2026-06-01T21:05")


def test_night_stamp_may_be_hours_old() -> None:
    times = RoundTimes("roof", None)
    moment = times.moment_of_round(
        _local("2026-06-01T20:00"), None, _utc("2026-06-02T02:00"), awake=False
    )
    assert moment == _utc("2026-06-01T20:00")


def test_configured_zone_that_does_not_fit_is_what_the_hint_is_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    times = RoundTimes("roof", AMSTERDAM)
    times.moment_of_round(_local("2026-06-01T12:00"), None, _utc("2026-06-01T12:01"), awake=True)
    assert "correct or unset" in caplog.records[0].__dict__["hint"]


def test_correction_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    times = RoundTimes("roof", AMSTERDAM)
    for minute in (0, 5, 10):
        stamp, now = f"2026-06-01T12:{minute:02}", f"2026-06-01T12:{minute:02}:30"
        times.moment_of_round(_local(stamp), None, _utc(now), awake=True)
    (record,) = caplog.records
    assert record.__dict__["zone"] == "Europe/Amsterdam"
    assert record.__dict__["utc_offset"] == "+00:00"


def test_clock_a_little_ahead_that_fits_now_and_then_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    times = RoundTimes("roof", AMSTERDAM)
    for minute, seen in ((0, "09:59:30"), (5, "10:03:30"), (10, "10:09:30"), (15, "10:13:30")):
        now = _utc(f"2026-06-01T{seen}")
        times.moment_of_round(_local(f"2026-06-01T12:{minute:02}"), None, now, awake=True)
    (record,) = caplog.records
    assert record.__dict__["utc_offset"] == "+02:15"


def test_negative_offset_is_written_as_people_do(caplog: pytest.LogCaptureFixture) -> None:
    times = RoundTimes("roof", None)
    times.moment_of_round(_local("2026-06-01T12:00"), None, _utc("2026-06-01T15:32"), awake=True)
    (record,) = caplog.records
    assert record.__dict__["utc_offset"] == "-03:30"


def test_stamp_that_fits_again_ends_the_correction() -> None:
    times = RoundTimes("roof", None)
    times.moment_of_round(_local("2026-06-01T12:00"), None, _utc("2026-06-01T10:03"), awake=True)
    moment = times.moment_of_round(
        _local("2026-06-01T10:05"), None, _utc("2026-06-01T10:08"), awake=True
    )
    assert moment == _utc("2026-06-01T10:05")


@pytest.mark.parametrize("stamp", ["2020-11-24T12:05:10", "2031-01-01T00:00:00"])
def test_clock_that_no_zone_explains_is_taken_as_it_stands(stamp: str) -> None:
    times = RoundTimes("roof", None)
    moment = times.moment_of_round(_local(stamp), None, _utc("2026-06-01T10:03"), awake=True)
    assert moment == _utc(stamp)


def test_stamp_that_comes_again_means_the_same_moment_whatever_was_learnt_since() -> None:
    times = RoundTimes("roof", None)
    stamp = _local("2026-06-01T05:30")
    first = times.moment_of_round(stamp, None, _utc("2026-06-01T05:32"), awake=False)
    times.moment_of_round(
        _local("2026-06-01T05:35"), None, _utc("2026-06-01T03:37"), awake=True
    )  # two hours ahead, as is seen now
    again = times.moment_of_round(stamp, None, _utc("2026-06-01T05:40"), awake=True)
    assert first == again == _utc("2026-06-01T05:30")


def test_moment_of_the_newest_round_survives_a_restart_in_another_zone() -> None:
    times = RoundTimes("roof", None)
    stamp = _local("2026-06-01T22:30")
    moment = times.moment_of_round(stamp, None, _utc("2026-06-01T22:32"), awake=False)
    resumed = RoundTimes("roof", AMSTERDAM, times.memory)
    assert resumed.moment_of_round(stamp, None, _utc("2026-06-02T04:00"), awake=False) == moment


def test_correction_survives_a_restart_and_is_not_warned_of_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    times = RoundTimes("roof", None)
    times.moment_of_round(_local("2026-06-01T12:00"), None, _utc("2026-06-01T10:03"), awake=True)
    caplog.clear()
    resumed = RoundTimes("roof", None, times.memory)
    assert resumed.moment(_local("2026-06-01T22:00"), None, _utc("2026-06-02T02:00")) == _utc(
        "2026-06-01T20:00"
    )
    resumed.moment_of_round(_local("2026-06-02T12:00"), None, _utc("2026-06-02T10:03"), awake=True)
    assert not caplog.records


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("zone", "ecu_zone"),
    [(AMSTERDAM, None), (None, "Europe/Amsterdam"), (None, "Etc/GMT-8")],
    ids=["configured", "the ECU's", "none that fits"],
)
def test_each_round_of_the_hour_that_dst_repeats_has_a_moment_of_its_own(
    zone: ZoneInfo | None, ecu_zone: str | None, *, restarts: bool
) -> None:
    times = RoundTimes("roof", zone)
    for index in range(60):  # from 01:30 to 05:30 by the ECU's clock, which shows 02:00 twice
        true = _utc("2026-10-24T23:30") + index * timedelta(minutes=5)
        stamp = true.astimezone(AMSTERDAM).replace(tzinfo=None)
        now = true + timedelta(minutes=2)
        if restarts:
            times = RoundTimes("roof", zone, times.memory)
        assert times.moment_of_round(stamp, ecu_zone, now, awake=True) == true
        assert times.moment_of_round(stamp, ecu_zone, now, awake=True) == true


@pytest.mark.parametrize("restarts", [False, True])
def test_rounds_of_a_night_in_which_an_unknown_zone_ends_dst_are_not_doubled(
    *, restarts: bool
) -> None:
    times = RoundTimes("roof", None)
    for index in range(60):  # only the first inverters are still awake: then the offset is learnt
        true = _utc("2026-10-24T23:30") + index * timedelta(minutes=5)
        stamp = true.astimezone(AMSTERDAM).replace(tzinfo=None)
        now = true + timedelta(minutes=2)
        if restarts:
            times = RoundTimes("roof", None, times.memory)
        assert times.moment_of_round(stamp, "Etc/GMT-8", now, awake=not index) == true
        assert times.moment_of_round(stamp, "Etc/GMT-8", now, awake=not index) == true


def test_old_stamp_of_a_night_that_comes_again_is_not_made_another_round() -> None:
    times = RoundTimes("roof", None)
    for minute in ("20:00", "20:05", "20:00"):
        moment = times.moment_of_round(
            _local(f"2026-06-01T{minute}"), None, _utc("2026-06-02T02:00"), awake=False
        )
        assert moment == _utc(f"2026-06-01T{minute}")


def test_date_is_that_of_the_zone_in_use() -> None:
    now = _utc("2026-06-01T22:30")
    assert RoundTimes("roof", AMSTERDAM).day(None, now) == date(2026, 6, 2)
    assert RoundTimes("roof", None).day("Europe/Amsterdam", now) == date(2026, 6, 2)
    assert RoundTimes("roof", None).day("Etc/GMT-8", now) == date(2026, 6, 1)


def test_date_follows_the_corrected_offset() -> None:
    times = RoundTimes("roof", None)
    times.moment_of_round(_local("2026-06-01T12:00"), None, _utc("2026-06-01T10:03"), awake=True)
    assert times.day(None, _utc("2026-06-01T22:30")) == date(2026, 6, 2)


def test_only_recent_rounds_are_remembered() -> None:
    times = RoundTimes("roof", AMSTERDAM)
    for index in range(200):
        now = _utc("2026-06-01T10:00") + index * timedelta(minutes=5)
        stamp = now.astimezone(AMSTERDAM).replace(tzinfo=None)
        times.moment_of_round(stamp, None, now, awake=True)
    assert len(times.memory.moments) == ROUNDS_REMEMBERED
    assert times.memory.newest == stamp
    assert stamp in times.memory.moments
