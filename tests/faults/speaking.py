"""An ECU that sends what a test says, in the pieces it says, and the real client to it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.queries import (
    EnergyOfPeriodQuery,
    InfoQuery,
    InvertersQuery,
    Query,
    SignalQuery,
)
from aps_exporter.ecu.replies import Reply

ECU: Final = "216000000001"
TIMEOUT: Final = 10.0

_PAUSE: Final = 0.001
"""Seconds; in virtual time enough for the other end to take what was sent before more comes."""

_QUERIES: Final[dict[bytes, Query]] = {
    b"0001": InfoQuery(),
    b"0002": InvertersQuery(ECU),
    b"0004": EnergyOfPeriodQuery(ECU, "month"),
    b"0030": SignalQuery(ECU),
}


class Speaker:
    """Answers whatever it is asked with the pieces it was given last."""

    def __init__(self) -> None:
        self.port = 0
        self._pieces: list[bytes] = []
        self._hangs_up = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readline()
            for index, piece in enumerate(self._pieces):
                if index:
                    await asyncio.sleep(_PAUSE)
                writer.write(piece)
            if not self._hangs_up:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def ask_for(
        self, raw: bytes, pieces: Iterable[bytes], *, hangs_up: bool = False
    ) -> Reply:
        """Ask the query that `raw` answers; the ECU sends these pieces of it."""
        self._pieces, self._hangs_up = [*pieces], hangs_up
        return await EcuClient("127.0.0.1", self.port, TIMEOUT).ask(_QUERIES[raw[9:13]])


@asynccontextmanager
async def speaker() -> AsyncIterator[Speaker]:
    """A speaker that serves until the context ends."""
    created = Speaker()
    server = await asyncio.start_server(created.accept, "127.0.0.1", 0)
    created.port = server.sockets[0].getsockname()[1]
    try:
        yield created
    finally:
        server.close()
        await asyncio.sleep(_PAUSE)  # the last connection ends


def framed_by_hand(raw: bytes) -> Reply:
    """The frame of these bytes, whatever stands in its body."""
    group, command, content = raw[3:5].decode(), raw[9:13].decode(), raw[13:-1]
    has_trailer = content.endswith(b"END")
    return Reply(
        group, command, content[: -len(b"END")] if has_trailer else content, not has_trailer
    )


def body_of(raw: bytes) -> range:
    """The positions behind the header and before the trailer, or the line feed if it has none."""
    return range(13, 13 + len(framed_by_hand(raw).body))


def one_by_one(raw: bytes) -> list[bytes]:
    """Each byte a piece of its own."""
    return [raw[at : at + 1] for at in range(len(raw))]
