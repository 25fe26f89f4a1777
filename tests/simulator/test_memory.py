"""What the simulated ECU remembers, against bytes written by hand and against its own plant."""

import time as time_
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from aps_exporter.clock import ScaledClock
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode, decode_reply
from aps_exporter.ecu.queries import EnergyOfPeriodQuery, InfoQuery, Period, PowerOfDayQuery, Query
from aps_exporter.errors import EcuStatusError, EcuUnreachableError
from aps_exporter.readings import EnergyOfPeriod, PowerOfDay
from aps_exporter.simulator.ecu import EcuModel, SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.memory import Memory
from aps_exporter.simulator.plant import Plant, plant_inverters
from aps_exporter.simulator.running import running_ecu_server
from tests.simulator.asking import WatchedEcu, info_of
from tests.virtual_time import in_virtual_time

ECU = "216200000001"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
TODAY = date(2026, 6, 2)
NEWEST = datetime(2026, 6, 2, 4, 55, tzinfo=UTC)  # 06:55 in Amsterdam


class FewRounds(Plant):
    """A plant that makes something in a few rounds only, and `otherwise` in all others."""

    def __init__(self, watts: Mapping[str, int], otherwise: int = 0) -> None:
        super().__init__((), installed_on=TODAY)
        self._watts = {datetime.fromisoformat(at): power for at, power in watts.items()}
        self._otherwise = otherwise

    def power_watts(self, at: datetime) -> int:
        return self._watts.get(at, self._otherwise)


def _memory(
    watts: Mapping[str, int] | None = None,
    *,
    otherwise: int = 0,
    wide: bool = False,
    newest: datetime = NEWEST,
    zone: ZoneInfo | None = AMSTERDAM,
) -> Memory:
    """Sun time is UTC."""
    plant = FewRounds(watts or {}, otherwise)
    return Memory(plant, newest, timedelta(), zone, wide_energies=wide)


def _raw_day(memory: Memory, day: date = TODAY) -> bytes:
    return memory.reply_to(PowerOfDayQuery(ECU, day).request) or b""


def _day(answers: Memory | SimulatedEcu, day: date = TODAY) -> Mapping[time, int]:
    reading = decode(answers.reply_to(PowerOfDayQuery(ECU, day).request) or b"")
    assert isinstance(reading, PowerOfDay)
    return reading.power_watts


def _period(answers: Memory | SimulatedEcu, period: Period) -> Mapping[date, int]:
    reading = decode(answers.reply_to(EnergyOfPeriodQuery(ECU, period).request) or b"")
    assert isinstance(reading, EnergyOfPeriod)
    assert reading.period == period
    return reading.energy_joules


TWO_DAYS = {
    "2026-06-01 21:55": 359,  # the last round of the first of June in Amsterdam: 107,700 J
    "2026-06-01 22:00": 2_570,
    "2026-06-02 04:50": 3,
    "2026-06-02 04:55": 60_000,  # with it, the second of June has 18,771,900 J
    "2026-06-02 05:00": 9,  # does not show yet
}


def test_power_of_day_on_the_wire() -> None:
    assert _raw_day(_memory(TWO_DAYS)) == (
        b"APS1100300003"
        b"00"
        b"\x00\x00\x0a\x0a"  # 00:00, 2570 W
        b"\x06\x50\x00\x03"  # 06:50, 3 W
        b"\x06\x55\xea\x60"  # 06:55, 60,000 W
        b"END\n"
    )


def test_week_in_two_bytes_on_the_wire() -> None:
    raw = _memory(TWO_DAYS).reply_to(b"APS1100390004216200000001END00END\n")
    assert (
        raw
        == b"APS1100620004"
        + b"00"
        + b"00"
        + bytes.fromhex(
            "20260527 0000"
            "20260528 0000"
            "20260529 0000"
            "20260530 0000"
            "20260531 0000"
            "20260601 0002"  # 2.99 is cut off
            "20260602 0209"  # 521.44
        )
        + b"END\n"
    )


