"""Speaks the local protocol on a socket, as an ECU does: one client at a time, and sometimes badly.

Deadlines here are in real seconds; only what the ECU says follows the simulator's clock.
"""

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from aps_exporter.simulator.ecu import AnswersQueries, Fault

logger = logging.getLogger(__name__)

LONGEST_REQUEST: Final = 64
IDLE_SECONDS: Final = 10.0
"""After this long an ECU hangs up on a client that says nothing."""


class EcuServer:
    """Serves one ECU's answers; `faults` is looked at anew for each connection."""

    def __init__(self, ecu: AnswersQueries, faults: Collection[Fault] = ()) -> None:
        self.connections = 0
        self.open_connections = 0
        self.most_open_connections = 0
        self._ecu = ecu
        self._faults = faults
        self._one_at_a_time = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self, host: str | None, port: int) -> int:
        """Listen, unless the fault `refuse` is on; port 0 takes a free one. Returns the port.

        Raises:
            OSError: cannot listen there.
        """
        server = await asyncio.start_server(self._accept, host, port)
        # On every interface and a free port, IPv4 and IPv6 each get their own: tell IPv4's.
        bound: int = min((s.getsockname() for s in server.sockets), key=len)[1]
        if "refuse" in self._faults:
            server.close()
            await server.wait_closed()
        else:
            self._server = server
        return bound

    async def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._clients.values():
            writer.transport.abort()
        if self._clients:
            await asyncio.wait(self._clients)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._clients[task] = writer
            task.add_done_callback(self._clients.pop)
        self.connections += 1
        self.open_connections += 1
        self.most_open_connections = max(self.most_open_connections, self.open_connections)
        try:
            async with self._one_at_a_time:
                await self._serve(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            logger.debug("client went away")
        finally:
            self.open_connections -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "close" in self._faults:
            return
        async with asyncio.timeout(IDLE_SECONDS):
            request = await reader.readuntil(b"\n")
        if "silent" in self._faults:
            await reader.read()  # until the client gives up
            return
        reply = self._ecu.reply_to(request[:LONGEST_REQUEST])
        if reply is None:
            return
        if "truncate" in self._faults:
            reply = reply[: len(reply) // 2]
        writer.write(reply)
        await writer.drain()
        if "truncate" in self._faults:
            return
        async with asyncio.timeout(IDLE_SECONDS):
            await reader.read(1)  # the client hangs up; a second command gets no answer
