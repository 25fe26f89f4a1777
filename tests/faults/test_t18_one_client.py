"""T18: an ECU that serves one client at a time, while another client polls it every 7 s for an
hour: nine of ten refreshes succeed, and no connection of ours is held for more than 10 s.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Final
from unittest.mock import patch

import pytest

from aps_exporter.ecu.queries import InfoQuery
from aps_exporter.simulator.faults import Fault
from tests.faults.asking import asked_by_us
from tests.faults.ordeal import Ordeal, ordeal
from tests.virtual_time import in_virtual_time
from tests.world import World

HOUR: Final = 3_600
SCRAPE_SECONDS: Final = 15
POLL_SECONDS: Final = 7
HELD_SECONDS: Final = 1
"""By the other client; readers that pause between sending and receiving do so."""

LONGEST_HELD_BY_US: Final = 10


class OtherClient:
    """Polls the ECU, and hangs on to each connection for a while."""

    def __init__(self, w: World) -> None:
        self._world = w
        self.polls = 0
        self.answered = 0

    async def poll_for(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        while loop.time() < started + seconds:
            self.polls += 1
            await self._poll()
            await asyncio.sleep(POLL_SECONDS - (loop.time() - started) % POLL_SECONDS)

    async def _poll(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._world.port)
        with suppress(ConnectionError):  # it was hung up on
            writer.write(InfoQuery().request)
            self.answered += bool(await reader.read(1))
        await asyncio.sleep(HELD_SECONDS)
        writer.close()


async def refreshes(trial: Ordeal, seconds: float) -> Counter[bool]:
    """How many refreshes ended with every query answered in this time, and how many did not.

    Refreshes are a minute apart, so that no scrape misses one.
    """
    ended: Counter[bool] = Counter()
    status = trial.cache.status()
    until = trial.world.clock.monotonic() + seconds
    while trial.world.clock.monotonic() < until:
        await trial.scrape()
        await asyncio.sleep(SCRAPE_SECONDS)
        before, status = status, trial.cache.status()
        if status.refreshes > before.refreshes:
            ended[all(status.query_success.values())] += 1
    return ended


@pytest.mark.parametrize("faults", [[], ["segment"]], ids=["", "sends slowly"])
@pytest.mark.parametrize("hangs_up", [True, False], ids=["hangs up", "lets wait"])
def test_most_refreshes_succeed_and_no_connection_is_held(
    faults: list[Fault], *, hangs_up: bool
) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal(inverters="ds3:10") as trial:
            w = trial.world
            for fault in [*faults, "one-client"] if hangs_up else faults:
                w.faults.add(fault)
            other = OtherClient(w)
            with asked_by_us() as asked:
                ended, _ = await asyncio.gather(refreshes(trial, HOUR), other.poll_for(HOUR))
            assert ended.total() >= HOUR / 300
            assert ended[True] >= 0.9 * ended.total()
            held = [query.ended - query.began for query in asked]
            assert max(held) <= LONGEST_HELD_BY_US
            assert other.answered >= 0.9 * other.polls
            # They did get in each other's way.
            closed = trial.cache.status().query_failures
            assert closed if hangs_up else max(held) > HELD_SECONDS / 2

    check()


@in_virtual_time
async def test_connection_kept_waiting_is_let_go_after_ten_seconds() -> None:
    async with ordeal() as trial:
        w = trial.world
        with asked_by_us() as asked, patch("aps_exporter.simulator.ecu_server.IDLE_SECONDS", HOUR):
            _, other = await asyncio.open_connection("127.0.0.1", w.port)
            await trial.scrape_for(600)
            await w.pass_time(30)
            held = [query.ended - query.began for query in asked]
            assert len(held) > 2
            assert held == pytest.approx([LONGEST_HELD_BY_US] * len(held))
            other.close()
