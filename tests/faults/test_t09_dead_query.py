"""T9: while one query is dead for 500 refreshes, what the other two say stays fresh each time."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.faults.ordeal import Ordeal, Page, ordeal
from tests.virtual_time import in_virtual_time

REFRESHES = 500
ROUND = 300
STALE_AFTER = 900
NEW_WITHIN = 2 * ROUND
MOST_TRIES = 4
"""A refresh of all three: a try, a retry; and up to two more until the next."""

QUERIES = ("info", "inverters", "signal")
SIGN_OF_LIFE = {
    "info": "aps_ecu_power_watts",
    "inverters": "aps_inverter_online",
    "signal": "aps_inverter_signal_strength_ratio",
}

of_each_query = pytest.mark.parametrize("dead", QUERIES)


@dataclass(frozen=True)
class Sight:
    """A page, how long the dead query was dead, and what the last two rounds truly were."""

    page: Page
    at: float
    dead_for: float
    watts: frozenset[float]
    online: frozenset[int]

    def ecu_numbers_are_fresh(self) -> bool:
        return self.page.value("aps_ecu_power_watts") in self.watts

    def measurements_are_fresh(self) -> bool:
        return (
            sum(self.page.values("aps_inverter_power_watts")) in self.watts
            and sum(self.page.values("aps_inverter_online")) in self.online
            and self.at - (self.page.value("aps_ecu_last_report_timestamp_seconds") or 0)
            <= NEW_WITHIN
            and (self.page.value("aps_ecu_data_age_seconds") or 0) <= NEW_WITHIN
        )

    def signal_is_fresh(self) -> bool:
        """It is there by day, and not at night."""
        told = self.page.values("aps_inverter_signal_strength_ratio")
        return bool(told) in {bool(online) for online in self.online}


IS_FRESH: Mapping[str, Callable[[Sight], bool]] = {
    "info": Sight.ecu_numbers_are_fresh,
    "inverters": Sight.measurements_are_fresh,
    "signal": Sight.signal_is_fresh,
}


@asynccontextmanager
async def _on_a_timer(trial: Ordeal) -> AsyncIterator[None]:
    """Refresh as a push sink does, so that scrapes can be few."""
    timer = asyncio.create_task(trial.cache.keep_refreshing())
    try:
        yield
    finally:
        timer.cancel()
        await asyncio.wait([timer])


async def _look(trial: Ordeal, died_at: float) -> Sight:
    page = await trial.scrape()
    simulated = trial.world.simulated
    rounds = [simulated.newest_round - timedelta(seconds=ROUND * back) for back in range(3)]
    plant = simulated.plant
    return Sight(
        page,
        trial.world.clock.now().timestamp(),
        asyncio.get_running_loop().time() - died_at,
        frozenset(plant.power_watts(at) for at in rounds),
        frozenset(sum(plant.measure(i, at).online for i in plant.inverters) for at in rounds),
    )


async def _kill(trial: Ordeal, dead: str, refreshes: int, look_every: float = ROUND) -> list[Sight]:
    """One query hangs up on us through so many refreshes of all three; looks meanwhile."""
    ecu = trial.world.ecu
    died_at = ecu.times_of(dead)[-1]
    ecu.asked.clear()
    ecu.answers[dead] = None
    alive = next(name for name in QUERIES if name != dead)
    sights: list[Sight] = []
    async with _on_a_timer(trial):
        while len(ecu.times_of(alive)) < refreshes:
            assert len(sights) < 2 * refreshes
            sights.append(await _look(trial, died_at))
            await asyncio.sleep(look_every)
    return sights


def _assert_others_stay_fresh(sights: list[Sight], dead: str) -> None:
    for name in QUERIES:
        if name != dead:
            assert [s.dead_for for s in sights if not IS_FRESH[name](s)] == []
            assert {s.page.value("aps_query_success", name) for s in sights} == {1}
    assert {s.page.value("aps_up") for s in sights} == {1}
    assert {s.page.value("aps_consecutive_failures") for s in sights} == {0}


@of_each_query
def test_what_the_other_queries_say_stays_fresh(dead: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            sights = await _kill(trial, dead, REFRESHES, look_every=2 * ROUND)
            _assert_others_stay_fresh(sights, dead)

    check()


@of_each_query
def test_what_the_dead_query_said_ages_out(dead: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            for sight in await _kill(trial, dead, 10):
                is_there = sight.page.values(SIGN_OF_LIFE[dead]) != []
                assert is_there is (sight.dead_for <= STALE_AFTER)

    check()


@of_each_query
def test_dead_query_fails_by_itself(dead: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            await _kill(trial, dead, 50)
            await asyncio.sleep(30)  # a refresh under way ends
            asked = len(trial.world.ecu.times_of(dead))
            page = await trial.scrape()
            assert page.value("aps_query_success", dead) == 0
            assert page.value("aps_query_failures_total", dead, "closed") == asked
            assert sum(page.values("aps_query_failures_total")) == asked

    check()


@of_each_query
def test_only_the_dead_query_is_asked_again(dead: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            await _kill(trial, dead, 100)
            asked = " ".join(trial.world.ecu.names)
            assert re.fullmatch(rf"(info inverters signal( {dead})+ ?)+", asked)
            assert len(trial.world.ecu.times_of(dead)) <= MOST_TRIES * 100

    check()


@in_virtual_time
async def test_queries_may_die_one_after_the_other() -> None:
    async with ordeal() as trial:
        for dead in ("signal", "inverters", "info"):
            _assert_others_stay_fresh(await _kill(trial, dead, 20), dead)
            await trial.heal()
            await trial.assert_recovers()
