"""Asks an ECU: one connection a query, one deadline a query, closed on every path."""

import asyncio
import errno
import ipaddress
import socket
import threading
from contextlib import suppress
from typing import Final

from aps_exporter.ecu.queries import Query
from aps_exporter.ecu.replies import Reply, ReplyAssembler
from aps_exporter.errors import EcuUnreachableError, FailureReason, MalformedReplyError

LINE_FEED_GRACE_SECONDS: Final = 0.2
"""How long the final line feed may come after the rest; some firmware never sends it."""

_CHUNK: Final = 16_384
"""Bytes; more than the longest reply, so that what trails behind it is seen and counted."""

_Address = tuple[socket.AddressFamily, tuple[str, int]]


class EcuClient:
    """Reads one ECU. Its address is resolved anew for each query: DHCP leases change."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.host = host
        self.port = port
        self._timeout = timeout

    async def ask(self, query: Query) -> Reply:
        """The ECU's reply to one query, within `timeout` seconds for everything together.

        Raises:
            EcuUnreachableError: reason resolve, refused, unreachable, timeout or closed.
            MalformedReplyError: reason truncated, or framing (no reply, or to another query).
        """
        progress = _Progress()
        try:
            async with asyncio.timeout(self._timeout):
                reply = await self._ask(query, progress)
        except TimeoutError:
            raise progress.timed_out(self._timeout) from None
        if reply.command != query.command:
            raise MalformedReplyError(
                "framing",
                f"expected a reply to command {query.command}, got one to {reply.command}",
            )
        return reply

    async def _ask(self, query: Query, progress: "_Progress") -> Reply:
        addresses = await self._resolve()
        progress.resolved = True
        failure: EcuUnreachableError | None = None
        for family, address in addresses:
            with socket.socket(family, socket.SOCK_STREAM) as connection:
                connection.settimeout(0)
                try:
                    await asyncio.get_running_loop().sock_connect(connection, address)
                except OSError as error:
                    failure = _connect_failure(error, address)
                    continue
                progress.connected = True
                return await _exchange(connection, query.request, progress)
        raise failure or EcuUnreachableError("resolve", f"{self.host} has no address")

    async def _resolve(self) -> list[_Address]:
        with suppress(ValueError):
            literal = ipaddress.ip_address(self.host)
            is_v4 = isinstance(literal, ipaddress.IPv4Address)
            family = socket.AF_INET if is_v4 else socket.AF_INET6
            return [(family, (self.host, self.port))]
        try:
            found = await _look_up(self.host, self.port)
        except (OSError, UnicodeError) as error:
            raise EcuUnreachableError("resolve", f"{self.host}: {error}") from error
        return list(dict.fromkeys(found))


class _Progress:
    """How far a query has come, so that its deadline can be put down to the right cause."""

    resolved = False
    connected = False
    received = 0

    def timed_out(self, timeout: float) -> EcuUnreachableError:
        reason: FailureReason = "timeout"
        if not self.resolved:
            reason, what = "resolve", "no answer from DNS"
        elif not self.connected:
            what = "no connection"
        elif not self.received:
            what = "connected, but not one byte came"
        else:
            what = f"connected, but only {self.received} bytes came"
        return EcuUnreachableError(reason, f"{what} within {timeout:g} s", connected=self.connected)


async def _exchange(connection: socket.socket, request: bytes, progress: _Progress) -> Reply:
    loop = asyncio.get_running_loop()
    assembler = ReplyAssembler()
    try:
        await loop.sock_sendall(connection, request)
        while True:
            try:
                grace = LINE_FEED_GRACE_SECONDS if assembler.lacks_only_line_feed else None
                async with asyncio.timeout(grace):
                    received = await loop.sock_recv(connection, _CHUNK)
            except TimeoutError:
                return assembler.finish()
            if not received:
                break
            progress.received += len(received)
            reply = assembler.receive(received)
            if reply is not None:
                return reply
    except ConnectionError as error:
        if assembler.is_empty:
            raise EcuUnreachableError(
                "closed", f"the ECU closed the connection: {error}", connected=True
            ) from error
    if assembler.is_empty:
        raise EcuUnreachableError(
            "closed", "the ECU closed the connection without a reply", connected=True
        )
    return assembler.finish()


def _connect_failure(error: OSError, address: tuple[str, int]) -> EcuUnreachableError:
    reason: FailureReason = "unreachable"
    if isinstance(error, ConnectionRefusedError):
        reason = "refused"
    elif error.errno == errno.ETIMEDOUT:
        reason = "timeout"
    host, port = address
    return EcuUnreachableError(reason, f"{host} port {port}: {error.strerror or error}")


async def _look_up(host: str, port: int) -> list[_Address]:
    """The addresses of a name.

    In a daemon thread of its own and not in the loop's executor: a DNS server that never answers
    must neither block the look-ups of other ECUs nor hold up the end of the process.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[_Address]] = loop.create_future()

    def settle(found: list[_Address] | Exception) -> None:
        if answer.done():
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def look_up() -> None:
        found: list[_Address] | Exception
        try:
            found = [
                (family, (str(address[0]), int(address[1])))
                for family, _, _, _, address in socket.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM
                )
            ]
        except (OSError, UnicodeError) as error:
            found = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    return await answer
