"""T15: a new address of the ECU's name, or DNS after a silence, is used at the next refresh."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import pytest

from aps_exporter.simulator.ecu_server import EcuServer
from tests.faults.ordeal import Ordeal, ordeal
from tests.virtual_time import in_virtual_time

NAME = "ecu.example"
OLD, NEW = "127.0.0.1", "127.0.0.2"
REFRESHES = 10
QUERIES = 3
INTERVAL = 30


@dataclass
class NameServer:
    """What `socket.getaddrinfo` says of the ECU's name; no address is an error of the look-up."""

    address: str | None = OLD

    def look_up(self, port: int) -> list[object]:
        if self.address is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, port))]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Only for this name: the test's own client looks up too."""
        others = socket.getaddrinfo

        def look_up(host: str, port: int, *rest: int, **more: int) -> object:
            if host != NAME:
                return others(host, port, *rest, **more)
            return self.look_up(port)

        with patch("socket.getaddrinfo", look_up):
            yield


async def _never(*_: object) -> list[object]:
    await asyncio.sleep(86_400)
    return []


@asynccontextmanager
async def _also_at(trial: Ordeal, address: str) -> AsyncIterator[EcuServer]:
    """The same ECU at a second address; whatever answers at the first one stays there."""
    server = EcuServer(trial.world.ecu, trial.world.faults)
    await server.start(address, trial.world.port)
    try:
        yield server
    finally:
        await server.close()


async def _scrape_until_refreshed(trial: Ordeal, times: int = 1) -> None:
    """Scrape until so many refreshes have ended."""
    wanted = trial.cache.status().refreshes + times
    while trial.cache.status().refreshes < wanted:
        await asyncio.sleep(INTERVAL)
        await trial.scrape()


def _now(trial: Ordeal) -> float:
    return trial.world.clock.now().timestamp()


@in_virtual_time
async def test_new_address_is_used_at_the_next_refresh_and_the_old_one_no_more() -> None:
    names = NameServer()
    with names.in_use():
        async with ordeal(host=NAME) as trial, _also_at(trial, NEW) as moved:
            before = trial.world.server.connections
            names.address = NEW
            await _scrape_until_refreshed(trial)
            assert (moved.connections, trial.world.server.connections) == (QUERIES, before)
            names.address = OLD
            await _scrape_until_refreshed(trial)
            assert (moved.connections, trial.world.server.connections) == (
                QUERIES,
                before + QUERIES,
            )
            assert sum((await trial.scrape()).values("aps_query_failures_total")) == 0


@in_virtual_time
async def test_ecu_that_moves_is_not_missed_for_a_refresh() -> None:
    names = NameServer()
    with names.in_use():
        async with ordeal(host=NAME) as trial:
            await trial.world.server.close()
            await trial.world.server.start(NEW, trial.world.port)
            names.address = NEW
            await _scrape_until_refreshed(trial)
            page = await trial.scrape()
            assert (page.value("aps_up"), page.value("aps_consecutive_failures")) == (1, 0)
            ago = _now(trial) - page.count("aps_last_success_timestamp_seconds")
            assert ago <= INTERVAL
            assert sum(page.values("aps_query_failures_total")) == 0


@in_virtual_time
async def test_ecu_that_moved_before_its_name_did_is_found_as_soon_as_the_name_is_right() -> None:
    names = NameServer()
    with names.in_use():
        async with ordeal(host=NAME) as trial:
            await trial.world.server.close()
            await trial.world.server.start(NEW, trial.world.port)
            await _scrape_until_refreshed(trial, REFRESHES)
            page = await trial.scrape()
            assert page.value("aps_consecutive_failures") == REFRESHES
            assert page.value("aps_query_failures_total", "info", "refused") == 2 * REFRESHES
            names.address = NEW
            await _scrape_until_refreshed(trial)
            assert (await trial.scrape()).value("aps_up") == 1


@contextmanager
def _dns_says_no(names: NameServer) -> Iterator[None]:
    names.address = None
    yield


@contextmanager
def _dns_is_silent(_: NameServer) -> Iterator[None]:
    with patch("aps_exporter.ecu.client.look_up", _never):
        yield


@pytest.mark.parametrize("trouble", [_dns_says_no, _dns_is_silent])
def test_ten_refreshes_without_dns_fail_to_resolve_and_the_next_uses_the_new_address(
    trouble: Callable[[NameServer], AbstractContextManager[None]],
) -> None:
    @in_virtual_time
    async def check() -> None:
        names = NameServer()
        with names.in_use():
            async with ordeal(host=NAME) as trial, _also_at(trial, NEW) as moved:
                before = trial.world.server.connections
                with trouble(names):
                    await _scrape_until_refreshed(trial, REFRESHES)
                    page = await trial.scrape()
                assert page.value("aps_up") == 0
                assert page.value("aps_consecutive_failures") == REFRESHES
                failures = page.count("aps_query_failures_total", "info", "resolve")
                assert failures == sum(page.values("aps_query_failures_total")) == 2 * REFRESHES
                names.address = NEW
                await _scrape_until_refreshed(trial)
                assert (moved.connections, trial.world.server.connections) == (QUERIES, before)
                assert (await trial.scrape()).value("aps_up") == 1
                names.address = OLD

    check()
