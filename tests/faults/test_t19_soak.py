"""T19: a simulated week with each fault on a twentieth of it, and a restart a day: nothing falls,
nothing grows, nothing is asked that is not planned, `/metrics` always answers 200.
"""

import asyncio
import gc
import logging
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final
from unittest.mock import patch

import pytest

from aps_exporter.ecu_claims import EcuClaims
from aps_exporter.schedule import RoundSchedule
from aps_exporter.simulator.faults import FAULTS
from aps_exporter.state import State, StateFolder, open_state
from tests.exporter import exporter
from tests.faults.asking import Asked, asked_by_us
from tests.faults.ordeal import LogBook, Ordeal, Page
from tests.virtual_time import in_virtual_time
from tests.world import World, world

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
DAYS: Final = 7
SCRAPE_SECONDS: Final = 30

SHARE: Final = 0.05
SHORTEST_WINDOW: Final = 120
LONGEST_WINDOW: Final = HOUR
SEED: Final = 19

MIB: Final = 2**20
MOST_GROWTH: Final = 5 * MIB

NEVER_FALL: Final = (
    "aps_ecu_lifetime_energy_joules_total",
    "aps_ecu_integrated_energy_joules_total",
    "aps_channel_integrated_energy_joules_total",
)

REASONS_SEEN: Final = {"refused", "timeout", "closed", "truncated", "framing", "status"}
REJECTIONS_SEEN: Final = {
    *("registered_zero", "today_zero", "lifetime_fell", "lifetime_leap"),
    *("frequency", "voltage", "channel_power", "empty_list"),
}

ROUND_SECONDS: Final = 300
REFRESHES_APART: Final = 60
QUERIES: Final = 3
LOOKS_A_ROUND: Final = 2
"""A look in vain and its one repeat; or the look that finds the round, and the one before it."""

LONGEST_PAUSE: Final = 5.0
"""Between two queries of one refresh: before its retry."""
SOONEST_AGAIN: Final = 24.0
"""From the end of one refresh to the next: a minute from when the inverters answered, less a signal
query that hung, the five seconds, and the info and signal queries that hung again."""


def week_of_faults() -> str:
    """A script with windows of every fault, of two minutes to an hour, on a twentieth of the week.

    A fault's windows do not overlap; those of different faults do as chance has it.
    """
    chance = random.Random(SEED)
    lines = []
    for fault in FAULTS:
        lengths: list[int] = []
        while sum(lengths) < SHARE * DAYS * DAY:
            lengths.append(chance.randint(SHORTEST_WINDOW, LONGEST_WINDOW))
        free = DAYS * DAY - sum(lengths)
        gaps = sorted(chance.randint(0, free) for _ in lengths)
        before = 0
        for length, gap in zip(lengths, gaps, strict=True):
            minutes, seconds = divmod(gap + before, 60)
            before += length
            lines.append(f"+{minutes // 60}:{minutes % 60:02}:{seconds:02} {fault} for {length}s")
    return "\n".join(lines)


