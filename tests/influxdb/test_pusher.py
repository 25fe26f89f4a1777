"""The pusher on a real spool and a pretended database, in virtual time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from aps_exporter.cache import EcuCache
from aps_exporter.errors import SpoolUnavailableError
from aps_exporter.sinks.influxdb import pusher as pusher_module
from aps_exporter.sinks.influxdb.dead_letters import DeadLetters
from aps_exporter.sinks.influxdb.pusher import InfluxdbPusher
from aps_exporter.sinks.influxdb.spool import Spool
from aps_exporter.sinks.influxdb.writers import V1Writer, Writer
from tests.influxdb.databases import (
    Answer,
    PretendedDatabase,
    answering,
    database,
    refusing,
    taken,
)
from tests.virtual_time import in_virtual_time
from tests.world import World, world

LINES_A_ROUND = 1 + 2 * (1 + 1 + 2)
HOUR = 3_600


@dataclass
class Pushing:
    """A world whose rounds are pushed."""

    world: World
    cache: EcuCache
    pusher: InfluxdbPusher
    db: PretendedDatabase

    async def rounds(self, count: int) -> None:
        """Let so many more rounds come."""
        await self.world.pass_time(300 * count)

    @property
    def times(self) -> list[int]:
        """Of the lines that the database has, each once, in the order of their coming."""
        return [*dict.fromkeys(int(line.rpartition(" ")[2]) for line in self.db.lines)]

    @property
    def failures(self) -> Mapping[str, int]:
        return {reason: n for reason, n in self.pusher.status().write_failures.items() if n}

    @property
    def dropped(self) -> Mapping[str, int]:
        return {reason: n for reason, n in self.pusher.status().points_dropped.items() if n}


@asynccontextmanager
async def pushing(
    folder: Path, answer: Answer = taken, *, max_bytes: int = 2**28, closes: bool = True
) -> AsyncIterator[Pushing]:
    async with database(answer) as db, world() as w:
        writer: Writer = V1Writer(db.url, "solar", None, None)
        spool = Spool(folder, max_bytes)
        pusher = InfluxdbPusher(writer, spool, DeadLetters(folder), w.clock, jitter=lambda: 0)
        cache = w.cache(take_round=pusher.take)
        tasks = [
            asyncio.create_task(work)
            for work in (cache.keep_refreshing(), pusher.keep_spooling(), pusher.keep_sending())
        ]
        try:
            yield Pushing(w, cache, pusher, db)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await cache.close()
            if closes:
                await pusher.close()
            else:  # as if killed
                await writer.close()
                spool.close()


def _steps(times: list[int]) -> set[int]:
    return {later - earlier for earlier, later in pairwise(times)}


@in_virtual_time
async def test_every_round_is_written_once_and_in_order(tmp_path: Path) -> None:
    async with pushing(tmp_path) as p:
        await p.rounds(12)
        assert len(p.times) >= 12
        assert _steps(p.times) == {300}
        assert len(p.db.lines) == len({*p.db.lines}) == LINES_A_ROUND * len(p.times)
        status = p.pusher.status()
        assert (status.up, status.points_written) == (True, len(p.db.lines))
        assert (status.spool_points, status.spool_oldest) == (0, None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answering(503), "server_error"),
        (answering(429), "busy"),
        (answering(401), "unauthorized"),
        (answering(403), "unauthorized"),
        (answering(404), "not_found"),
        (answering(200, "<html>"), "unexpected"),
        (answering(400, "no"), "rejected"),
        (answering(413), "rejected"),
    ],
)
def test_whatever_the_database_says_nothing_is_lost(
    answer: Answer, reason: str, tmp_path: Path
) -> None:
    @in_virtual_time
    async def outage() -> None:
        async with pushing(tmp_path, answer) as p:
            await p.rounds(24)
            status = p.pusher.status()
            assert (status.up, status.points_written, p.dropped) == (False, 0, {})
            assert [*p.failures] == [reason]
            assert status.spool_points >= 24 * LINES_A_ROUND
            assert status.spool_oldest is not None
            p.db.answer = taken
            await p.rounds(3)
            assert p.pusher.status().up
            assert len(p.times) >= 26
            assert p.times[0] == int(status.spool_oldest.timestamp())
            assert _steps(p.times) == {300}
            assert len(p.db.lines) == len({*p.db.lines})

    outage()


@in_virtual_time
async def test_failing_database_is_asked_ever_more_slowly_and_for_ever(tmp_path: Path) -> None:
    async with pushing(tmp_path, answering(503)) as p:
        asked_at: list[float] = []
        p.db.answer = lambda lines: (
            asked_at.append(p.world.clock.monotonic()) or answering(503)(lines)  # type: ignore[func-returns-value]
        )
        await p.world.pass_time(6 * HOUR)
        waits = [round(later - at) for at, later in pairwise(asked_at)]
        assert waits[:7] == [5, 10, 20, 40, 80, 160, 300]
        assert {*waits[6:]} == {300}
        assert len(waits) > 60


@in_virtual_time
async def test_database_that_asks_for_time_gets_it(tmp_path: Path) -> None:
    async with pushing(tmp_path, answering(429, Retry_After="1000")) as p:
        await p.world.pass_time(1_000)
        assert len(p.db.requests) == 1
        await p.world.pass_time(60)
        assert len(p.db.requests) == 2


@in_virtual_time
async def test_bad_lines_are_set_aside_and_all_others_are_written(tmp_path: Path) -> None:
    async with pushing(tmp_path, refusing("phase=1")) as p:
        await p.rounds(5)
        rounds = len(p.times)
        assert rounds >= 5
        assert len({*p.db.lines}) == (LINES_A_ROUND - 2) * rounds
        assert p.dropped == {"rejected": 2 * rounds}
        letters = (tmp_path / "influxdb-refused.lp").read_text(encoding="utf-8").splitlines()
        assert letters[0].startswith("# HTTP 400: field type conflict")
        assert [line for line in letters if line.startswith("aps_")] == [
            line for line in letters if "phase=1" in line
        ]
        assert p.pusher.status().spool_points == 0


@in_virtual_time
async def test_database_that_refuses_all_is_asked_line_by_line_once_an_hour(
    tmp_path: Path,
) -> None:
    async with pushing(tmp_path, answering(400, "no")) as p:
        await p.world.pass_time(HOUR - 400)
        singles = sum(len(body) == 1 for body in p.db.bodies)
        assert singles == LINES_A_ROUND
        assert not (tmp_path / "influxdb-refused.lp").exists()


@in_virtual_time
async def test_rounds_that_are_all_refused_give_way_when_newer_ones_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pusher_module, "BATCH_LINES", LINES_A_ROUND)
    async with pushing(tmp_path, answering(503)) as p:
        await p.rounds(3)
        oldest = p.pusher.status().spool_oldest
        assert oldest is not None
        p.db.answer = refusing(str(int(oldest.timestamp())))  # beyond a retention policy
        await p.rounds(2)
        assert p.dropped == {"rejected": LINES_A_ROUND}
        assert len(p.times) >= 4
        assert int(oldest.timestamp()) not in p.times


@in_virtual_time
async def test_what_was_not_sent_before_a_kill_is_sent_after_it(tmp_path: Path) -> None:
    async with pushing(tmp_path, answering(503), closes=False) as p:
        await p.rounds(6)
        first = p.pusher.status().spool_oldest
        assert first is not None
    async with pushing(tmp_path) as p:
        await p.rounds(1)
        assert p.times[0] == int(first.timestamp())
        assert len(p.db.lines) == len({*p.db.lines}) >= 6 * LINES_A_ROUND


@in_virtual_time
async def test_round_that_was_written_is_not_written_again_after_a_restart(tmp_path: Path) -> None:
    async with pushing(tmp_path) as p:
        await p.world.pass_time(20)
        written = {*p.db.lines}
        assert len(written) == LINES_A_ROUND
    async with pushing(tmp_path) as p:  # the same moment of another world: the same round
        await p.world.pass_time(20)
        assert p.db.lines == []


@in_virtual_time
async def test_spool_beyond_its_bound_loses_the_oldest_and_counts_them(tmp_path: Path) -> None:
    async with pushing(tmp_path, answering(503), max_bytes=2**16) as p:
        await p.rounds(500)
        status = p.pusher.status()
        assert p.dropped["spool_full"] > 0
        assert status.spool_bytes <= 2**16
        assert status.spool_points + p.dropped["spool_full"] >= 500 * 5  # by night, few lines
        p.db.answer = taken
        await p.rounds(2)
        assert _steps(p.times) == {300}


@in_virtual_time
async def test_points_on_a_damaged_page_are_counted_and_all_others_are_written(
    tmp_path: Path,
) -> None:
    async with pushing(tmp_path, answering(503), closes=False) as p:
        await p.rounds(60)
        waiting = p.pusher.status().spool_points
    file = tmp_path / "influxdb-spool.sqlite3"
    content = bytearray(file.read_bytes())
    content[-4_096:] = b"?" * 4_096
    file.write_bytes(content)
    async with pushing(tmp_path) as p:
        await p.rounds(1)
        lost = p.dropped.get("damaged", 0)
        assert 0 < lost < waiting / 2
        assert len({line for line in p.db.lines if "ecu=216200000001" in line}) >= waiting - lost


@in_virtual_time
async def test_full_disk_is_told_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with pushing(tmp_path) as p:
        await p.rounds(2)
        put = Spool.put

        def full(*_: object) -> int:
            raise SpoolUnavailableError("database or disk is full")

        monkeypatch.setattr(Spool, "put", full)
        await p.rounds(5)
        before = len(p.times)
        assert p.failures["spool"] > 0
        assert any(record.levelno == logging.ERROR for record in caplog.records)
        monkeypatch.setattr(Spool, "put", put)
        await p.rounds(2)
        assert len(p.times) >= before + 6
        assert _steps(p.times) == {300}


@in_virtual_time
async def test_rounds_that_cannot_be_removed_are_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pushing(tmp_path) as p:
        await p.rounds(1)

        def fail(*_: object) -> None:
            raise SpoolUnavailableError("disk I/O error")

        with monkeypatch.context() as broken:
            broken.setattr(Spool, "remove", fail)
            await p.rounds(4)
        await p.rounds(2)
        assert len(p.db.lines) == len({*p.db.lines}) == p.pusher.status().points_written
        assert _steps(p.times) == {300}


@in_virtual_time
async def test_disk_that_stays_full_costs_the_oldest_rounds_only_when_memory_is_full_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pusher_module, "MOST_UNSPOOLED_ROUNDS", 4)
    async with pushing(tmp_path) as p:

        def full(*_: object) -> int:
            raise SpoolUnavailableError("database or disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(Spool, "put", full)
            await p.rounds(6)
        await p.rounds(1)
        assert p.dropped["disk_full"] >= 2 * LINES_A_ROUND
        assert len(p.times) >= 4


@in_virtual_time
async def test_end_of_the_exporter_writes_what_has_just_come(tmp_path: Path) -> None:
    async with pushing(tmp_path) as p:
        await p.rounds(2)
        written = len(p.times)
        await p.cache.ask_once()
        snapshot = p.cache.snapshot()
        assert snapshot is not None
        db = p.db
        await p.world.pass_time(300 - p.world.clock.monotonic() % 300)
        await p.cache.ask_once()
    assert len({line.rpartition(" ")[2] for line in db.lines}) >= written


@in_virtual_time
async def test_scrapes_do_not_wait_for_a_database_that_hangs(tmp_path: Path) -> None:
    async with pushing(tmp_path) as p:
        hanging = asyncio.Event()

        async def hang(_: object) -> None:
            await hanging.wait()

        p.pusher._writer.write = hang  # type: ignore[assignment,method-assign] # noqa: SLF001 - a dead database
        await p.rounds(3)
        assert p.cache.status().refreshes >= 3
        assert p.pusher.status().spool_points >= 2 * LINES_A_ROUND
        hanging.set()


@in_virtual_time
async def test_recovery_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with pushing(tmp_path, answering(503)) as p:
        await p.rounds(2)
        p.db.answer = taken
        await p.rounds(2)
    told = [record.getMessage() for record in caplog.records if "InfluxDB" in record.getMessage()]
    assert told[0] == "InfluxDB takes no points; they are kept on disk"
    assert told[-1] == "InfluxDB takes points again"
