"""The client against sockets that misbehave, in virtual time unless a name is looked up."""

import asyncio
import errno
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import AsyncMock, patch

import pytest

from aps_exporter.ecu.client import LINE_FEED_GRACE_SECONDS, EcuClient
from aps_exporter.ecu.queries import InfoQuery, InvertersQuery
from aps_exporter.ecu.replies import build_reply
from aps_exporter.errors import EcuUnreachableError, MalformedReplyError, QueryError
from tests.virtual_time import in_virtual_time

TIMEOUT = 10.0
REPLY = build_reply("11", "0001", b"\n" * 40)

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _listening(behave: Behaviour) -> AsyncIterator[EcuClient]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield EcuClient("127.0.0.1", server.sockets[0].getsockname()[1], TIMEOUT)
    finally:
        server.close()


def _sends(*pieces: bytes, pause: float = 0.0, then_wait: float = 0.0) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        await asyncio.sleep(then_wait)

    return behave


async def _failure(client: EcuClient) -> QueryError:
    with pytest.raises(QueryError) as caught:
        await client.ask(InfoQuery())
    return caught.value


@in_virtual_time
async def test_whole_reply_is_given_at_once_without_waiting_for_the_ecu_to_hang_up() -> None:
    async with _listening(_sends(REPLY, then_wait=60)) as client:
        began = asyncio.get_running_loop().time()
        reply = await client.ask(InfoQuery())
        assert reply.body == b"\n" * 40
        assert asyncio.get_running_loop().time() == began


@in_virtual_time
async def test_request_is_sent_as_it_stands_in_the_protocol() -> None:
    received = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readline())
        writer.write(build_reply("11", "0002", b"00"))

    async with _listening(behave) as client:
        await client.ask(InvertersQuery("216200000001"))
    assert received == [b"APS1100280002216200000001END\n"]


@in_virtual_time
async def test_reply_in_pieces_is_put_together() -> None:
    pieces = [REPLY[i : i + 1] for i in range(len(REPLY))]
    async with _listening(_sends(*pieces, pause=0.1)) as client:
        assert (await client.ask(InfoQuery())).body == b"\n" * 40


@in_virtual_time
async def test_reply_without_line_feed_is_given_after_a_short_grace() -> None:
    async with _listening(_sends(REPLY[:-1], then_wait=60)) as client:
        began = asyncio.get_running_loop().time()
        await client.ask(InfoQuery())
        took = asyncio.get_running_loop().time() - began
        assert took == pytest.approx(LINE_FEED_GRACE_SECONDS)


@in_virtual_time
async def test_bytes_behind_a_reply_are_counted() -> None:
    async with _listening(_sends(REPLY + REPLY)) as client:
        assert (await client.ask(InfoQuery())).trailing_bytes == len(REPLY)


@in_virtual_time
async def test_endless_stream_is_left_at_the_first_frame() -> None:
    async with _listening(_sends(*[b"APS119999000" + b"1" * 8_000] * 100)) as client:
        reply = await client.ask(InfoQuery())
        assert len(reply.body) <= 10_000


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (_sends(then_wait=60), "timeout"),
        (_sends(*[REPLY[i : i + 1] for i in range(20)], pause=1.0), "timeout"),
        (_sends(), "closed"),
        (_sends(REPLY[:20]), "truncated"),
        (_sends(REPLY[:2]), "truncated"),
        (_sends(b"HTTP/1.1 400 Bad Request\r\n", then_wait=60), "framing"),
        (_sends(build_reply("11", "0030", b"00")), "framing"),
    ],
    ids=["silence", "drip", "hangs up", "cut", "cut header", "no ECU", "foreign command"],
)
def test_each_way_to_fail_has_its_reason(behave: Behaviour, reason: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with _listening(behave) as client:
            assert (await _failure(client)).reason == reason

    check()


@pytest.mark.parametrize(
    ("behave", "received"),
    [
        (_sends(then_wait=60), b""),
        (_sends(REPLY[:20], then_wait=60), REPLY[:20]),
        (_sends(REPLY[:20]), REPLY[:20]),
        (_sends(b"HTTP/1.1 400 Bad Request\r\n"), b"HTTP/1.1 400 Bad Request\r\n"),
        (_sends(build_reply("11", "0030", b"00")), build_reply("11", "0030", b"00")),
    ],
    ids=["silence", "too slow", "cut", "no ECU", "foreign command"],
)
def test_failure_keeps_what_came(behave: Behaviour, received: bytes) -> None:
    @in_virtual_time
    async def check() -> None:
        async with _listening(behave) as client:
            assert (await _failure(client)).received == received

    check()


@in_virtual_time
async def test_connect_may_have_a_shorter_limit_than_the_query() -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(3_600)

    loop = asyncio.get_running_loop()
    began = loop.time()
    with patch.object(loop, "sock_connect", never):
        failure = await _failure(EcuClient("127.0.0.1", 8899, TIMEOUT, connect_timeout=0.5))
    assert failure.reason == "timeout"
    assert loop.time() - began == pytest.approx(0.5)


@in_virtual_time
async def test_limit_of_the_connect_is_none_for_the_reply() -> None:
    async with _listening(_sends(REPLY[:20], REPLY[20:], pause=2.0)) as client:
        patient = EcuClient(client.host, client.port, TIMEOUT, connect_timeout=0.5)
        assert (await patient.ask(InfoQuery())).raw == REPLY


@in_virtual_time
async def test_drip_ends_at_the_one_deadline() -> None:
    drip = _sends(*[REPLY[i : i + 1] for i in range(40)], pause=1.0)
    async with _listening(drip) as client:
        began = asyncio.get_running_loop().time()
        await _failure(client)
        assert asyncio.get_running_loop().time() - began == pytest.approx(TIMEOUT)


@in_virtual_time
async def test_reset_before_a_reply_counts_as_closed() -> None:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with _listening(behave) as client:
        assert (await _failure(client)).reason == "closed"


async def test_reset_in_the_middle_of_a_reply_counts_as_truncated() -> None:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.write(b"APS1100940001")
        await asyncio.sleep(0.1)  # else the reset overtakes the bytes
        writer.transport.abort()

    async with _listening(behave) as client:
        failure = await _failure(client)
        assert (failure.reason, failure.received) == ("truncated", b"APS1100940001")


@in_virtual_time
async def test_closed_port_is_refused_and_was_never_connected() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    failure = await _failure(EcuClient("127.0.0.1", port, TIMEOUT))
    assert isinstance(failure, EcuUnreachableError)
    assert (failure.reason, failure.connected) == ("refused", False)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ENETUNREACH, "unreachable"),
        (errno.ETIMEDOUT, "timeout"),
    ],
)
def test_connect_errors_have_their_reason(number: int, reason: str) -> None:
    @in_virtual_time
    async def check() -> None:
        loop = asyncio.get_running_loop()
        with patch.object(loop, "sock_connect", side_effect=OSError(number, os.strerror(number))):
            assert (await _failure(EcuClient("127.0.0.1", 8899, TIMEOUT))).reason == reason

    check()


