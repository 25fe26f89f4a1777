"""Faults of the connection, as the real client sees them."""

import asyncio
import re

import pytest

from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.queries import InfoQuery
from aps_exporter.ecu.replies import Reply
from aps_exporter.errors import QueryError
from aps_exporter.readings import EcuReading
from aps_exporter.simulator.ecu_server import SEGMENT_BYTES
from aps_exporter.simulator.faults import Fault
from tests.virtual_time import in_virtual_time
from tests.world import World, world

LONG_ENOUGH = 600


async def _ask(w: World, patience: float = 10) -> tuple[Reply, float]:
    """The reply to an info query, and how many seconds it took."""
    began = asyncio.get_running_loop().time()
    reply = await EcuClient("127.0.0.1", w.port, timeout=patience).ask(InfoQuery())
    return reply, asyncio.get_running_loop().time() - began


async def _failure(w: World) -> QueryError:
    with pytest.raises(QueryError) as caught:
        await _ask(w)
    return caught.value


@pytest.mark.parametrize(
    ("fault", "reason", "asked"),
    [
        ("refuse", "refused", []),
        ("close", "closed", []),
        ("silent", "timeout", []),
        ("empty", "closed", ["info"]),
        ("slow", "timeout", []),
        ("drip", "timeout", ["info"]),
    ],
)
def test_client_gives_the_reason_of_a_fault(fault: Fault, reason: str, asked: list[str]) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(faults=[fault]) as w:
            assert (await _failure(w)).reason == reason
            assert w.ecu.names == asked

    check()


@pytest.mark.parametrize("fault", ["silent", "slow", "drip", "segment"])
def test_client_that_leaves_early_is_noticed_and_the_next_one_served(fault: Fault) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(faults=[fault]) as w:
            _, writer = await asyncio.open_connection("127.0.0.1", w.port)
            writer.write(InfoQuery().request)
            await w.pass_time(0.005)
            assert w.server.open_connections == 1
            writer.close()
            await w.pass_time(0.005)
            assert w.server.open_connections == 0
            w.faults.clear()
            assert (await _ask(w))[1] < 0.1

    check()


@in_virtual_time
async def test_slow_answer_comes_after_twenty_seconds() -> None:
    async with world(faults=["slow"]) as w:
        reply, took = await _ask(w, LONG_ENOUGH)
        assert took == pytest.approx(20)
        assert reply.command == "0001"


@in_virtual_time
async def test_drip_is_a_byte_a_second() -> None:
    async with world(faults=["drip"]) as w:
        assert re.search("only 1[01] bytes came", (await _failure(w)).detail)
        reply, took = await _ask(w, LONG_ENOUGH)
        w.faults.clear()
        assert reply == (await _ask(w))[0]
        whole = w.simulated.reply_to(InfoQuery().request)
        assert whole is not None
        assert len(whole) - 2 <= took < len(whole)  # the client waits for no last line feed


@in_virtual_time
async def test_segments_are_pieces_of_the_same_reply() -> None:
    async with world(faults=["segment"]) as w:
        assert (await _ask(w))[0].command == "0001"
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(InfoQuery().request)
        pieces: list[bytes] = []
        while b"END\n" not in b"".join(pieces):
            pieces.append(await reader.read(10_000))
        writer.close()
        assert {len(piece) for piece in pieces[:-1]} == {SEGMENT_BYTES}
        assert len(pieces) > 2
        assert b"".join(pieces) == w.simulated.reply_to(InfoQuery().request)


@in_virtual_time
async def test_longest_list_in_segments_is_read_within_the_deadline() -> None:
    async with world(inverters="qt2:300", faults=["segment"]) as w:
        cache = w.cache()
        cache.start_if_due()
        await w.pass_time(60)
        assert cache.status().query_success == {"info": True, "inverters": True, "signal": True}


@in_virtual_time
async def test_second_client_is_hung_up_on_at_once_by_an_ecu_for_one_client() -> None:
    async with world(faults=["one-client"]) as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        await w.pass_time(0.1)
        began = asyncio.get_running_loop().time()
        assert (await _failure(w)).reason == "closed"
        assert asyncio.get_running_loop().time() - began < 0.1
        writer.write(InfoQuery().request)
        assert (await reader.read(4))[:3] == b"APS"
        writer.close()
        await w.pass_time(0.1)
        assert (await _ask(w))[0].command == "0001"
        await w.pass_time(0.1)
        assert (w.server.connections, w.server.most_open_connections) == (3, 2)
        assert w.server.open_connections == 0


@in_virtual_time
async def test_faults_of_connection_reply_and_plant_combine() -> None:
    async with world(faults=["zero-glitch", "drip", "no-end"]) as w:
        reply, took = await _ask(w, LONG_ENOUGH)
        assert took > 60
        assert reply.trailer_missing
        info = decode_reply(reply)
        assert isinstance(info, EcuReading)
        assert (info.inverters, info.inverters_online) == (0, 2)


@in_virtual_time
async def test_slow_and_empty_hangs_up_after_twenty_seconds() -> None:
    async with world(faults=["slow", "empty"]) as w:
        began = asyncio.get_running_loop().time()
        with pytest.raises(QueryError, match="closed"):
            await _ask(w, LONG_ENOUGH)
        assert asyncio.get_running_loop().time() - began == pytest.approx(20)
