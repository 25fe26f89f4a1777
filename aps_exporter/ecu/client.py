"""Asks an ECU: one connection a query, one deadline a query, closed on every path."""

import asyncio
import ipaddress
import math
import os
import socket
from contextlib import suppress
from typing import Final

from aps_exporter.ecu.queries import Query
from aps_exporter.ecu.replies import Reply, ReplyAssembler
from aps_exporter.errors import EcuUnreachableError, FailureReason, MalformedReplyError
from aps_exporter.name_lookup import Address, look_up

LINE_FEED_GRACE_SECONDS: Final = 0.2
"""How long the final line feed may come after the rest; some firmware never sends it."""

_CHUNK: Final = 16_384
"""Bytes; more than the longest reply, so that what trails behind it is seen and counted."""


class EcuClient:
    """Reads one ECU. Its address is resolved anew for each query: DHCP leases change."""

    def __init__(
        self, host: str, port: int, timeout: float, *, connect_timeout: float = math.inf
    ) -> None:
        """`timeout` is for one query as a whole; `connect_timeout` for each connect in it."""
        self.host = host
        self.port = port
        self._timeout = timeout
        self._connect_timeout = connect_timeout

    async def ask(self, query: Query) -> Reply:
        """The ECU's reply to one query, within `timeout` seconds for everything together.

        Raises:
            EcuUnreachableError: reason resolve, refused, unreachable, timeout or closed.
            MalformedReplyError: reason truncated, or framing (no reply, or to another query).
        """
        progress = _Progress()
        deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout_at(deadline):
                reply = await self._ask(query, progress, deadline)
        except TimeoutError:
            raise progress.timed_out(self._timeout) from None
        if reply.command != query.command:
            raise MalformedReplyError(
                "framing",
                f"expected a reply to command {query.command}, got one to {reply.command}",
                received=reply.raw,
            )
        return reply

    async def _ask(self, query: Query, progress: "_Progress", deadline: float) -> Reply:
        addresses = await self._resolve()
        progress.resolved = True
        failure = EcuUnreachableError("resolve", f"{self.host} has no address")
        for index, (family, address) in enumerate(addresses):
            now = asyncio.get_running_loop().time()
            share = (deadline - now) / (len(addresses) - index)
            try:
                connection = await _connect(family, address, min(share, self._connect_timeout))
            except EcuUnreachableError as error:
                failure = error
                continue
            with connection:
                progress.connected = True
                return await _exchange(connection, query.request, progress.assembler)
        raise failure

    async def _resolve(self) -> list[Address]:
        with suppress(ValueError):
            literal = ipaddress.ip_address(self.host)
            is_v4 = isinstance(literal, ipaddress.IPv4Address)
            family = socket.AF_INET if is_v4 else socket.AF_INET6
            return [(family, (self.host, self.port))]
        try:
            found = await look_up(self.host, self.port)
        except (OSError, UnicodeError) as error:
            raise EcuUnreachableError("resolve", f"{self.host}: {error}") from error
        return list(dict.fromkeys(found))


class _Progress:
    """How far a query has come, so that its deadline can be put down to the right cause."""

    resolved = False
    connected = False

    def __init__(self) -> None:
        self.assembler = ReplyAssembler()

    def timed_out(self, timeout: float) -> EcuUnreachableError:
        reason: FailureReason = "timeout"
        received = self.assembler.received
        if not self.resolved:
            reason, what = "resolve", "no answer from DNS"
        elif not self.connected:
            what = "no connection"
        elif not received:
            what = "connected, but not one byte came"
        else:
            what = f"connected, but only {len(received)} bytes came"
        return EcuUnreachableError(
            reason,
            f"{what} within {timeout:g} s",
            connected=self.connected,
            received=received,
        )


async def _connect(
    family: socket.AddressFamily, address: tuple[str, int], seconds: float
) -> socket.socket:
    """A connection to one address; the caller closes it.

    Raises:
        EcuUnreachableError: reason refused, unreachable or timeout.
    """
    connection: socket.socket | None = None
    try:
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(0)
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, OSError):  # a TimeoutError is one too
            raise _connect_failure(error, address) from error
        raise
    return connection


async def _exchange(connection: socket.socket, request: bytes, assembler: ReplyAssembler) -> Reply:
    loop = asyncio.get_running_loop()
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
            reply = assembler.receive(received)
            if reply is not None:
                return reply
    except OSError as error:
        if assembler.is_empty:
            what = os.strerror(error.errno) if error.errno else str(error)
            raise EcuUnreachableError(
                "closed", f"the connection ended without a reply: {what}", connected=True
            ) from error
    if assembler.is_empty:
        raise EcuUnreachableError("closed", "the connection ended without a reply", connected=True)
    return assembler.finish()


def _connect_failure(error: OSError, address: tuple[str, int]) -> EcuUnreachableError:
    reason: FailureReason = "unreachable"
    what = os.strerror(error.errno) if error.errno else str(error)
    if isinstance(error, ConnectionRefusedError):
        reason = "refused"
    elif isinstance(error, TimeoutError):
        reason, what = "timeout", "no connection in time"
    host, port = address
    return EcuUnreachableError(reason, f"{host} port {port}: {what}")