class Highest:
    """The highest value of each counter so far, under which it must never be seen again."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, frozenset[str]], float] = {}

    def see(self, page: Page) -> None:
        for name in NEVER_FALL:
            for labels, value in page.series(name).items():
                series = name, labels
                assert value >= self._seen.get(series, 0.0), series
                self._seen[series] = value


def refreshes(asked: Iterable[Asked]) -> list[list[Asked]]:
    """The queries by refresh, a retry being part of it."""
    grouped: list[list[Asked]] = []
    for query in asked:
        if grouped and query.began - grouped[-1][-1].ended < (LONGEST_PAUSE + SOONEST_AGAIN) / 2:
            grouped[-1].append(query)
        else:
            grouped.append([query])
    return grouped


@contextmanager
def looks_for_rounds() -> Iterator[list[float]]:
    """Grows with each reply that said which round is the newest: when it was heard."""
    looks: list[float] = []
    saw_round = RoundSchedule.saw_round

    def noted(schedule: RoundSchedule, stamp: datetime, at: float) -> bool:
        looks.append(at)
        return saw_round(schedule, stamp, at)

    with patch.object(RoundSchedule, "saw_round", noted):
        yield looks


def assert_as_planned(asked: list[Asked], looks: list[float], failures: Counter[str]) -> None:
    """What one exporter asked in a day is no more than the rules of its schedule allow.

    A query of a refresh is tried twice at most. Refreshes, whole or not, begin a minute apart. In
    any hour there are two looks a round. And over the day: queries that answer do so at two looks a
    round, and the info query once more where the ECU's id was wrong; the others are the failures
    that were counted.
    """
    grouped = refreshes(asked)
    for refresh in grouped:
        assert max(Counter(query.query for query in refresh).values()) <= 2, refresh
    for refresh, following in pairwise(grouped):
        assert following[0].began - refresh[0].began >= REFRESHES_APART, (refresh, following)
    looks_an_hour = LOOKS_A_ROUND * (HOUR // ROUND_SECONDS + 1)
    for first, one_too_many in zip(looks, looks[looks_an_hour:], strict=False):
        assert one_too_many - first > HOUR
    rounds = DAY // ROUND_SECONDS + 1
    most = LOOKS_A_ROUND * rounds * QUERIES + failures["status"] + failures.total()
    assert len(asked) <= most


def memory_in_use() -> int:
    """Bytes the process holds, after collecting what nobody holds any more.

    As the kernel counts them: what C extensions leak is in it, and it costs the soak no time.
    """
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Soak:
    """A week of one ECU, and an exporter that is started anew each day."""

    def __init__(self, w: World, state_folder: StateFolder) -> None:
        self._world = w
        self._state_folder = state_folder
        self.highest = Highest()
        self.failures: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    @asynccontextmanager
    async def running_exporter(self) -> AsyncIterator[Ordeal]:
        """One process: it finds what the one before wrote to disk, and leaves its own there.

        It is scraped, and refreshes itself as with a sink that is not.
        """
        w = self._world
        w.claims, w.state = EcuClaims(), State(self._state_folder.read())
        cache = w.cache()
        async with exporter([cache]) as client:
            timer = asyncio.create_task(cache.keep_refreshing())
            yield Ordeal(w, [cache], client)
            timer.cancel()
        await cache.close()
        memory = w.state.recall(w.simulated.ecu)
        assert memory is not None
        self._state_folder.write({w.simulated.ecu: memory})

    async def scrape_until(self, trial: Ordeal, moment: float) -> None:
        """Every half a minute; each page must be good, and no counter lower than before."""
        clock = self._world.clock
        while clock.monotonic() < moment:
            self.highest.see(await trial.scrape())
            await asyncio.sleep(SCRAPE_SECONDS - clock.monotonic() % SCRAPE_SECONDS)

    def take_failures(self, trial: Ordeal) -> Counter[str]:
        """The failed queries of this process by their reason, which are also added to the week's.

        What was rejected is added too.
        """
        failures: Counter[str] = Counter()
        for (_, reason), count in trial.cache.status().query_failures.items():
            failures[reason] += count
        self.failures += failures
        snapshot = trial.cache.snapshot()
        assert snapshot is not None
        self.rejected.update(snapshot.rejected_values)
        return failures


@contextmanager
def only_log_book(w: World) -> Iterator[LogBook]:
    """Takes the log alone: pytest's own handlers keep every record, and memory is counted here."""
    book = LogBook(w.clock)
    with patch.object(logging.getLogger(), "handlers", [book]):
        yield book


@in_virtual_time
async def test_week_of_faults(tmp_path: Path) -> None:
    state_folder, _ = open_state(tmp_path)
    memory: list[int] = []
    async with world(script=week_of_faults()) as w:
        soak = Soak(w, state_folder)
        with only_log_book(w) as log, asked_by_us() as asked, looks_for_rounds() as looks:
            for day in range(1, DAYS + 1):
                async with soak.running_exporter() as trial:
                    await soak.scrape_until(trial, day * DAY)
                    assert_as_planned(asked, looks, soak.take_failures(trial))
                    if day == DAYS:
                        await trial.assert_recovers()
                asked.clear()
                looks.clear()
                memory.append(memory_in_use())
        await w.pass_time(30)
        assert w.server.open_connections == 0
        assert w.server.most_open_connections == 1
        assert not w.internal_errors
    state_folder.close()
    log.assert_calm()
    assert max(memory) - memory[0] <= MOST_GROWTH, memory
    assert soak.failures.keys() == REASONS_SEEN  # or the faults were not on
    assert soak.rejected.keys() == REJECTIONS_SEEN