def test_week_in_four_bytes_on_the_wire() -> None:
    raw = _memory(TWO_DAYS, wide=True).reply_to(b"APS1100390004216200000001END00END\n")
    assert (
        raw
        == b"APS1200760004"
        + b"00"
        + b"00"
        + bytes.fromhex(
            "20260527 00000000"
            "20260528 00000000"
            "20260529 00000000"
            "20260530 00000000"
            "20260531 00000000"
            "20260601 00000002"
            "20260602 00000209"
        )
        + b"END\n"
    )


@pytest.mark.parametrize("wide", [False, True])
def test_month_is_the_last_30_days_with_today_so_far(*, wide: bool) -> None:
    days = _period(_memory(TWO_DAYS, wide=wide), "month")
    assert (min(days), max(days), len(days)) == (date(2026, 5, 4), TODAY, 30)
    assert {day: joules for day, joules in days.items() if joules} == {
        date(2026, 6, 1): 72_000,
        date(2026, 6, 2): 18_756_000,
    }


@pytest.mark.parametrize("wide", [False, True])
def test_year_is_twelve_months_dated_on_their_first_day(*, wide: bool) -> None:
    memory = _memory(
        {
            "2025-06-30 21:55": 60_000,  # the month before
            "2025-06-30 22:00": 120,
            "2026-02-28 22:55": 240,  # the last of February in Amsterdam
            "2026-02-28 23:00": 360,
            "2026-03-31 21:55": 120,  # the last of March, in summer time
            "2026-06-02 04:55": 600,
            "2026-06-02 05:00": 60_000,
        },
        wide=wide,
    )
    assert _period(memory, "year") == {
        date(2025, 7, 1): 36_000,
        date(2025, 8, 1): 0,
        date(2025, 9, 1): 0,
        date(2025, 10, 1): 0,
        date(2025, 11, 1): 0,
        date(2025, 12, 1): 0,
        date(2026, 1, 1): 0,
        date(2026, 2, 1): 72_000,
        date(2026, 3, 1): 144_000,
        date(2026, 4, 1): 0,
        date(2026, 5, 1): 0,
        date(2026, 6, 1): 180_000,
    }


@pytest.mark.parametrize("last", [31, 28])
def test_year_of_december_is_its_calendar_year(last: int) -> None:
    memory = _memory(newest=datetime(2026, 12, last, 12, tzinfo=UTC))
    assert [*_period(memory, "year")] == [date(2026, month, 1) for month in range(1, 13)]


def test_values_too_large_for_their_field_are_the_largest() -> None:
    at = {"2026-06-02 04:55": 10_000_000}  # 83,333 times 0.01 kWh
    assert _day(_memory(at)) == {time(6, 55): 65_535}
    assert _period(_memory(at), "week")[TODAY] == 65_535 * 36_000
    assert _period(_memory(at, wide=True), "week")[TODAY] == 83_333 * 36_000


@pytest.mark.parametrize("day", ["2026-06-03", "2027-01-01", "9999-12-31"])
def test_future_day_is_just_end(day: str) -> None:
    assert _raw_day(_memory(otherwise=120), date.fromisoformat(day)) == b"APS1100160003END\n"


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31"])
def test_day_before_any_ecu_is_just_end(day: str) -> None:
    assert _raw_day(_memory(otherwise=120), date.fromisoformat(day)) == b"APS1100160003END\n"


def test_day_without_power_is_just_end() -> None:
    assert _raw_day(_memory(TWO_DAYS), date(2026, 5, 31)) == b"APS1100160003END\n"


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2025-10-26", 25)]
)
@pytest.mark.parametrize("wide", [False, True])
def test_local_day_has_as_many_rounds_as_hours(day: str, hours: int, *, wide: bool) -> None:
    on = date.fromisoformat(day)
    newest = datetime(on.year, on.month, on.day, 23, 55, tzinfo=UTC)  # well into the next day
    memory = _memory(otherwise=120, newest=newest, wide=wide)  # 36,000 J in each round
    assert len(_raw_day(memory, on)) == 13 + 2 + hours * 12 * 4 + 4
    assert _period(memory, "week")[on] == hours * 12 * 36_000


def test_hour_left_out_in_spring_has_no_minutes() -> None:
    powers = _day(_memory(otherwise=120), date(2026, 3, 29))
    minutes = [*powers]
    assert minutes.index(time(3, 0)) == minutes.index(time(1, 55)) + 1
    assert (minutes[0], minutes[-1], len(minutes)) == (time(0, 0), time(23, 55), 276)


