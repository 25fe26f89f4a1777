"""The pusher: every round goes to the spool first, and from there to the database, oldest first.

A round leaves the spool only when the database has taken it. Nothing else waits for any of this.
"""

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, ParamSpec, TypeVar

from aps_exporter.clock import Clock
from aps_exporter.errors import (
    SinkFailure,
    SinkRejectedError,
    SinkUnavailableError,
    SpoolUnavailableError,
)
from aps_exporter.explanations import SINK_ADVICE
from aps_exporter.readings import DropReason, InfluxdbStatus, Snapshot
from aps_exporter.sinks.influxdb.dead_letters import DeadLetters
from aps_exporter.sinks.influxdb.delivery import (
    RefusedLine,
    deliver,
    refused_for_good,
    refuses_all,
)
from aps_exporter.sinks.influxdb.points import round_lines
from aps_exporter.sinks.influxdb.spool import Spool, SpooledRound, SpoolState
from aps_exporter.sinks.influxdb.writers import Writer

logger = logging.getLogger(__name__)

BATCH_LINES: Final = 5_000
FLUSH_SECONDS: Final = 1.5
"""How long the end may take for what the database has not got yet; the rest is in the spool."""

FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 300.0
"""Between two tries; at once where only somebody can help, not time."""

PAUSE_JITTER: Final = 0.2
SPOOL_PAUSE_SECONDS: Final = 60.0
BISECTION_PAUSE_SECONDS: Final = 3_600.0
"""Until a database that refused every single line is asked line by line again."""

MOST_UNSPOOLED_ROUNDS: Final = 1_000
"""Kept in memory while the disk takes nothing."""

_MOST_DOUBLINGS: Final = 10

P = ParamSpec("P")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Round:
    ecu: str
    measured_at: int
    lines: tuple[str, ...]


