"""Many scrapers, and an ECU that says nothing: the ECU is spared and Prometheus never waits."""

import asyncio
import datetime as dt
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp
import pytest

from aps_exporter import app, config
from aps_exporter.clock import RealClock
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import DEFAULT_INVERTERS, plant_inverters
from aps_exporter.simulator.running import running_ecu_server
from aps_exporter.state import State

pytestmark = pytest.mark.integration

SCRAPERS: Final = 50
QUERIES_OF_A_REFRESH: Final = 3

LONGEST_FIRST_SCRAPE: Final = 4.5
LONGEST_LATER_SCRAPE: Final = 0.1 * 5
"""A tenth of a second, and room for a busy machine."""

ECU_TIMEOUT: Final = 10
WATCHED_FOR: Final = ECU_TIMEOUT + 2


@dataclass(frozen=True, slots=True)
class Scrape:
    """How one scrape went."""

    status: int
    seconds: float
    text: str


class Scraper:
    """Scrapes one exporter."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def scrape(self) -> Scrape:
        began = time.perf_counter()
        async with self._session.get(self._url) as response:
            text = await response.text()
        return Scrape(response.status, time.perf_counter() - began, text)

    async def scrape_at_once(self, count: int) -> list[Scrape]:
        return await asyncio.gather(*(self.scrape() for _ in range(count)))


@asynccontextmanager
async def exporter_on(server: EcuServer) -> AsyncIterator[Scraper]:
    """An exporter that reads this ECU server, and a scraper of it."""
    async with running_ecu_server(server, "127.0.0.1", 0) as ecu_port:
        variables = {
            "APS_ECU_HOSTS": f"127.0.0.1:{ecu_port}",
            "APS_ECU_TIMEOUT": str(ECU_TIMEOUT),
            "APS_LISTEN_ADDRESS": "127.0.0.1:0",
        }
        async with (
            app.running_exporter(config.load(variables).config(), RealClock(), State()) as port,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            yield Scraper(session, f"http://127.0.0.1:{port}/metrics")


def ecu_server(*faults: Fault) -> EcuServer:
    inverters = plant_inverters(DEFAULT_INVERTERS)
    ecu = SimulatedEcu(inverters, RealClock(), sun_at_start=dt.time(12), faults=faults)
    return EcuServer(ecu, ecu.faults)


async def test_parallel_scrapes_share_one_refresh() -> None:
    server = ecu_server()
    async with exporter_on(server) as scraper:
        scrapes = await scraper.scrape_at_once(SCRAPERS)
        assert {scrape.status for scrape in scrapes} == {HTTPStatus.OK}
        assert all("\naps_channel_power_watts{" in scrape.text for scrape in scrapes)
        assert server.connections == QUERIES_OF_A_REFRESH
        assert server.most_open_connections == 1


async def test_scrapes_inside_a_round_ask_the_ecu_nothing() -> None:
    server = ecu_server()
    async with exporter_on(server) as scraper:
        await scraper.scrape()
        for _ in range(3):
            scrapes = await scraper.scrape_at_once(SCRAPERS)
            assert {scrape.status for scrape in scrapes} == {HTTPStatus.OK}
        assert server.connections == QUERIES_OF_A_REFRESH


async def test_a_silent_ecu_keeps_scrapes_waiting_once_and_never_fails_one() -> None:
    server = ecu_server("silent")
    async with exporter_on(server) as scraper:
        began = time.monotonic()
        first = await scraper.scrape_at_once(SCRAPERS)
        later = []
        while time.monotonic() < began + WATCHED_FOR:
            later.append(await scraper.scrape())
            await asyncio.sleep(0.1)
        assert {scrape.status for scrape in [*first, *later]} == {HTTPStatus.OK}
        assert max(scrape.seconds for scrape in first) <= LONGEST_FIRST_SCRAPE
        assert max(scrape.seconds for scrape in later) <= LONGEST_LATER_SCRAPE
        assert all(re.search(r"^aps_up\{.*\} 0\.0$", one.text, re.MULTILINE) for one in later)
        assert server.most_open_connections == 1
