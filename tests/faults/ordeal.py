"""A whole exporter on a simulated ECU that misbehaves: what holds during, and must hold after.

`/metrics` answers 200 all the time; the exporter is well again within two of its own refreshes of
the ECU being healthy, without a restart, with no more sockets and tasks than before; its log has no
traceback, and no cause in it twice a minute.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from math import inf
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parse

from aps_exporter.cache import EcuCache
from aps_exporter.clock import Clock
from aps_exporter.logs import QUIET_SECONDS, OncePerMinute
from tests.exporter import Client, exporter
from tests.world import START, World, world

PLAIN = {"Accept-Encoding": "identity"}
LONGEST_BACK_OFF = 300.0

Cause = tuple[object, ...]


class Page:
    """What one scrape of `/metrics` said."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values = {
            (sample.name, frozenset(sample.labels.values())): sample.value
            for family in parse(text)
            for sample in family.samples
        }

    def value(self, name: str, *labels: str) -> float | None:
        """The value of the series whose label values hold all of these; None if there is none."""
        found = [
            value
            for (series, values), value in self._values.items()
            if series == name and values >= set(labels)
        ]
        assert len(found) <= 1, f"{name}{labels} names {len(found)} series"
        return found[0] if found else None

    def values(self, name: str) -> list[float]:
        """Of all series of this name."""
        return [value for (series, _), value in self._values.items() if series == name]

    def count(self, name: str, *labels: str) -> int:
        """A counter that must be there."""
        value = self.value(name, *labels)
        assert value is not None, f"no {name}{labels}"
        return int(value)


class LogBook(logging.Handler):
    """Every line that a user would see, and when."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.addFilter(OncePerMinute(clock))
        self._clock = clock
        self._said: dict[Cause, float] = {}
        self._said_too_soon: list[Cause] = []
        self.tracebacks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = (getattr(record, name, None) for name in ("target", "query", "reason"))
        cause, now = (record.msg, *fields), self._clock.monotonic()
        if now - self._said.get(cause, -inf) < QUIET_SECONDS:
            self._said_too_soon.append(cause)
        self._said[cause] = now
        if record.exc_info:
            self.tracebacks.append(logging.Formatter().format(record))

    def assert_calm(self) -> None:
        """No traceback, and no cause twice a minute."""
        assert self.tracebacks == []
        assert self._said_too_soon == []


class Ordeal:
    """One exporter and its ECU; time is virtual where the test says so."""

    def __init__(self, w: World, caches: list[EcuCache], client: Client) -> None:
        self.world = w
        self.caches = caches
        self.client = client

    @property
    def cache(self) -> EcuCache:
        """The only cache."""
        (cache,) = self.caches
        return cache

    async def scrape(self) -> Page:
        """One scrape, which must be answered."""
        url = self.client.make_url("/metrics")  # the client itself would keep every answer
        async with self.client.session.get(url, headers=PLAIN) as answer:
            assert answer.status == 200
            return Page(await answer.text())

    async def scrape_for(self, seconds: float, every: float = 30) -> list[Page]:
        """Scrape for a while, each so many seconds."""
        pages = []
        until = self.world.clock.monotonic() + seconds
        while self.world.clock.monotonic() < until:
            pages.append(await self.scrape())
            await asyncio.sleep(every)
        return pages

    async def heal(self) -> None:
        """Let the ECU be healthy from now on."""
        self.world.faults.clear()
        self.world.ecu.answers.clear()
        await self.world.server.heed_refuse()

    async def assert_recovers(self) -> Page:
        """Within two refreshes of its own, and the back-off before them, all is fresh again."""
        for cache in self.caches:
            refreshes = cache.status().refreshes
            until = self.world.clock.monotonic() + 2 * LONGEST_BACK_OFF
            while not await self._is_well(cache):
                assert cache.status().refreshes <= refreshes + 2
                assert self.world.clock.monotonic() < until
                await asyncio.sleep(5)
        return await self.scrape()

    async def _is_well(self, cache: EcuCache) -> bool:
        await self.scrape()
        status, snapshot = cache.status(), cache.snapshot()
        return (
            status.up
            and all(status.query_success.values())
            and snapshot is not None
            and all(i.power_watts is not None for i in snapshot.inverters if i.online)
            and snapshot.info.power_watts is not None
        )


def _open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@asynccontextmanager
async def ordeal(
    *,
    inverters: str = "ds3:2",
    targets: Iterable[str] = ("roof",),
    start: datetime = START,
) -> AsyncIterator[Ordeal]:
    """An exporter that has read its ECU once; at the end all must be well again."""
    async with world(inverters=inverters, start=start) as w:
        log = LogBook(w.clock)
        root = logging.getLogger()
        root.addHandler(log)
        caches = [w.cache(target) for target in targets]
        try:
            async with exporter(caches) as client:
                trial = Ordeal(w, caches, client)
                await trial.scrape()
                tasks, files = len(asyncio.all_tasks()), _open_files()
                yield trial
                await trial.heal()
                await trial.assert_recovers()
                await asyncio.sleep(30)  # whatever is still open is closed by its deadline
                assert len(asyncio.all_tasks()) <= tasks
                assert _open_files() <= files
                assert w.server.open_connections == 0
                log.assert_calm()
                assert not w.internal_errors
        finally:
            root.removeHandler(log)