@in_virtual_time
async def test_connection_that_never_comes_about_is_a_timeout_and_never_connected() -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(3_600)

    with patch.object(asyncio.get_running_loop(), "sock_connect", never):
        failure = await _failure(EcuClient("127.0.0.1", 8899, TIMEOUT))
    assert isinstance(failure, EcuUnreachableError)
    assert (failure.reason, failure.connected) == ("timeout", False)


@in_virtual_time
async def test_address_of_a_family_this_host_has_not_is_passed_over() -> None:
    class WithoutIpv6(socket.socket):
        def __init__(
            self, family: int = -1, kind: int = -1, proto: int = -1, fileno: int | None = None
        ) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            super().__init__(family, kind, proto, fileno)

    async with _listening(_sends(REPLY)) as client:
        addresses = [
            (socket.AF_INET6, ("::1", client.port)),
            (socket.AF_INET, ("127.0.0.1", client.port)),
        ]
        with (
            patch("aps_exporter.ecu.client.look_up", AsyncMock(return_value=addresses)),
            patch("socket.socket", WithoutIpv6),
        ):
            named = EcuClient("ecu.example", client.port, TIMEOUT)
            assert (await named.ask(InfoQuery())).command == "0001"


@in_virtual_time
async def test_silent_address_leaves_time_for_the_next_one() -> None:
    async with _listening(_sends(REPLY)) as client:
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect

        async def first_is_silent(connection: socket.socket, address: tuple[str, int]) -> None:
            if address[0] == "127.0.0.2":
                await asyncio.sleep(3_600)
            await connect(connection, address)

        addresses = [(socket.AF_INET, (a, client.port)) for a in ("127.0.0.2", "127.0.0.1")]
        with (
            patch("aps_exporter.ecu.client.look_up", AsyncMock(return_value=addresses)),
            patch.object(loop, "sock_connect", first_is_silent),
        ):
            named = EcuClient("ecu.example", client.port, TIMEOUT)
            assert (await named.ask(InfoQuery())).command == "0001"


@in_virtual_time
async def test_no_socket_to_be_had_is_one_of_our_errors() -> None:
    with patch("socket.socket", side_effect=OSError(errno.EMFILE, os.strerror(errno.EMFILE))):
        assert (await _failure(EcuClient("127.0.0.1", 8899, TIMEOUT))).reason == "unreachable"


async def test_name_is_looked_up_anew_for_each_query() -> None:
    asked = []

    def look_up(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with _listening(_sends(REPLY)) as client:
        with patch("socket.getaddrinfo", look_up):
            named = EcuClient("ecu.example", client.port, TIMEOUT)
            await named.ask(InfoQuery())
            await named.ask(InfoQuery())
    assert asked == ["ecu.example"] * 2


async def test_every_address_of_a_name_is_tried() -> None:
    def look_up(_: str, port: int, **__: object) -> list[object]:
        addresses = ["127.0.0.2", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    async with _listening(_sends(REPLY)) as client:
        with patch("socket.getaddrinfo", look_up):
            await EcuClient("ecu.example", client.port, TIMEOUT).ask(InfoQuery())


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid"])
async def test_name_that_does_not_exist_is_a_resolve_failure(host: str) -> None:
    assert (await _failure(EcuClient(host, 8899, TIMEOUT))).reason == "resolve"


async def test_name_server_that_never_answers_is_a_resolve_failure_at_the_deadline() -> None:
    release = threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        release.wait(5)
        return []

    with patch("socket.getaddrinfo", look_up):
        failure = await _failure(EcuClient("ecu.example", 8899, timeout=0.05))
        release.set()
    assert failure.reason == "resolve"


async def test_name_without_an_address_is_a_resolve_failure() -> None:
    with patch("socket.getaddrinfo", return_value=[]):
        assert (await _failure(EcuClient("ecu.example", 8899, TIMEOUT))).reason == "resolve"


@in_virtual_time
async def test_sockets_are_closed_on_every_path() -> None:
    before = _open_files()
    behaviours = [_sends(REPLY), _sends(REPLY[:20]), _sends(b"junk"), _sends(then_wait=60)]
    for behave in behaviours:
        async with _listening(behave) as client:
            for _ in range(20):
                try:
                    await client.ask(InfoQuery())
                except (EcuUnreachableError, MalformedReplyError):
                    continue
        await asyncio.sleep(100)
    assert _open_files() <= before


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
