"""A day for which an ECU does not answer is left out; two in a row are a lost ECU."""

from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aps_exporter.errors import HistoryLostError
from tests.backfill.filling import Answering, Shelf, backfill, in_world, opened, run
from tests.virtual_time import in_virtual_time
from tests.world import World, world

FIRST = date(2026, 5, 20)
YESTERDAY = date(2026, 5, 31)
DAYS = 12


def lost_days(w: World, *days: date) -> None:
    """From now on the ECU hangs up on who asks for the power of these days."""

    def reply_to(request: bytes) -> bytes | None:
        is_lost = any(f"END{day:%Y%m%d}END".encode() in request for day in days)
        return None if is_lost else w.simulated.reply_to(request)

    w.ecu.ecu = Answering(reply_to)


@pytest.mark.parametrize("nth", [0, 5, DAYS - 1], ids=["first", "middle", "last"])
def test_day_that_is_not_answered_is_left_out(nth: int, tmp_path: Path) -> None:
    lost = FIRST + timedelta(days=nth)

    @in_virtual_time
    async def check() -> None:
        async with world() as w:
            whole = Shelf()
            await run(backfill(w, whole, FIRST, YESTERDAY, folder=opened(tmp_path / "whole")))
            lost_days(w, lost)
            shelf = Shelf()
            _, days, total = await run(
                backfill(w, shelf, FIRST, YESTERDAY, folder=opened(tmp_path))
            )
            assert [done.day for done in days] == [FIRST + timedelta(days=n) for n in range(DAYS)]
            assert [done.day for done in days if done.is_left_out] == total.left_out == [lost]
            assert (total.lacks_power, total.lacks_energies) == (False, False)
            assert {*whole.energy} - {*shelf.energy} == {lost}
            absent = whole.power.keys() - shelf.power.keys()
            assert {at.astimezone(ZoneInfo("Europe/Amsterdam")).date() for at in absent} == {lost}

    check()


@in_world(faults=("no-energy-lists",))
async def test_first_day_alone_is_left_out_though_the_ecu_has_no_lists(
    w: World, path: Path
) -> None:
    lost_days(w, FIRST)
    _, days, total = await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=opened(path)))
    assert (total.lacks_power, total.lacks_energies) == (False, True)
    assert (len(days), total.left_out) == (DAYS, [FIRST])


@in_world()
async def test_two_days_in_a_row_that_are_not_answered_end_the_run_at_the_first(
    w: World, path: Path
) -> None:
    lost = FIRST + timedelta(days=3)
    lost_days(w, lost, lost + timedelta(days=1))
    folder = opened(path)
    with pytest.raises(HistoryLostError, match="power_of_day query failed: closed"):
        await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder))
    lost_days(w)
    start, _, total = await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder))
    assert start.resumed_at == lost
    assert total.left_out == []


@in_world()
async def test_day_that_was_left_out_is_still_told_by_the_run_that_goes_on(
    w: World, path: Path
) -> None:
    lost = FIRST + timedelta(days=3)
    lost_days(w, lost)
    folder = opened(path)
    work = backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder)
    await work.begin()
    days = work.days()
    while not (await anext(days)).is_left_out:
        pass
    await anext(days)
    start, _, total = await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder))
    assert start.resumed_at == lost + timedelta(days=2)
    assert total.left_out == [lost]
    *_, total = await run(backfill(w, Shelf(), FIRST, YESTERDAY, folder=folder))
    assert total.left_out == [lost]  # asked for again