def test_hour_shown_twice_in_autumn_is_listed_twice() -> None:
    raw = _raw_day(_memory(otherwise=1), date(2025, 10, 26))
    minutes = [raw[at : at + 2].hex() for at in range(15, len(raw) - 4, 4)]
    assert minutes.count("0155") == minutes.count("0300") == 1
    assert minutes.count("0200") == minutes.count("0255") == 2
    backwards = [pair for pair in pairwise(minutes) if pair[1] <= pair[0]]
    assert backwards == [("0255", "0200")]


def test_sun_time_chooses_the_power_and_the_clock_of_the_ecu_the_minute() -> None:
    ahead = timedelta(hours=6, minutes=5)
    memory = replace(_memory({"2026-06-02 11:00": 1_200}), sun_ahead=ahead)
    assert _day(memory) == {time(6, 55): 1_200}
    assert _period(memory, "week")[TODAY] == 360_000


@pytest.fixture
def host_in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time_.tzset()
        yield
    time_.tzset()


@pytest.mark.usefixtures("host_in_kolkata")
def test_ecu_without_a_zone_has_that_of_the_host() -> None:
    memory = _memory({"2026-06-01 18:25": 120, "2026-06-01 18:30": 240}, zone=None)
    assert _day(memory, date(2026, 6, 1)) == {time(23, 55): 120}
    assert _day(memory, date(2026, 6, 2)) == {time(0, 0): 240}
    assert _period(memory, "week")[date(2026, 6, 1)] == 36_000
    assert _period(memory, "week")[date(2026, 6, 2)] == 72_000


def test_round_is_remembered_as_soon_as_it_shows() -> None:
    ecu = WatchedEcu(start=datetime(2026, 6, 2, 10, 4, 59, tzinfo=UTC))
    before = _day(ecu)
    assert max(before) == time(12, 0)
    ecu.pass_time(timedelta(seconds=1))
    assert _day(ecu) == {**before, time(12, 5): ecu.plant.power_watts(ecu.newest_round)}


def test_round_that_is_late_is_not_remembered_before_it_shows() -> None:
    ecu = WatchedEcu(faults=["late-rounds"], start=datetime(2026, 6, 2, 10, 0, tzinfo=UTC))
    ecu.pass_time(timedelta(minutes=30, seconds=1))
    hidden = max(_day(ecu))
    assert hidden == time(12, 25)
    ecu.pass_time(timedelta(seconds=240))
    assert max(_day(ecu)) == time(12, 30)


@pytest.mark.parametrize("day", [date(2026, 6, 2), date(2026, 6, 1), date(2026, 5, 6)])
@pytest.mark.parametrize("sun", [None, time(20, 15)])
def test_power_energy_and_plant_agree_also_before_the_start(sun: time | None, day: date) -> None:
    start = datetime(2026, 6, 2, 17, 31, tzinfo=UTC)
    ecu = WatchedEcu("qs1:2,yc1000:1", sun=sun, start=start)
    powers = _day(ecu, day)
    assert len(powers) > 100
    joules = 300 * sum(powers.values())
    assert _period(ecu, "month")[day] == joules - joules % 36_000
    ahead = ecu.newest_round - datetime(2026, 6, 2, 19, 30)  # noqa: DTZ001 - sun time has no zone
    assert powers == {
        at.time(): watts
        for at in (datetime.combine(day, time()) + timedelta(minutes=5 * n) for n in range(288))
        if at + ahead <= ecu.newest_round and (watts := ecu.plant.power_watts(at + ahead))
    }


def test_memory_agrees_with_the_info_reply() -> None:
    ecu = WatchedEcu(sun=None, start=datetime(2026, 6, 2, 13, 31, tzinfo=UTC))
    info = info_of(ecu)
    assert _day(ecu)[time(15, 30)] == info.power_watts
    assert _period(ecu, "week")[TODAY] == info.today_energy_joules


