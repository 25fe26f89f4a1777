"""The port, shut and opened again while the simulator runs."""

import asyncio
import socket
from unittest.mock import patch

import pytest

from aps_exporter.clock import ScaledClock
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.queries import InfoQuery
from aps_exporter.errors import QueryError
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.plant import plant_inverters
from aps_exporter.simulator.running import running_ecu_server
from aps_exporter.simulator.script import parse_script
from tests.virtual_time import in_virtual_time
from tests.world import START, World, world


async def _outcome(w: World) -> str:
    """`ok`, or why the info query failed."""
    try:
        await EcuClient("127.0.0.1", w.port, timeout=10).ask(InfoQuery())
    except QueryError as error:
        return error.reason
    return "ok"


@in_virtual_time
async def test_port_is_shut_and_opened_when_the_script_says_so() -> None:
    script = "+3:00:00 refuse for 25m\n+3:20:00 refuse for 10m\n+24:00:00 refuse for 1s"
    async with world(script=script) as w:
        assert await _outcome(w) == "ok"
        await w.pass_time(3 * 3_600 - 1)
        assert await _outcome(w) == "ok"
        await w.pass_time(1.1)
        assert await _outcome(w) == "refused"
        await w.pass_time(29 * 60 + 58)
        assert await _outcome(w) == "refused"
        await w.pass_time(2)
        assert await _outcome(w) == "ok"
        await w.pass_time(20.5 * 3_600 + 0.4)
        assert await _outcome(w) == "refused"
        await w.pass_time(1)
        assert await _outcome(w) == "ok"


@in_virtual_time
async def test_port_that_the_script_shuts_at_the_start_is_never_open_before() -> None:
    async with world(script="+0:00:00 refuse for 10s") as w:
        assert await _outcome(w) == "refused"
        await w.pass_time(10.1)
        assert await _outcome(w) == "ok"


@in_virtual_time
async def test_port_obeys_a_hand_once_it_is_told_to() -> None:
    async with world() as w:
        for _ in range(3):
            w.faults.add("refuse")
            await w.server.heed_refuse()
            assert await _outcome(w) == "refused"
            w.faults.discard("refuse")
            await w.server.heed_refuse()
            assert await _outcome(w) == "ok"
        assert w.server.connections == 3


@in_virtual_time
async def test_heeding_twice_is_heeding_once() -> None:
    async with world(faults=["refuse"]) as w:
        await asyncio.gather(*(w.server.heed_refuse() for _ in range(3)))
        assert await _outcome(w) == "refused"
        w.faults.clear()
        await asyncio.gather(*(w.server.heed_refuse() for _ in range(3)))
        assert await _outcome(w) == "ok"


@in_virtual_time
async def test_connection_that_is_open_goes_on_while_the_port_is_shut() -> None:
    async with world() as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        await w.pass_time(0.1)
        w.faults.add("refuse")
        await w.server.heed_refuse()
        assert w.server.open_connections == 1
        writer.write(InfoQuery().request)
        assert (await reader.read(1_000)).startswith(b"APS")
        writer.close()
        await w.pass_time(0.1)
        assert (w.server.open_connections, w.server.most_open_connections) == (0, 1)


@in_virtual_time
async def test_connection_made_as_the_port_is_shut_is_served_or_reset_but_never_lost() -> None:
    outcomes = set()
    async with world() as w:
        for rounds in range(8):  # asyncio takes a connection in several rounds of its loop
            connecting = asyncio.create_task(_outcome(w))
            for _ in range(rounds):
                await asyncio.sleep(0)
            w.faults.add("refuse")
            await w.server.heed_refuse()
            outcomes.add(await connecting)
            w.faults.clear()
            await w.server.heed_refuse()
        await w.pass_time(0.1)
        assert w.server.open_connections == 0
    assert "ok" in outcomes
    assert "timeout" not in outcomes


@in_virtual_time
async def test_nobody_else_can_listen_on_a_port_that_only_refuses_for_a_while() -> None:
    async with world(faults=["refuse"]) as w:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", w.port))


@in_virtual_time
async def test_cache_goes_through_a_night_of_refusal_and_back_by_itself() -> None:
    async with world(script="+0:30:00 refuse for 25m") as w:
        cache = w.cache()
        timer = asyncio.create_task(cache.keep_refreshing())
        await w.pass_time(50 * 60)
        assert not cache.status().up
        assert {reason for _, reason in cache.status().query_failures} == {"refused"}
        await w.pass_time(15 * 60)
        assert cache.status().up
        assert w.server.most_open_connections == 1
        timer.cancel()


@in_virtual_time
async def test_script_sleeps_from_edge_to_edge_and_polls_nothing() -> None:
    async with world(script="+1:00:00 refuse for 1h\n+24:00:00 refuse for 1h") as w:
        with patch.object(w.clock, "sleep", wraps=w.clock.sleep) as sleep:
            await w.pass_time(48 * 3_600)
        assert sleep.call_count == 4


@in_virtual_time
async def test_port_that_was_lost_is_tried_until_it_can_be_had() -> None:
    async with world(script="+0:00:10 refuse for 10s") as w:
        real = asyncio.start_server
        with patch("asyncio.start_server", side_effect=OSError("taken")):
            await w.pass_time(60)
            assert await _outcome(w) == "refused"
        assert asyncio.start_server is real
        await w.pass_time(2)
        assert await _outcome(w) == "ok"


@in_virtual_time
async def test_port_that_somebody_took_by_force_is_opened_once_they_are_gone() -> None:
    async with world(faults=["refuse"]) as w:
        w.faults.clear()
        with socket.create_server(("127.0.0.1", w.port)):
            for _ in range(2):
                with pytest.raises(OSError, match="in use"):
                    await w.server.heed_refuse()
        await w.server.heed_refuse()
        assert await _outcome(w) == "ok"


@in_virtual_time
async def test_closing_while_refusing_gives_the_port_back() -> None:
    async with world(faults=["refuse"]) as w:
        port = w.port
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


@in_virtual_time
async def test_window_at_a_thousand_times_the_speed_is_a_thousandth_as_long() -> None:
    loop = asyncio.get_running_loop()
    clock = ScaledClock(1_000, START, ticks=loop.time)
    faults = FaultSchedule(clock, (), parse_script("+1:00:00 refuse for 1h"))
    ecu = SimulatedEcu(plant_inverters("ds3:1"), clock, faults=faults)
    async with running_ecu_server(EcuServer(ecu, ecu.faults), "127.0.0.1", 0) as port:
        client = EcuClient("127.0.0.1", port, timeout=10)
        await asyncio.sleep(3.7)
        with pytest.raises(QueryError, match="refused"):
            await client.ask(InfoQuery())
        await asyncio.sleep(3.6)
        assert (await client.ask(InfoQuery())).command == "0001"
