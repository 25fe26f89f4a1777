"""What the exporter's own client asks its ECUs: each query is one connection."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from unittest.mock import patch

from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.queries import Query
from aps_exporter.ecu.replies import Reply


class Asked(NamedTuple):
    """One query, and from when to when its connection may have been open, by the loop's time."""

    query: str
    began: float
    ended: float


@contextmanager
def asked_by_us() -> Iterator[list[Asked]]:
    """Grows with each query of any client, as soon as it has ended; answered or not."""
    asked: list[Asked] = []
    ask = EcuClient.ask

    async def noted(client: EcuClient, query: Query) -> Reply:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await ask(client, query)
        finally:
            asked.append(Asked(query.name, began, loop.time()))

    with patch.object(EcuClient, "ask", noted):
        yield asked