def test_month_of_the_year_is_the_sum_of_its_days() -> None:
    ecu = WatchedEcu(start=datetime(2026, 6, 30, 20, 0, tzinfo=UTC))
    june = sum(sum(_day(ecu, date(2026, 6, day)).values()) for day in range(1, 31)) * 300
    assert _period(ecu, "year")[date(2026, 6, 1)] == june - june % 36_000


@pytest.mark.parametrize(
    ("model", "group", "width"), [("ecu-r", b"11", 6), ("ecu-r-pro", b"12", 8)]
)
def test_model_chooses_the_width_of_energies(model: EcuModel, group: bytes, width: int) -> None:
    clock = ScaledClock(1, NEWEST, ticks=lambda: 0.0)
    ecu = SimulatedEcu(plant_inverters("ds3:1"), clock, model=model)
    raw = ecu.reply_to(EnergyOfPeriodQuery(ecu.ecu, "month").request) or b""
    assert (raw[3:5], len(raw)) == (group, 13 + 4 + 30 * width + 4)


@pytest.mark.parametrize(
    "query",
    [PowerOfDayQuery("216099999999", TODAY), EnergyOfPeriodQuery("216099999999", "week")],
    ids=["power", "energy"],
)
def test_wrong_id_is_answered_with_status_01(
    query: PowerOfDayQuery | EnergyOfPeriodQuery,
) -> None:
    with pytest.raises(EcuStatusError) as caught:
        decode(WatchedEcu().reply_to(query.request) or b"")
    assert (caught.value.command, caught.value.status) == (query.command, "01")


@pytest.mark.parametrize(
    "argument",
    [
        *("0003216200000001END20260231END\n", "0003216200000001END20261301END\n"),
        *("0003216200000001END00000101END\n", "0003216200000001END2026060END\n"),
        *("0003216200000001END202606012END\n", "0003216200000001END2026W231END\n"),
        *("0003216200000001END\n", "0003216200000001", "0003216200000001END20260601\n"),
        *("0004216200000001END03END\n", "0004216200000001END0END\n", "0004216200000001END\n"),
        *("0004216200000001END000END\n", "0004216200000001ENDxxEND\n", "0004216200000001END00"),
        "0004216200000001END\xb2\xb9END\n",
    ],
)
def test_day_or_period_that_is_none_gets_no_answer(argument: str) -> None:
    assert WatchedEcu().reply_to(b"APS110039" + argument.encode("latin-1")) is None


@in_virtual_time
async def test_history_over_a_socket() -> None:
    ecu = WatchedEcu()
    async with running_ecu_server(EcuServer(ecu, ecu.faults), "127.0.0.1", 0) as port:
        client = EcuClient("127.0.0.1", port, timeout=10)
        power = decode_reply(await client.ask(PowerOfDayQuery(ECU, date(2026, 5, 31))))
        energy = decode_reply(await client.ask(EnergyOfPeriodQuery(ECU, "week")))
    assert isinstance(power, PowerOfDay)
    assert isinstance(energy, EnergyOfPeriod)
    joules = 300 * sum(power.power_watts.values())
    assert energy.energy_joules[date(2026, 5, 31)] == joules - joules % 36_000 > 0


QUERIES = (InfoQuery(), PowerOfDayQuery(ECU, TODAY), EnergyOfPeriodQuery(ECU, "year"))


@pytest.mark.parametrize(
    ("fault", "asked", "unanswered"),
    [("no-history", QUERIES[:1], QUERIES[1:]), ("no-energy-lists", QUERIES[:2], QUERIES[2:])],
)
def test_fault_hangs_up_on_its_queries_and_no_others(
    fault: Fault, asked: tuple[Query, ...], unanswered: tuple[Query, ...]
) -> None:
    @in_virtual_time
    async def check() -> None:
        ecu = WatchedEcu(faults=[fault])
        async with running_ecu_server(EcuServer(ecu, ecu.faults), "127.0.0.1", 0) as port:
            client = EcuClient("127.0.0.1", port, timeout=10)
            for query in asked:
                assert (await client.ask(query)).command == query.command
            for query in unanswered:
                with pytest.raises(EcuUnreachableError) as caught:
                    await client.ask(query)
                assert (caught.value.reason, caught.value.received) == ("closed", b"")

    check()
