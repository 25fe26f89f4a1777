"""T16: 20 ECUs of 50 inverters, one of them dead, one slow, one inverter serial in two of them:
the healthy ones are read on schedule within a second, and `/metrics` takes less than one.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import time as time_of_day
from typing import Final

import pytest

from aps_exporter.cache import EcuCache
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import PlantInverter, plant_inverters
from aps_exporter.simulator.running import running_ecu_server
from aps_exporter.web.routes import SCRAPE_TIMEOUT_HEADER
from tests.exporter import exporter
from tests.faults.ordeal import PLAIN, Ordeal, ordeal_of
from tests.virtual_time import in_virtual_time
from tests.world import ScriptedEcu, World, world

ECUS: Final = 20
INVERTERS: Final = 50
ROUNDS: Final = 4
DEAD, SLOW, OLD_HOME, NEW_HOME, *_ = range(ECUS)

ON_SCHEDULE: Final = 1.1
"""The second that is allowed, and the rounding of the moments that were told."""

FAR_TOO_LONG: Final = 5.0
"""The second that is allowed, and room for a busy machine."""

PAUSE: Final = 0.5
"""Seconds between the queries of a refresh, of which there are three."""

NOON: Final = time_of_day(12, 0)


@dataclass(frozen=True, slots=True)
class Member:
    """One ECU of the fleet, and the cache that reads it."""

    simulated: SimulatedEcu
    ecu: ScriptedEcu
    server: EcuServer
    cache: EcuCache

    @property
    def id(self) -> str:
        return self.simulated.ecu

    @property
    def faults(self) -> FaultSchedule:
        return self.simulated.faults


def inverters_of(number: int) -> list[PlantInverter]:
    """Fifty, each with a serial of its own in the whole fleet; but one was moved."""
    inverters = [
        replace(inverter, serial=f"7040{number:04}{inverter.place:04}")
        for inverter in plant_inverters(f"ds3:{INVERTERS}")
    ]
    if number == NEW_HOME:
        inverters[-1] = replace(inverters[-1], serial=inverters_of(OLD_HOME)[0].serial)
    return inverters


@asynccontextmanager
async def fleet(w: World) -> AsyncIterator[list[Member]]:
    """Twenty ECUs under one sun, each on a port of its own."""
    members = []
    async with AsyncExitStack() as stack:
        for number in range(ECUS):
            simulated = SimulatedEcu(
                inverters_of(number),
                w.clock,
                model="ecu-r-pro",
                ecu=f"2162000001{number:02}",
                sun_at_start=NOON,
            )
            ecu = ScriptedEcu(simulated)
            server = EcuServer(ecu, simulated.faults)
            port = await stack.enter_async_context(running_ecu_server(server, "127.0.0.1", 0))
            members.append(Member(simulated, ecu, server, w.cache(f"ecu-{number:02}", port=port)))
        yield members


async def hurt(members: list[Member], slow: Fault) -> list[Member]:
    """Make one dead and one slow; the others."""
    members[DEAD].faults.add("refuse")
    await members[DEAD].server.heed_refuse()
    members[SLOW].faults.add(slow)
    return members[SLOW + 1 :]


async def heal(members: list[Member]) -> None:
    for member in members:
        member.faults.clear()
        await member.server.heed_refuse()


async def moments_told(trial: Ordeal, members: list[Member], rounds: int) -> dict[str, set[float]]:
    """When each of these was to be asked next, as it said after each refresh, by the loop's time.

    Timers refresh them meanwhile, as for a sink, and somebody scrapes now and then.
    """
    told: dict[str, set[float]] = {member.id: set() for member in members}
    loop, clock = asyncio.get_running_loop(), trial.world.clock
    timers = [asyncio.create_task(cache.keep_refreshing()) for cache in trial.caches]
    for passed in range(0, rounds * 300, 30):
        if passed % 900 == 0:
            await trial.scrape()
        for member in members:
            moment = member.cache.status().next_refresh
            assert moment is not None
            told[member.id].add(round(loop.time() + (moment - clock.now()).total_seconds(), 1))
        await asyncio.sleep(30)
    for timer in timers:
        timer.cancel()
    return told


@pytest.mark.parametrize("slow", ["slow", "drip"])
def test_healthy_ones_are_read_on_schedule_whatever_becomes_of_the_others(slow: Fault) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w, fleet(w) as members:
            async with ordeal_of(w, [member.cache for member in members]) as trial:
                healthy = await hurt(members, slow)
                told = await moments_told(trial, healthy, rounds=ROUNDS)
                now = asyncio.get_running_loop().time()
                for member in healthy:
                    due = sorted(moment for moment in told[member.id] if moment < now - ON_SCHEDULE)
                    asked = member.ecu.times_of("info")[1:]
                    assert len(due) >= ROUNDS
                    assert asked == pytest.approx(due, abs=ON_SCHEDULE)
                    assert all(member.cache.status().query_success.values())
                    assert not member.cache.status().query_failures
                assert not members[DEAD].cache.status().up
                assert not members[SLOW].cache.status().up
                await heal(members)
                await trial.assert_recovers(every=100)
            assert all(member.server.open_connections == 0 for member in members)
            assert all(member.server.most_open_connections == 1 for member in members)

    check()


async def test_first_refresh_of_all_ends_in_time_and_so_does_every_scrape() -> None:
    async with world() as w, fleet(w) as members:
        healthy = await hurt(members, "slow")
        async with exporter([member.cache for member in members]) as client:
            began = time.perf_counter()
            headers = {SCRAPE_TIMEOUT_HEADER: "2", **PLAIN}
            first = asyncio.create_task(client.get("/metrics", headers=headers))
            await asyncio.gather(*(member.cache.ask_once() for member in healthy))
            assert time.perf_counter() - began < 2 * PAUSE + FAR_TOO_LONG
            assert (await first).status == 200
            assert time.perf_counter() - began < 2 + FAR_TOO_LONG
            for _ in range(3):
                began = time.perf_counter()
                answer = await client.get("/metrics", headers=PLAIN)
                text = await answer.text()
                took = time.perf_counter() - began
                assert took < FAR_TOO_LONG
            online = text.count("\naps_inverter_online{")
            assert online == len(healthy) * INVERTERS
        for member in members:
            await member.cache.close()


@in_virtual_time
async def test_one_serial_on_two_ecus_is_an_inverter_of_each() -> None:
    async with world() as w, fleet(w) as members:
        old, new = members[OLD_HOME], members[NEW_HOME]
        serial = inverters_of(OLD_HOME)[0].serial
        old.faults.add("offline")  # its old ECU still lists it
        async with ordeal_of(w, [old.cache, new.cache]) as trial:
            page = await trial.scrape()
            online = [page.value("aps_inverter_online", m.id, serial) for m in (old, new)]
            power = [page.value("aps_inverter_power_watts", m.id, serial) for m in (old, new)]
            assert online == [0, 1]
            assert power[0] is None
            assert power[1] is not None
            assert power[1] > 0
