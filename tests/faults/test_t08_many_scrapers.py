"""T8: however many scrape, and however slow the ECU, it is asked on schedule, for all alike."""

import asyncio
import re
from dataclasses import dataclass

import pytest

from tests.faults.ordeal import PLAIN, Ordeal, ordeal
from tests.virtual_time import in_virtual_time

SCRAPERS = 50
HOURS = 3
LONGEST_WAIT = 4.0
RESOLUTION = 0.01
SEARCH_FOR_THE_PHASE = 12
"""Refreshes that come too early, until it is known when rounds do."""

GROWS_WITH_THE_CLOCK = "aps_ecu_data_age_seconds"
"""The only series that may differ within a generation; the age of the data, in whole seconds."""

MARKS_OF_A_GENERATION = re.compile(
    r"^(?:aps_last_success_timestamp_seconds|aps_query_failures_total|aps_refreshes_total)\{.*$",
    re.MULTILINE,
)
"""They change with each reply, each failure, and the end of each refresh."""

NEXT_REFRESH = re.compile(r"^aps_next_refresh_timestamp_seconds\{.*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Scrape:
    """One scrape: when it was begun, how long it took, and its whole body."""

    at: float
    took: float
    body: str

    @property
    def generation(self) -> tuple[str, ...]:
        return tuple(MARKS_OF_A_GENERATION.findall(self.body))

    @property
    def ageless_body(self) -> str:
        lines = self.body.splitlines()
        return "\n".join(line for line in lines if not line.startswith(GROWS_WITH_THE_CLOCK + "{"))

    @property
    def next_refresh(self) -> float:
        (told,) = NEXT_REFRESH.findall(self.body)
        return float(told)


async def _scrape(trial: Ordeal) -> Scrape:
    """On a connection of its own, as a stranger does."""
    at = _now(trial)
    headers = {**PLAIN, "Connection": "close"}
    answer = await trial.client.get("/metrics", headers=headers)
    body = await answer.text()
    assert answer.status == 200
    return Scrape(at, _now(trial) - at, body)


async def _keep_scraping(trial: Ordeal, seconds: float, every: float) -> list[Scrape]:
    until = _now(trial) + seconds
    scrapes = []
    while _now(trial) < until:
        scrapes.append(await _scrape(trial))
        await asyncio.sleep(every)
    return scrapes


async def _fifty_for_a_minute(trial: Ordeal) -> list[Scrape]:
    """From the moment that the next refresh is due."""
    await asyncio.sleep((await _scrape(trial)).next_refresh - _now(trial) + RESOLUTION)
    many = (_keep_scraping(trial, 60, 5) for _ in range(SCRAPERS))
    return [scrape for scrapes in await asyncio.gather(*many) for scrape in scrapes]


def _now(trial: Ordeal) -> float:
    return trial.world.clock.now().timestamp()


def _by_generation(scrapes: list[Scrape]) -> dict[tuple[str, ...], set[str]]:
    generations: dict[tuple[str, ...], set[str]] = {}
    for scrape in scrapes:
        generations.setdefault(scrape.generation, set()).add(scrape.ageless_body)
    return generations


@pytest.mark.parametrize(
    ("query_timeout", "connections"),
    [
        (25, 3),
        (10, 3 + 3),  # every query is tried twice
    ],
    ids=["patient", "default timeout"],
)
def test_fifty_scrapers_of_a_slow_ecu_share_one_refresh(
    query_timeout: float, connections: int
) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal(query_timeout=query_timeout) as trial:
            server = trial.world.server
            trial.world.faults.add("slow")
            before = server.connections
            scrapes = await _fifty_for_a_minute(trial)
            assert len(scrapes) >= SCRAPERS * 12
            assert server.connections - before == connections
            assert server.most_open_connections == 1

    check()


@pytest.mark.parametrize(
    ("query_timeout", "generations"),
    [
        (25, 1 + 2),  # the one before, and what two replies say; the third comes after the minute
        (10, 1 + 5),  # the one before, and after each failure but the last
    ],
    ids=["patient", "default timeout"],
)
def test_bodies_of_one_generation_are_identical_while_the_ecu_is_slow(
    query_timeout: float, generations: int
) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal(query_timeout=query_timeout) as trial:
            trial.world.faults.add("slow")
            bodies = _by_generation(await _fifty_for_a_minute(trial))
            assert len(bodies) == generations
            assert {len(same) for same in bodies.values()} == {1}

    check()


@pytest.mark.parametrize("query_timeout", [25, 10], ids=["patient", "default timeout"])
def test_only_the_first_scrape_of_each_scraper_waits_for_a_slow_ecu(query_timeout: float) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal(query_timeout=query_timeout) as trial:
            trial.world.faults.add("slow")
            took = [round(scrape.took, 3) for scrape in await _fifty_for_a_minute(trial)]
            assert {seconds for seconds in took if seconds} == {LONGEST_WAIT}
            assert len([seconds for seconds in took if seconds]) == SCRAPERS

    check()


@in_virtual_time
async def test_two_scrapers_in_the_same_second_cost_no_connection_beyond_the_schedule() -> None:
    async with ordeal() as trial:
        pairs = await _pairs_for_hours(trial)
        asked = [_moment(trial, at) for at in trial.world.ecu.times_of("info")]
        told = [(scrape.at + scrape.took, scrape.next_refresh) for pair in pairs for scrape in pair]
        for refreshed in asked[1:]:
            assert refreshed >= max((next_ for at, next_ in told if at < refreshed), default=0)
        assert trial.world.server.connections == 3 * len(asked)
        assert len(asked) <= HOURS * 12 + SEARCH_FOR_THE_PHASE
        assert trial.world.server.most_open_connections == 1


@in_virtual_time
async def test_two_scrapers_in_the_same_second_get_the_same_body() -> None:
    async with ordeal() as trial:
        pairs = await _pairs_for_hours(trial)
        bodies = _by_generation([scrape for pair in pairs for scrape in pair])
        assert {len(same) for same in bodies.values()} == {1}
        assert len(bodies) >= HOURS * 12
        assert all(one.body == other.body for one, other in pairs if one.at == other.at)
        alike = [one.ageless_body == other.ageless_body for one, other in pairs]
        assert alike.count(False) <= len(pairs) / 20  # a refresh fell between the two


async def _pairs_for_hours(trial: Ordeal) -> list[tuple[Scrape, Scrape]]:
    """Every 15 s two scrapes, the second up to a second behind the first."""
    pairs = []
    for index in range(HOURS * 240):
        began = _now(trial)
        behind = index % 10 / 10
        pairs.append(await asyncio.gather(_scrape(trial), _scrape_later(trial, behind)))
        await asyncio.sleep(began + 15 - _now(trial))
    return pairs


async def _scrape_later(trial: Ordeal, seconds: float) -> Scrape:
    await asyncio.sleep(seconds)
    return await _scrape(trial)


def _moment(trial: Ordeal, loop_time: float) -> float:
    """This moment of the loop on the wall clock."""
    return _now(trial) - asyncio.get_running_loop().time() + loop_time
