"""A world for tests: a simulated ECU on a real socket, and a cache that reads it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import partial
from zoneinfo import ZoneInfo

from aps_exporter.beliefs import EcuBeliefs
from aps_exporter.cache import EcuCache
from aps_exporter.clock import ScaledClock
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu_claims import EcuClaims
from aps_exporter.ecu_memory import EcuMemory
from aps_exporter.panels import NO_PANELS, Panels
from aps_exporter.readings import Snapshot
from aps_exporter.schedule import RoundSchedule
from aps_exporter.simulator.ecu import AnswersQueries, EcuModel, SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import plant_inverters
from aps_exporter.simulator.script import parse_script
from aps_exporter.state import State
from aps_exporter.turns import Turn, always

START = datetime(2026, 6, 1, 8, 0, 20, tzinfo=UTC)
QUERY_OF = {
    b"0001": "info",
    b"0002": "inverters",
    b"0030": "signal",
    b"0003": "power_of_day",
    b"0004": "energy_of_period",
}


@dataclass
class ScriptedEcu:
    """A simulated ECU that notes what it is asked when, and can be told what to answer.

    `answers` has by query name what is sent instead: bytes, or None to hang up; `said` has what was
    sent last.
    """

    ecu: AnswersQueries
    answers: dict[str, bytes | None] = field(default_factory=dict)
    said: dict[str, bytes | None] = field(default_factory=dict)
    asked: list[tuple[str, float]] = field(default_factory=list)

    def reply_to(self, request: bytes) -> bytes | None:
        name = QUERY_OF[request[9:13]]
        self.asked.append((name, asyncio.get_running_loop().time()))
        reply = self.answers[name] if name in self.answers else self.ecu.reply_to(request)
        self.said[name] = reply
        return reply

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def times_of(self, name: str) -> list[float]:
        return [at for asked, at in self.asked if asked == name]


class World:
    """Everything around one or more caches; time is the loop's."""

    def __init__(  # noqa: PLR0913 - each is one thing that a test may choose
        self,
        *,
        inverters: str = "ds3:2",
        model: EcuModel = "ecu-r-pro",
        faults: Iterable[Fault] = (),
        script: str = "",
        start: datetime = START,
        sun: time = time(12, 0),
        clock_zone: ZoneInfo | None = None,
        says_zone: str | None = None,
    ) -> None:
        """`sun` is the sun time at the start; the zones are of the ECU, None for its model's."""
        self.clock = ScaledClock(1, start, ticks=asyncio.get_running_loop().time)
        self.simulated = SimulatedEcu(
            plant_inverters(inverters),
            self.clock,
            model=model,
            sun_at_start=sun,
            zone=clock_zone,
            says_zone=says_zone,
            faults=FaultSchedule(self.clock, faults, parse_script(script)),
        )
        self.ecu = ScriptedEcu(self.simulated)
        self.server = EcuServer(self.ecu, self.simulated.faults)
        self.claims = EcuClaims()
        self.state = State()
        self.zone: ZoneInfo | None = None
        self.panels: Panels = NO_PANELS
        self.clock_zone = clock_zone
        self.internal_errors: Counter[str] = Counter()
        self.port = 0

    @property
    def faults(self) -> FaultSchedule:
        return self.simulated.faults

    def cache(  # noqa: PLR0913 - each is one thing that a test may choose
        self,
        target: str = "roof",
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        timeout: float = 10,
        stale_after: float = 900,
        take_round: Callable[[Snapshot], None] | None = None,
        turn: Turn = always,
    ) -> EcuCache:
        def beliefs(ecu: str, memory: EcuMemory | None) -> EcuBeliefs:
            return EcuBeliefs(
                target, ecu, self.zone, stale_after, memory, panels=lambda: self.panels
            )

        def count(task: str) -> None:
            self.internal_errors[task] += 1

        return EcuCache(
            target,
            client=EcuClient(host, port or self.port, timeout),
            clock=self.clock,
            new_schedule=partial(RoundSchedule, 300, jitter=lambda: 0),
            new_beliefs=beliefs,
            claims=self.claims,
            state=self.state,
            pause=0.5,
            turn=turn,
            count_internal_error=count,
            take_round=take_round,
        )

    async def pass_time(self, seconds: float) -> None:
        """Let the loop live on for a while."""
        await asyncio.sleep(seconds)


@asynccontextmanager
async def world(  # noqa: PLR0913 - each is one thing that a test may choose
    *,
    inverters: str = "ds3:2",
    model: EcuModel = "ecu-r-pro",
    faults: Iterable[Fault] = (),
    script: str = "",
    start: datetime = START,
    sun: time = time(12, 0),
    clock_zone: ZoneInfo | None = None,
    says_zone: str | None = None,
) -> AsyncIterator[World]:
    """A world whose ECU serves until the context ends."""
    created = World(
        inverters=inverters,
        model=model,
        faults=faults,
        script=script,
        start=start,
        sun=sun,
        clock_zone=clock_zone,
        says_zone=says_zone,
    )
    created.port = await created.server.start("127.0.0.1", 0)
    try:
        yield created
    finally:
        await created.server.close()