class InfluxdbPusher:
    """Takes rounds and gets them to the database, whatever happens to it, to us or to the disk.

    `keep_spooling` and `keep_sending` run side by side for as long as the exporter does.
    """

    def __init__(
        self,
        writer: Writer,
        spool: Spool,
        dead_letters: DeadLetters,
        clock: Clock,
        jitter: Callable[[], float] = lambda: random.uniform(-1, 1),  # noqa: S311 - spreads load
    ) -> None:
        self._writer = writer
        self._spool = spool
        self._dead_letters = dead_letters
        self._clock = clock
        self._jitter = jitter
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="influxdb-spool")
        self._taken: deque[_Round] = deque()
        self._delivered: list[int] = []
        self._has_taken = asyncio.Event()
        self._has_spooled = asyncio.Event()
        self._up: bool | None = None
        self._points_written = 0
        self._points_dropped: Counter[DropReason] = Counter()
        self._write_failures: Counter[SinkFailure] = Counter()
        self._failures_in_a_row = 0
        self._next_bisection_at = float("-inf")
        self._state = SpoolState(0, 0, None)

    def take(self, snapshot: Snapshot) -> None:
        """Take a new round; returns at once."""
        lines = tuple(round_lines(snapshot))
        if not lines or snapshot.measured_at is None:
            return
        self._taken.append(_Round(snapshot.ecu, int(snapshot.measured_at.timestamp()), lines))
        if len(self._taken) > MOST_UNSPOOLED_ROUNDS:
            self._points_dropped["disk_full"] += len(self._taken.popleft().lines)
        self._has_taken.set()

    def status(self) -> InfluxdbStatus:
        """How it goes."""
        oldest = self._state.oldest
        return InfluxdbStatus(
            up=self._up,
            points_written=self._points_written,
            points_dropped={**self._points_dropped, "damaged": self._state.points_damaged},
            write_failures=dict(self._write_failures),
            spool_points=self._state.points,
            spool_bytes=self._state.bytes,
            spool_oldest=None if oldest is None else datetime.fromtimestamp(oldest, UTC),
        )

    async def keep_spooling(self) -> None:
        """Put what was taken on disk, as soon as it is."""
        while True:
            await self._has_taken.wait()
            self._has_taken.clear()
            while not await self._spool_all():
                await self._clock.sleep(SPOOL_PAUSE_SECONDS)

    async def keep_sending(self) -> None:
        """Send what is in the spool, and whatever comes into it."""
        while True:
            try:
                if not await self._send_oldest():
                    self._state = await self._on_disk(self._spool.state)
                    await self._has_spooled.wait()
                    self._has_spooled.clear()
            except SinkUnavailableError as error:
                await self._clock.sleep(self._pause_after(error))
            except SpoolUnavailableError as error:
                self._spool_failed(error)
                await self._clock.sleep(SPOOL_PAUSE_SECONDS)

    async def close(self) -> None:
        """Put the last rounds on disk, and send for a moment what a healthy database lacks."""
        await self._spool_all()
        if self._up:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    while await self._send_oldest():
                        pass
            except (TimeoutError, SinkUnavailableError, SpoolUnavailableError) as error:
                logger.info("InfluxDB flush cut short; the rest is on disk: %s", error)
        await self._writer.close()
        await self._on_disk(self._spool.close)
        self._disk.shutdown(wait=False)

    async def _spool_all(self) -> bool:
        """Put on disk all that was taken; False if the disk does not take it."""
        while self._taken:
            oldest = self._taken[0]
            try:
                self._points_dropped["spool_full"] += await self._on_disk(
                    self._spool.put, oldest.ecu, oldest.measured_at, oldest.lines
                )
                self._state = await self._on_disk(self._spool.state)
            except SpoolUnavailableError as error:
                self._spool_failed(error)
                return False
            if self._taken and self._taken[0] is oldest:  # else it was dropped meanwhile
                self._taken.popleft()
            self._has_spooled.set()
        return True

    async def _send_oldest(self) -> bool:
        """Send the oldest rounds there are; False if there are none."""
        await self._remove_delivered()
        batch = await self._on_disk(self._spool.oldest, BATCH_LINES)
        if not batch:
            return False
        lines = [line for round_ in batch for line in round_.lines]
        try:
            refused = await self._deliver(batch, lines)
        except SinkUnavailableError as error:
            self._failed(error)
            raise
        if refused:
            await self._on_disk(self._dead_letters.add, refused)
            self._points_dropped["rejected"] += len(refused)
            logger.error(
                "InfluxDB refuses some points for good; they are set aside",
                extra={"points": len(refused), "file": str(self._dead_letters.path)},
            )
        self._succeeded(len(lines) - len(refused))
        self._delivered = [round_.id for round_ in batch]
        await self._remove_delivered()
        return True

    async def _remove_delivered(self) -> None:
        """Take out of the spool what the database has; if that fails, it is not sent again."""
        if self._delivered:
            await self._on_disk(self._spool.remove, self._delivered)
            self._delivered = []
            self._state = await self._on_disk(self._spool.state)

    async def _deliver(self, batch: Sequence[SpooledRound], lines: list[str]) -> list[RefusedLine]:
        """Write these lines; those that the database refuses though it takes others.

        Raises:
            SinkUnavailableError: it takes nothing.
        """
        if self._clock.monotonic() < self._next_bisection_at:
            await self._write_whole(lines)
            return []
        refused = await deliver(self._writer, lines)
        if len(refused) < len(lines):
            return refused
        taken = await self._takes_other_than(batch)
        if taken is not None:
            return await refused_for_good(self._writer, refused, taken)
        self._next_bisection_at = self._clock.monotonic() + BISECTION_PAUSE_SECONDS
        raise refuses_all(refused[0].why)

    async def _write_whole(self, lines: list[str]) -> None:
        try:
            await self._writer.write(lines)
        except SinkRejectedError as error:
            raise refuses_all(str(error)) from error

    async def _takes_other_than(self, batch: Sequence[SpooledRound]) -> str | None:
        """A line of the newest round that is taken: then this batch itself is at fault."""
        newest = await self._on_disk(self._spool.newest)
        if newest is None or newest.id in {round_.id for round_ in batch}:
            return None
        refused = {letter.line for letter in await deliver(self._writer, newest.lines)}
        return next((line for line in newest.lines if line not in refused), None)

    def _pause_after(self, error: SinkUnavailableError) -> float:
        pause: float = FIRST_PAUSE_SECONDS * 2 ** (self._failures_in_a_row - 1)
        if error.is_lasting or pause > LONGEST_PAUSE_SECONDS:
            pause = LONGEST_PAUSE_SECONDS
        jittered = pause * (1 + PAUSE_JITTER * self._jitter())
        return max(min(jittered, LONGEST_PAUSE_SECONDS), error.retry_after)

    def _failed(self, error: SinkUnavailableError) -> None:
        self._up = False
        self._failures_in_a_row = min(self._failures_in_a_row + 1, _MOST_DOUBLINGS)
        self._write_failures[error.reason] += 1
        logger.warning(
            "InfluxDB takes no points; they are kept on disk",
            extra={
                "reason": error.reason,
                "detail": error.detail,
                "hint": SINK_ADVICE[error.reason],
            },
        )

    def _spool_failed(self, error: SpoolUnavailableError) -> None:
        self._write_failures["spool"] += 1
        logger.error(
            "the InfluxDB spool cannot be written; points are kept in memory",
            extra={"detail": str(error), "hint": SINK_ADVICE["spool"]},
        )

    def _succeeded(self, points: int) -> None:
        if self._up is False:
            logger.info("InfluxDB takes points again")
        self._up = True
        self._failures_in_a_row = 0
        self._next_bisection_at = float("-inf")
        self._points_written += points

    async def _on_disk(
        self, work: Callable[P, Result], *arguments: P.args, **_: P.kwargs
    ) -> Result:
        """Run this in the one thread that the spool belongs to."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, work, *arguments)
