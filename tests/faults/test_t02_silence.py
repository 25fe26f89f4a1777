"""T2: each query to a silent or dripping ECU ends at its deadline; never two at once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from unittest.mock import patch

import pytest

from aps_exporter.cache import LONGEST_WAIT_SECONDS
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.queries import Query
from aps_exporter.ecu.replies import Reply
from aps_exporter.errors import QueryError
from aps_exporter.simulator.faults import Fault
from tests.faults.ordeal import ordeal
from tests.virtual_time import in_virtual_time

TIMEOUT = 10.0
LATEST = 1.1 * TIMEOUT


@dataclass
class Asked:
    """How long each query took, and how often each way to fail was met."""

    seconds: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


@pytest.mark.parametrize(("fault", "times"), [("silent", 1_000), ("drip", 100)])
def test_each_query_ends_at_its_deadline_and_no_two_are_under_way(fault: Fault, times: int) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            trial.world.faults.add(fault)
            with _watched() as asked:
                while len(asked.seconds) < times:
                    await asyncio.gather(*(trial.cache.refresh(inf) for _ in range(5)))
                    await trial.world.pass_time(30)
            assert asked.reasons == {"timeout": len(asked.seconds)}
            assert all(TIMEOUT <= seconds <= LATEST for seconds in asked.seconds)
            assert trial.world.server.most_open_connections == 1

    check()


@pytest.mark.parametrize("fault", ["silent", "drip"])
def test_no_scrape_but_the_first_waits_for_the_ecu(fault: Fault) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            trial.world.faults.add(fault)
            waits = Counter[float]()
            while trial.cache.status().consecutive_failures < 10:
                began = trial.world.clock.monotonic()
                await trial.scrape()
                waits[round(trial.world.clock.monotonic() - began, 3)] += 1
                await trial.world.pass_time(10)
            assert waits.pop(LONGEST_WAIT_SECONDS) == 1
            assert waits.keys() == {0.0}

    check()


@contextmanager
def _watched() -> Iterator[Asked]:
    """What the client does meanwhile."""
    asked = Asked()
    ask = EcuClient.ask

    async def timed(client: EcuClient, query: Query) -> Reply:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return await ask(client, query)
        except QueryError as error:
            asked.reasons[error.reason] += 1
            raise
        finally:
            asked.seconds.append(clock() - began)

    with patch.object(EcuClient, "ask", timed):
        yield asked
