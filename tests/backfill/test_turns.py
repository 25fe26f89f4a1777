"""Refreshes share the turn to ask, a back-fill has it alone."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aps_exporter.clock import ScaledClock
from aps_exporter.errors import StateUnavailableError
from aps_exporter.turns import Turn, Turns
from tests.virtual_time import in_virtual_time

START = datetime(2026, 6, 1, tzinfo=UTC)


class Diary:
    """Who had a turn from when to when."""

    def __init__(self) -> None:
        self.turns: list[tuple[str, float, float]] = []

    async def hold(self, name: str, turn: Turn, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        async with turn():
            since = loop.time()
            await asyncio.sleep(seconds)
            self.turns.append((name, since, loop.time()))

    def waited(self, name: str, since: float) -> float:
        (began,) = [began for held, began, _ in self.turns if held == name]
        return began - since


def turns_in(folder: Path) -> Turns:
    return Turns(folder, ScaledClock(1, START, ticks=asyncio.get_running_loop().time))


@in_virtual_time
async def _refreshes_do_not_wait(folder: Path) -> None:
    diary, now = Diary(), asyncio.get_running_loop().time()
    turn = turns_in(folder).of_refresh
    await asyncio.gather(diary.hold("roof", turn, 3), diary.hold("barn", turn, 3))
    assert {held[1] for held in diary.turns} == {now}


def test_refreshes_do_not_wait_for_each_other(tmp_path: Path) -> None:
    _refreshes_do_not_wait(tmp_path)


@in_virtual_time
async def _backfill_waits(folder: Path, held: float) -> None:
    diary, now = Diary(), asyncio.get_running_loop().time()
    refresh = asyncio.create_task(diary.hold("refresh", turns_in(folder).of_refresh, held))
    await asyncio.sleep(1)
    await diary.hold("back-fill", turns_in(folder).of_backfill, 1)
    await refresh
    assert diary.waited("back-fill", now) == pytest.approx(held, abs=0.2)


def test_backfill_waits_for_a_refresh_however_long_it_takes_and_tells_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _backfill_waits(tmp_path, 300)
    (record,) = caplog.records
    assert record.getMessage().startswith("waiting for the exporter to end its refresh")
    assert vars(record)["file"] == str(tmp_path / "asking")


def test_backfill_that_waits_for_less_than_30_seconds_tells_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _backfill_waits(tmp_path, 30)  # one of them before the wait
    assert caplog.records == []


@in_virtual_time
async def _refresh_waits(folder: Path, held: float, expected: float) -> None:
    diary, now = Diary(), asyncio.get_running_loop().time()
    other = asyncio.create_task(diary.hold("back-fill", turns_in(folder).of_backfill, held))
    await asyncio.sleep(0)
    await diary.hold("refresh", turns_in(folder).of_refresh, 1)
    await other
    assert diary.waited("refresh", now) == pytest.approx(expected, abs=0.2)


def test_refresh_waits_for_the_query_of_a_backfill(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _refresh_waits(tmp_path, held=12, expected=12)
    assert caplog.records == []


def test_refresh_is_never_held_up_for_more_than_15_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _refresh_waits(tmp_path, held=100, expected=15)
    assert "asking all the same" in caplog.text


@in_virtual_time
async def _refresh_without_a_folder(folder: Path) -> None:
    diary, now = Diary(), asyncio.get_running_loop().time()
    await diary.hold("refresh", turns_in(folder / "none").of_refresh, 1)
    assert diary.waited("refresh", now) == 0


def test_refresh_needs_no_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _refresh_without_a_folder(tmp_path)
    assert caplog.records == []
    assert not (tmp_path / "none").exists()


async def test_backfill_makes_its_folder(tmp_path: Path) -> None:
    async with turns_in(tmp_path / "none").of_backfill():
        assert (tmp_path / "none").is_dir()


async def test_backfill_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailableError, match=r"file: File exists"):
        async with turns_in(tmp_path / "file").of_backfill():
            raise AssertionError


async def test_turn_ends_with_an_error_in_it(tmp_path: Path) -> None:
    turns = turns_in(tmp_path)
    for turn in (turns.of_backfill, turns.of_refresh, turns.of_backfill):
        with pytest.raises(RuntimeError, match="within"):
            async with asyncio.timeout(5), turn():
                raise RuntimeError("within")
