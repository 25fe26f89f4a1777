"""The loop whose time jumps: hours pass at once, and nothing on its way is skipped."""

import asyncio
import socket
import threading
import time

import pytest

from tests.virtual_time import in_virtual_time


def test_hours_pass_in_no_time() -> None:
    @in_virtual_time
    async def sleep() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(asyncio.sleep(3_600), asyncio.sleep(7_200))
        assert loop.time() - began == pytest.approx(7_200)

    began = time.monotonic()
    sleep()
    assert time.monotonic() - began < 5


@in_virtual_time
async def test_what_one_end_sends_is_never_overtaken_by_a_timer() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    for _ in range(300):
        async with asyncio.timeout(0.001):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"x" * 10_000 + b"\n")
            assert len(await reader.read(-1)) == 10_001
            writer.close()
            await writer.wait_closed()
    server.close()
    await server.wait_closed()


@in_virtual_time
async def test_silence_on_an_open_connection_lets_time_pass() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.settimeout(0)
        await loop.sock_connect(client, server.getsockname())
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await loop.sock_recv(client, 1)
        assert loop.time() - began == pytest.approx(600)


@in_virtual_time
async def test_thread_that_was_started_is_waited_for() -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def work() -> None:
        time.sleep(0.05)
        loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work).start()
    async with asyncio.timeout(0.001):
        await done.wait()
