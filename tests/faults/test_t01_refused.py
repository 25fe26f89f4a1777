"""T1: an ECU that refuses for 10,000 refreshes is asked on schedule, costs nothing, and heals."""

import asyncio
import gc
import logging
import resource
import socket
import sys
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest

from aps_exporter.cache import RETRY_SECONDS
from tests.faults.ordeal import LONGEST_BACK_OFF, Ordeal, ordeal
from tests.virtual_time import in_virtual_time

REFRESHES = 10_000
WARM_UP = 500
BETWEEN_SCRAPES = 12 * 3_600
MOST_GROWTH = 1024 * 1024
MOST_OBJECTS_KEPT = REFRESHES // 10
"""Whatever keeps one object a refresh keeps ten times as many."""


@dataclass
class Connects:
    """How often the client connected, and how often how many seconds after the time before."""

    count: int = 0
    gaps: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the whole time of refusal came to; growth is from the end of the warm-up on."""

    refreshes: int
    connects: Connects
    refusals_counted: int
    grown_bytes: int
    objects_kept: int
    grown_files: int
    healed_after_seconds: float


@pytest.fixture(scope="module")
def refusal() -> Refusal:
    """An exporter that is refused for so long and is well again in the end."""
    found = []

    @in_virtual_time
    async def live_through() -> None:
        async with ordeal() as trial:
            found.append(await _be_refused(trial))

    with _no_log_kept():
        live_through()
    return found[0]


def test_each_refresh_connects_twice_and_no_more(refusal: Refusal) -> None:
    assert refusal.refreshes >= REFRESHES
    assert refusal.connects.count == refusal.refusals_counted == 2 * refusal.refreshes


def test_connects_stay_within_the_schedule_and_the_back_off_ceiling(refusal: Refusal) -> None:
    refreshes = refusal.refreshes
    assert refusal.connects.gaps == {5: refreshes, 60: 1, 120: 1, 240: 1, 300: refreshes - 4}


def test_no_files_stay_open(refusal: Refusal) -> None:
    assert refusal.grown_files <= 0


def test_memory_does_not_grow(refusal: Refusal) -> None:
    assert refusal.grown_bytes <= MOST_GROWTH


def test_no_refresh_leaves_an_object_behind(refusal: Refusal) -> None:
    assert refusal.objects_kept <= MOST_OBJECTS_KEPT


def test_ecu_that_heals_is_read_within_the_back_off_ceiling(refusal: Refusal) -> None:
    assert 0 < refusal.healed_after_seconds <= LONGEST_BACK_OFF + 5


async def _be_refused(trial: Ordeal) -> Refusal:
    timer = asyncio.create_task(trial.cache.keep_refreshing())
    trial.world.faults.add("refuse")
    await trial.world.server.heed_refuse()
    before = trial.cache.status().refreshes
    with _connects(trial.world.port) as connects:
        await _stay_down(trial, before + WARM_UP)
        memory, files = _resident_bytes(), _open_files()
        objects = sys.getallocatedblocks()
        await _stay_down(trial, before + REFRESHES)
        await asyncio.sleep(RETRY_SECONDS)  # for one that may be under way
        grown_bytes, grown_files = _resident_bytes() - memory, _open_files() - files
        objects_kept = sys.getallocatedblocks() - objects
    status = trial.cache.status()
    await trial.heal()
    healed_after = await _seconds_until_fresh(trial)
    timer.cancel()
    return Refusal(
        refreshes=status.refreshes - before,
        connects=connects,
        refusals_counted=status.query_failures["info", "refused"],
        grown_bytes=grown_bytes,
        objects_kept=objects_kept,
        grown_files=grown_files,
        healed_after_seconds=healed_after,
    )


async def _stay_down(trial: Ordeal, refreshes: int) -> None:
    """Until the cache has refreshed itself so often; scraped now and then."""
    while trial.cache.status().refreshes < refreshes:
        await asyncio.sleep(BETWEEN_SCRAPES)
        page = await trial.scrape()
        assert page.value("aps_up") == 0


async def _seconds_until_fresh(trial: Ordeal) -> float:
    began = trial.world.clock.monotonic()
    page = await trial.scrape()
    while page.value("aps_ecu_power_watts") is None:
        await asyncio.sleep(5)
        page = await trial.scrape()
    return trial.world.clock.monotonic() - began


@contextmanager
def _connects(port: int) -> Iterator[Connects]:
    """The connects to this port meanwhile."""
    loop = asyncio.get_running_loop()
    connect, seen, moments = loop.sock_connect, Connects(), deque[float](maxlen=2)

    async def watched(connection: socket.socket, address: tuple[str, int]) -> None:
        if address[1] == port:
            seen.count += 1
            moments.append(loop.time())
            seen.gaps.update(round(later - at) for at, later in pairwise(moments))
        await connect(connection, address)

    with patch.object(loop, "sock_connect", watched):
        yield seen


@contextmanager
def _no_log_kept() -> Iterator[None]:
    """Meanwhile pytest does not keep each log line in memory."""
    root = logging.getLogger()
    kept, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = kept


def _resident_bytes() -> int:
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def _open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])
