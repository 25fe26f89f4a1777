"""What the exporter would have published of a simulated plant, lived through in virtual time.

Simulated ECU, client, cache and collector are those that serve live, on a real socket on loopback.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from typing import Any, Final, TypeVar

from aps_exporter import app
from aps_exporter.cache import REFRESH_TASK
from aps_exporter.clock import ScaledClock
from aps_exporter.config import Config, Target
from aps_exporter.metrics import Metric
from aps_exporter.readings import Snapshot
from aps_exporter.simulator.running import Simulation, running_simulator
from aps_exporter.sinks.prometheus import EcuCollector
from aps_exporter.state import State
from aps_exporter.virtual_time import VirtualTimeLoop

_HOST: Final = "127.0.0.1"
_ANY_PORT: Final = 0

Result = TypeVar("Result")

TakeSample = Callable[[Metric[Any], tuple[str, ...], float, datetime], None]
"""Takes a sample of a scrape: metric, label values, value and time."""


@dataclass(frozen=True, slots=True)
class Span:
    """The scrapes of a history: the first when it starts, none after it ends."""

    starts_at: datetime
    ends_at: datetime
    scrape_interval: timedelta

    def scrapes(self) -> Iterator[datetime]:
        moment = self.starts_at
        while moment <= self.ends_at:
            yield moment
            moment += self.scrape_interval


async def live_through(  # noqa: PLR0913 - each is one thing that a history is made of
    span: Span,
    simulation: Simulation,
    config: Config,
    target: str,
    *,
    take_sample: TakeSample | None = None,
    take_round: Callable[[Snapshot], None] | None = None,
    scraped: Callable[[], None] = lambda: None,
) -> None:
    """Run simulator and exporter from the start of the span to its end, in a loop of virtual time.

    The simulation gets a clock of that time. As when serving, rounds are read on a timer where
    somebody takes them. `scraped` is called after each scrape, taken or not.
    """
    clock = ScaledClock(1, span.starts_at, ticks=asyncio.get_running_loop().time)
    async with running_simulator(replace(simulation, clock=clock), _HOST, _ANY_PORT) as port:
        config = replace(config, targets=(Target(target, _HOST, port),))
        internal_errors = Counter({REFRESH_TASK: 0})
        # The same history each time: back-off jitters by chance, but by the same chance.
        chance = random.Random(target)  # noqa: S311 - no secret
        caches = app.build_caches(
            config,
            clock,
            State(),
            internal_errors,
            take_round=take_round,
            jitter=lambda: chance.uniform(-1, 1),
        )
        status = app.exporter_status(internal_errors)
        collector = EcuCollector(caches, lambda: status)
        timed = caches if take_round is not None else ()
        for cache in caches:
            cache.start_if_due()
        try:
            async with app.beside(*(cache.keep_refreshing() for cache in timed)):
                for moment in span.scrapes():
                    await clock.sleep((moment - clock.now()).total_seconds())
                    if take_sample is not None:
                        await collector.refresh(inf)
                        for metric, samples in collector.samples():
                            for label_values, value in samples:
                                take_sample(metric, label_values, value, moment)
                    scraped()
                await clock.sleep(max(0.0, (span.ends_at - clock.now()).total_seconds()))
        finally:
            await asyncio.gather(*(cache.close() for cache in caches))


def run_in_virtual_time(life: Coroutine[Any, Any, Result]) -> Result:
    """Run this to its end, in as little real time as that takes."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(life)
