"""A back-fill of a simulated ECU, in virtual time."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aps_exporter.backfilling import BackfillSum
from aps_exporter.errors import ConfigError, HistoryLostError, NoHistoryError
from aps_exporter.round_time import Reckoning
from aps_exporter.simulator.faults import Fault
from aps_exporter.turns import Turn, Turns, always
from tests.backfill.filling import TODAY, Answering, Shelf, backfill, in_world, opened, run
from tests.protocol.frames import framed
from tests.virtual_time import in_virtual_time
from tests.world import World, world

JOULES_PER_KWH = 3_600_000
FIRST = date(2026, 5, 20)
YESTERDAY = date(2026, 5, 31)
DAYS = 12
AMSTERDAM_NOON = datetime(2026, 5, 31, 10, 0, tzinfo=UTC)


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """The files in a folder."""
    return [*folder.rglob(pattern)]


def noon_power(*watts: int) -> bytes:
    """Power at 12:00 and each five minutes on."""
    rows = (f"12{5 * n:02}{power:04x}" for n, power in enumerate(watts))
    return framed("0003", b"00" + bytes.fromhex("".join(rows)))


@in_world()
async def test_all_that_the_ecu_has_is_written_and_a_second_time_nothing(
    w: World, path: Path
) -> None:
    shelf, folder = Shelf(), opened(path)
    start, days, total = await run(backfill(w, shelf, FIRST, YESTERDAY, folder=folder))
    assert (start.days, start.resumed_at, start.info.ecu) == (DAYS, None, "216200000001")
    assert [done.day for done in days] == [FIRST + timedelta(days=n) for n in range(DAYS)]
    assert total == BackfillSum(DAYS, written=len(shelf.power) + DAYS)
    assert all(100 < done.written < 288 for done in days)
    assert [*shelf.energy] == [done.day for done in days]
    again = await run(backfill(w, shelf, FIRST, YESTERDAY, folder=folder))
    assert again[2] == BackfillSum(DAYS, written=0, present=total.written)
    assert (shelf.writes, shelf.twice) == (DAYS, [])


@in_world()
async def test_values_are_those_that_the_ecu_says(w: World, path: Path) -> None:
    w.ecu.answers["power_of_day"] = noon_power(600, 0, 65_535)
    shelf = Shelf()
    _, (done,), _ = await run(backfill(w, shelf, YESTERDAY, YESTERDAY, folder=opened(path)))
    minute = timedelta(minutes=1)
    assert shelf.power == {
        AMSTERDAM_NOON: 600,
        AMSTERDAM_NOON + 5 * minute: 0,
        AMSTERDAM_NOON + 10 * minute: 65_535,
    }
    assert shelf.starts == {YESTERDAY: datetime(2026, 5, 30, 22, 0, tzinfo=UTC)}
    assert done.energy_joules == shelf.energy[YESTERDAY]


@in_world()
async def test_energy_of_a_day_is_that_of_the_list(w: World, path: Path) -> None:
    def reply_to(request: bytes) -> bytes | None:
        if request[9:13] != b"0004":
            return w.simulated.reply_to(request)
        period = request[28:30]
        days = {
            b"00": "20260530" + "0064" + "20260531" + "00c8",  # 1, 2 kWh
            b"01": "20260530" + "0000" + "20260531" + "0348",  # 0, 8.40 kWh
            b"02": "20260501" + "ffff",
        }
        return framed("0004", b"00" + period + bytes.fromhex(days[period]))

    w.ecu.ecu = Answering(reply_to)
    w.ecu.answers["power_of_day"] = noon_power(600, 700)
    shelf = Shelf()
    await run(backfill(w, shelf, date(2026, 5, 29), YESTERDAY, folder=opened(path)))
    assert shelf.energy == {
        date(2026, 5, 29): 300 * 650,
        date(2026, 5, 30): 1 * JOULES_PER_KWH,
        date(2026, 5, 31): 8.4 * JOULES_PER_KWH,
    }


@in_world()
async def test_list_of_another_period_is_not_believed(w: World, path: Path) -> None:
    week = b"0000" + bytes.fromhex("20260531" + "0348")
    w.ecu.answers["energy_of_period"] = framed("0004", week)
    *_, total = await run(backfill(w, Shelf(), YESTERDAY, YESTERDAY, folder=opened(path)))
    assert total.lacks_energies


@in_world()
async def test_month_that_does_not_fit_its_days_is_told(w: World, path: Path) -> None:
    shelf = Shelf()
    first = date(2026, 5, 1)
    *_, total = await run(backfill(w, shelf, first, YESTERDAY, folder=opened(path)))
    assert total.months == []
    w.ecu.answers["power_of_day"] = framed("0003", b"")  # then only the days of the lists
    (*_, total) = await run(backfill(w, Shelf(), first, YESTERDAY, folder=opened(path / "2")))
    assert total.months == []  # two days of May are not in the list of 30 days
    assert total.written < 31


@in_world()
async def test_queries_are_a_second_apart_at_least(w: World, path: Path) -> None:
    w.ecu.answers["power_of_day"] = None
    work = backfill(w, Shelf(), FIRST, YESTERDAY, folder=opened(path))
    await work.begin()
    failing = asyncio.ensure_future(anext(work.days()))
    await w.pass_time(4)
    del w.ecu.answers["power_of_day"]
    await failing
    async for _ in work.days():
        pass
    times = [at for _, at in w.ecu.asked]
    # A query takes no time here, so a second is what lies between most of them.
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert min(gaps) == pytest.approx(1)
    assert sorted(gaps)[len(gaps) // 2] == pytest.approx(1)


async def _overlaps(folder: Path, hours: float, *, turns: bool) -> tuple[int, int, int]:
    """Most connections at once, failed queries of refreshes, and queries of the back-fill."""
    async with world(inverters="ds3:1", faults=["segment"]) as w:
        w.faults.add("one-client")
        w.ecu.answers["power_of_day"] = noon_power(*range(600, 612))
        refresh: Turn = Turns(folder, w.clock).of_refresh if turns else always
        alone: Turn = Turns(folder, w.clock).of_backfill if turns else always
        cache = w.cache(turn=refresh)
        cache.start_if_due()
        refreshing = asyncio.create_task(cache.keep_refreshing())
        until = w.clock.monotonic() + hours * 3_600
        while w.clock.monotonic() < until:
            await run(backfill(w, Shelf(), date(2025, 6, 1), YESTERDAY, turn=alone))
        refreshing.cancel()
        status = cache.status()
        await cache.close()
        assert status.refreshes >= 12 * hours
        failed = sum(status.query_failures.values())
        return w.server.most_open_connections, failed, len(w.ecu.times_of("power_of_day"))


@pytest.mark.timeout(240)  # some twenty seconds on an idle machine
def test_backfill_never_asks_while_a_refresh_does(tmp_path: Path) -> None:
    @in_virtual_time
    async def check() -> None:
        most, failed, asked = await _overlaps(tmp_path, 2, turns=True)
        assert (most, failed) == (1, 0)
        assert asked > 2_000

    check()


@pytest.mark.timeout(120)
def test_without_turns_they_would_get_in_each_others_way(tmp_path: Path) -> None:
    @in_virtual_time
    async def check() -> None:
        most, _, _ = await _overlaps(tmp_path, 0.5, turns=False)
        assert most > 1

    check()


def test_run_that_was_ended_on_any_day_goes_on_there(tmp_path: Path) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w:
            whole = Shelf()
            await run(backfill(w, whole, FIRST, YESTERDAY, folder=opened(tmp_path / "whole")))
            for ended_after in range(1, DAYS):
                shelf, folder = Shelf(), opened(tmp_path / str(ended_after))
                asked = len(w.ecu.times_of("power_of_day"))
                work = backfill(w, shelf, FIRST, YESTERDAY, folder=folder)
                await work.begin()
                days = work.days()
                for _ in range(ended_after):
                    await anext(days)
                await days.aclose()
                start, rest, total = await run(backfill(w, shelf, FIRST, YESTERDAY, folder=folder))
                assert start.resumed_at == FIRST + timedelta(days=ended_after)
                assert start.days == len(rest) == DAYS - ended_after
                assert len(w.ecu.times_of("power_of_day")) - asked == DAYS
                assert total == BackfillSum(DAYS, written=len(whole.power) + DAYS)
                assert (shelf.power, shelf.energy) == (whole.power, whole.energy)

    check()


def test_run_that_was_cancelled_at_any_moment_goes_on_and_writes_nothing_twice(
    tmp_path: Path,
) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w:
            whole = Shelf()
            await run(backfill(w, whole, FIRST, YESTERDAY, folder=opened(tmp_path / "whole")))
            for half_seconds in range(1, 36, 3):
                shelf, folder = Shelf(), opened(tmp_path / str(half_seconds))
                try:
                    async with asyncio.timeout(half_seconds / 2):
                        await run(backfill(w, shelf, FIRST, YESTERDAY, folder=folder))
                except TimeoutError:
                    await run(backfill(w, shelf, FIRST, YESTERDAY, folder=folder))
                assert (shelf.power, shelf.energy) == (whole.power, whole.energy)
                assert shelf.twice == []
                assert listed(tmp_path / str(half_seconds), "*.jsonl") == []

    check()


@in_world()
async def test_another_range_starts_anew(w: World, path: Path) -> None:
    folder = opened(path)
    work = backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder)
    await work.begin()
    await anext(work.days())
    start, *_ = await run(backfill(w, Shelf(), FIRST, FIRST, folder=folder))
    assert start.resumed_at is None


@in_world()
async def test_open_range_goes_on_the_next_day(w: World, path: Path) -> None:
    folder = opened(path)
    work = backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder, is_open=True)
    await work.begin()
    await anext(work.days())
    again = backfill(w, Shelf(), FIRST, TODAY, folder=folder, is_open=True)
    start, *_ = await run(again)
    assert start.resumed_at == FIRST + timedelta(days=1)


@in_world()
async def test_what_is_made_at_the_end_has_all_that_was_read_before(w: World, path: Path) -> None:
    folder, last = opened(path), FIRST + timedelta(days=2)
    whole = Shelf()
    await run(backfill(w, whole, FIRST, last, folder=opened(path / "whole")))
    work = backfill(w, Shelf(is_made_at_the_end=True), FIRST, last, folder=folder)
    await work.begin()
    async for done in work.days():
        assert done.kept is not None  # and then the power fails
    asked = len(w.ecu.times_of("power_of_day"))
    shelf = Shelf(is_made_at_the_end=True)
    _, days, _ = await run(backfill(w, shelf, FIRST, last, folder=folder))
    assert days == []
    assert len(w.ecu.times_of("power_of_day")) == asked
    assert (shelf.power, shelf.energy) == (whole.power, whole.energy)
    assert shelf.finished == 1


@in_world()
async def test_dry_run_asks_and_writes_nothing(w: World, path: Path) -> None:
    shelf = Shelf()
    _, days, total = await run(backfill(w, shelf, FIRST, YESTERDAY))
    assert total.written == sum(done.written for done in days) > 1_000
    assert (shelf.writes, shelf.finished) == (0, 0)
    assert listed(path) == []


@in_world()
async def test_second_backfill_at_once_is_refused(w: World, path: Path) -> None:
    del w
    folder = opened(path)
    with pytest.raises(ConfigError, match="another back-fill is at work"):
        opened(path)
    folder.close()
    opened(path).close()


@in_world(faults=("no-history",))
async def test_ecu_without_history_is_told_and_nothing_written(w: World, path: Path) -> None:
    shelf = Shelf()
    with pytest.raises(NoHistoryError, match="closed"):
        await run(backfill(w, shelf, FIRST, YESTERDAY, folder=opened(path)))
    assert shelf.writes == 0
    assert listed(path, "*.jsonl") == []


@pytest.mark.parametrize("fault", ["status01", "status02", "truncate", "foreign-command", "empty"])
def test_whatever_an_ecu_without_history_answers_it_is_told(fault: Fault, tmp_path: Path) -> None:
    answers = {
        "status01": framed("0003", b"01"),
        "status02": framed("0003", b"02"),
        "truncate": framed("0003", b"00")[:-6],
        "foreign-command": framed("0002", b"00"),
        "empty": None,
    }

    @in_virtual_time
    async def check() -> None:
        async with world() as w:
            w.ecu.answers["power_of_day"] = answers[fault]
            w.ecu.answers["energy_of_period"] = answers[fault]
            with pytest.raises(NoHistoryError):
                await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=opened(tmp_path)))

    check()


@in_world(faults=("no-energy-lists",))
async def test_without_energy_lists_energy_comes_from_power(w: World, path: Path) -> None:
    shelf = Shelf()
    *_, total = await run(backfill(w, shelf, FIRST, YESTERDAY, folder=opened(path)))
    assert (total.lacks_energies, total.lacks_power, total.days) == (True, False, DAYS)
    whole = Shelf()
    w.faults.clear()
    await run(backfill(w, whole, FIRST, YESTERDAY, folder=opened(path / "2")))
    assert shelf.power == whole.power
    assert shelf.energy == pytest.approx(whole.energy, rel=0.01)


@in_world()
async def test_without_power_the_listed_energies_are_written(w: World, path: Path) -> None:
    w.ecu.answers["power_of_day"] = None
    shelf = Shelf()
    *_, total = await run(backfill(w, shelf, FIRST, YESTERDAY, folder=opened(path)))
    assert (total.lacks_energies, total.lacks_power) == (False, True)
    assert (len(shelf.energy), shelf.power) == (DAYS, {})


@in_world()
async def test_query_that_fails_is_tried_after_5_10_and_20_seconds(w: World, path: Path) -> None:
    work = backfill(w, Shelf(), FIRST, YESTERDAY, folder=opened(path))
    await work.begin()
    days = work.days()
    await anext(days)
    w.ecu.answers["power_of_day"] = None
    before = len(w.ecu.asked)
    with pytest.raises(HistoryLostError, match="power_of_day query failed: closed") as raised:
        await anext(days)
    assert raised.value.query == "power_of_day"
    asked = w.ecu.asked[before:]
    day = ["power_of_day"] * 4 + ["info"]
    assert [name for name, _ in asked] == day * 2  # the next day may be another matter
    gaps = [later - sooner for (_, sooner), (_, later) in pairwise(asked)]
    assert gaps == pytest.approx([5, 10, 20, 1, 1, 5, 10, 20, 1])
    del w.ecu.answers["power_of_day"]
    start, *_ = await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=opened(path / "2")))
    assert start.resumed_at is None


@in_world(faults=("refuse",))
async def test_ecu_that_does_not_answer_is_no_ecu_without_history(w: World, path: Path) -> None:
    with pytest.raises(HistoryLostError, match="info query failed: refused"):
        await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=opened(path)))


@in_world()
async def test_other_ecu_in_the_middle_ends_the_run(w: World, path: Path) -> None:
    work = backfill(w, Shelf(), FIRST, YESTERDAY, folder=opened(path))
    await work.begin()
    w.simulated.ecu = "216200000002"
    with pytest.raises(HistoryLostError, match="ECU 216200000001 was here, now it is"):
        await anext(work.days())


@in_world()
async def test_today_is_filled_but_for_the_newest_ten_minutes(w: World, path: Path) -> None:
    shelf, folder = Shelf(), opened(path)
    work = backfill(w, shelf, YESTERDAY, TODAY, folder=folder)
    await work.begin()
    days = [done async for done in work.days()]
    newest = w.clock.now() - max(shelf.power)
    assert timedelta(minutes=10) <= newest < timedelta(minutes=16)
    assert [*shelf.energy] == [YESTERDAY]
    assert days[1].energy_joules is None
    # The run is cut off before its end: today is asked for again, as it was not over.
    await w.pass_time(1_800)
    start, (today,), _ = await run(backfill(w, shelf, YESTERDAY, TODAY, folder=folder))
    assert start.resumed_at == TODAY
    assert today.written in {6, 7}
    assert shelf.twice == []


@in_world()
async def test_correction_that_the_exporter_knows_is_used(w: World, path: Path) -> None:
    w.ecu.answers["power_of_day"] = noon_power(600)
    shelf = Shelf()
    work = backfill(
        w, shelf, YESTERDAY, YESTERDAY, folder=opened(path), correction=timedelta(hours=-3)
    )
    start, *_ = await run(work)
    assert start.reckoning == Reckoning("found", "-03:00")
    assert [*shelf.power] == [datetime(2026, 5, 31, 15, 0, tzinfo=UTC)]
    assert shelf.starts[YESTERDAY] == datetime(2026, 5, 31, 3, 0, tzinfo=UTC)


@in_world()
async def test_configured_zone_wins_over_that_correction(w: World, path: Path) -> None:
    w.ecu.answers["power_of_day"] = noon_power(600)
    shelf = Shelf()
    work = backfill(
        w,
        shelf,
        *(YESTERDAY, YESTERDAY),
        folder=opened(path),
        zone=ZoneInfo("America/New_York"),
        correction=timedelta(hours=-3),
    )
    start, *_ = await run(work)
    assert start.reckoning == Reckoning("configured", "America/New_York")
    assert [*shelf.power] == [datetime(2026, 5, 31, 16, 0, tzinfo=UTC)]


@in_world()
async def test_days_of_other_times_are_done_anew(w: World, path: Path) -> None:
    folder = opened(path)
    work = backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder, correction=timedelta(hours=2))
    await work.begin()
    await anext(work.days())
    zone = ZoneInfo("Europe/Berlin")
    start, *_ = await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder, zone=zone))
    assert (start.resumed_at, start.days) == (None, DAYS)


@pytest.mark.parametrize(
    ("says", "reckoning"),
    [
        ("America/New_York", Reckoning("ecu", "America/New_York")),
        ("Etc/GMT-8", Reckoning("host", "host")),
        ("Moon/Tycho", Reckoning("host", "host")),
    ],
)
def test_what_the_times_are_reckoned_by_is_known_at_the_start(
    says: str, reckoning: Reckoning
) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(says_zone=says) as w:
            start = await backfill(w, Shelf(), YESTERDAY, YESTERDAY).begin()
            assert start.reckoning == reckoning

    check()


@pytest.mark.parametrize(
    ("says", "configured", "noon"),
    [
        ("America/New_York", None, 16),
        ("Etc/GMT-8", "Australia/Perth", 4),
        ("Europe/Amsterdam", "America/New_York", 16),
    ],
)
def test_configured_zone_wins_over_the_one_the_ecu_says(
    says: str, configured: str | None, noon: int, tmp_path: Path
) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(says_zone=says) as w:
            w.ecu.answers["power_of_day"] = noon_power(600)
            shelf = Shelf()
            zone = None if configured is None else ZoneInfo(configured)
            folder = opened(tmp_path)
            await run(backfill(w, shelf, YESTERDAY, YESTERDAY, folder=folder, zone=zone))
            assert [*shelf.power] == [datetime(2026, 5, 31, noon, tzinfo=UTC)]

    check()


@in_world(says_zone="Etc/GMT-8")
async def test_zone_that_means_nothing_is_the_host_s(w: World, path: Path) -> None:
    w.ecu.answers["power_of_day"] = noon_power(600)
    shelf = Shelf()
    await run(backfill(w, shelf, YESTERDAY, YESTERDAY, folder=opened(path)))
    noon = datetime.combine(YESTERDAY, time(12)).astimezone()
    assert [*shelf.power] == [noon]


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2025, 10, 26), 25), (date(2026, 4, 2), 24)]
)
def test_day_on_which_the_clock_changes_is_whole(day: date, hours: int, tmp_path: Path) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(sun=time(23, 0)) as w:  # so that power flows in the small hours
            rows = (f"{h:02}{m:02}0001" for h in range(24) for m in range(0, 60, 5))
            power = bytes.fromhex("".join(rows))
            w.ecu.answers["power_of_day"] = framed("0003", b"00" + power)
            shelf = Shelf()
            folder = opened(tmp_path)
            await run(backfill(w, shelf, day, day, folder=folder))
            start, end = shelf.starts[day], shelf.starts[day] + timedelta(hours=hours)
            assert all(start <= at < end for at in shelf.power)
            # By the clock 24 hours were said; one that is not there, or is there twice, is one.
            assert len(shelf.power) == min(hours, 24) * 12

    check()
