"""Speaks the local protocol on a socket, as an ECU does: one client at a time, and sometimes badly.

Deadlines here are in real seconds; only what the ECU says, and which faults are on, follows the
simulator's clock.
"""

import asyncio
import logging
from collections.abc import Container, Mapping
from contextlib import suppress
from typing import Final

from aps_exporter.clock import RealClock
from aps_exporter.ecu.queries import EnergyOfPeriodQuery, PowerOfDayQuery
from aps_exporter.simulator.ecu import AnswersQueries
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.listening_port import ListeningPort
from aps_exporter.simulator.reply_faults import HANG_UP_AFTER, spoiled

logger = logging.getLogger(__name__)

LONGEST_REQUEST: Final = 64
IDLE_SECONDS: Final = 10.0
"""After this long an ECU hangs up on a client that says nothing."""

SLOW_SECONDS: Final = 20.0
DRIP_SECONDS: Final = 1.0
SEGMENT_BYTES: Final = 24
SEGMENT_SECONDS: Final = 0.01
"""The longest reply, ten thousand bytes, then takes four seconds: less than a client waits."""

REOPEN_SECONDS: Final = 1.0
"""Until the port is tried again, should it ever be taken when `refuse` ends."""

HUNG_UP_ON: Final[Mapping[Fault, frozenset[str]]] = {
    "no-history": frozenset({PowerOfDayQuery.command, EnergyOfPeriodQuery.command}),
    "no-energy-lists": frozenset({EnergyOfPeriodQuery.command}),
}
"""The commands that get no byte in answer, by fault."""

_COMMAND: Final = slice(9, 13)


class EcuServer:
    """Serves one ECU's answers; `faults` is looked at anew for each connection.

    The script's windows of `refuse` shut and open the port by themselves; when that fault is added
    or taken away by hand, call `heed_refuse`.
    """

    def __init__(self, ecu: AnswersQueries, faults: FaultSchedule | None = None) -> None:
        self.connections = 0
        self.open_connections = 0
        self.most_open_connections = 0
        self._ecu = ecu
        self._faults = FaultSchedule(RealClock()) if faults is None else faults
        self._one_at_a_time = asyncio.Lock()
        self._port = ListeningPort(self._accept)
        self._script: asyncio.Task[None] | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self, host: str | None, port: int) -> int:
        """Listen, unless the fault `refuse` is on; port 0 takes a free one. Returns the port.

        Raises:
            OSError: cannot listen there.
        """
        bound = await self._port.bind(host, port)
        await self.heed_refuse()
        self._script = asyncio.create_task(self._follow_script())
        return bound

    async def heed_refuse(self) -> None:
        """Shut the port if the fault `refuse` is on, else open it; open connections go on.

        Raises:
            OSError: the port cannot be had any more.
        """
        await self._port.set_open(wanted="refuse" not in self._faults)

    async def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._script is not None:
            self._script.cancel()
            await asyncio.wait([self._script])
        await self._port.close()
        for writer in self._clients.values():
            writer.transport.abort()
        if self._clients:
            await asyncio.wait(self._clients)

    async def _follow_script(self) -> None:
        async for _ in self._faults.edges_of("refuse"):
            heeded = await self._heeded_refuse()
            while not heeded:
                await asyncio.sleep(REOPEN_SECONDS)
                heeded = await self._heeded_refuse()

    async def _heeded_refuse(self) -> bool:
        try:
            await self.heed_refuse()
        except OSError as error:
            logger.warning("cannot listen again, but goes on trying: %s", error)
            return False
        return True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._clients[task] = writer
            task.add_done_callback(self._clients.pop)
        self.connections += 1
        self.open_connections += 1
        self.most_open_connections = max(self.most_open_connections, self.open_connections)
        try:
            if "one-client" in self._faults and self._one_at_a_time.locked():
                return
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
        faults = frozenset(self._faults)
        if "close" in faults:
            return
        async with asyncio.timeout(IDLE_SECONDS):
            request = await reader.readuntil(b"\n")
        if "silent" in faults:
            await reader.read()  # until the client gives up
            return
        if "slow" in faults and await _left_within(SLOW_SECONDS, reader):
            return
        if _is_hung_up_on(request, faults):
            return
        reply = self._ecu.reply_to(request[:LONGEST_REQUEST])
        if reply is None or "empty" in faults:
            return
        if not await _sent(spoiled(reply, faults), reader, writer, faults):
            return
        if not HANG_UP_AFTER & faults:
            await _left_within(IDLE_SECONDS, reader)


def _is_hung_up_on(request: bytes, faults: Container[Fault]) -> bool:
    command = request[_COMMAND].decode("latin-1")
    return any(fault in faults and command in commands for fault, commands in HUNG_UP_ON.items())


async def _sent(
    reply: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    faults: Container[Fault],
) -> bool:
    """Send a reply, in pieces if a fault says so; False when the client left meanwhile."""
    size, pause = max(len(reply), 1), 0.0
    if "drip" in faults:
        size, pause = 1, DRIP_SECONDS
    elif "segment" in faults:
        size, pause = SEGMENT_BYTES, SEGMENT_SECONDS
    for position in range(0, len(reply), size):
        if position and await _left_within(pause, reader):
            return False
        writer.write(reply[position : position + size])
        await writer.drain()
    return True


async def _left_within(seconds: float, reader: asyncio.StreamReader) -> bool:
    """Whether the client hangs up meanwhile; a second command gets no answer and counts as that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await reader.read(1)
            return True
    return False
