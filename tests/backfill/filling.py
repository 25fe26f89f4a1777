"""Back-fills to test with: of a world's ECU, into a shelf instead of a database."""

import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from aps_exporter.backfill_progress import BackfillFolder, DayDone
from aps_exporter.backfilling import Backfill, BackfillRange, BackfillStart, BackfillSum
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu_history import LONGEST_QUERY_SECONDS, EcuHistory
from aps_exporter.ecu_memory import EcuMemory
from aps_exporter.history import DayPoints, LocalDay, Present
from aps_exporter.round_time import RoundTimesMemory
from aps_exporter.simulator.faults import Fault
from aps_exporter.turns import Turn, always
from tests.virtual_time import in_virtual_time
from tests.world import World, world

TODAY = date(2026, 6, 1)
"""Where the ECU of a world is, when it starts."""


@dataclass
class Shelf:
    """A destination that keeps what it is given."""

    name: str = "shelf"
    is_made_at_the_end: bool = False
    leaves_to_others: timedelta = timedelta(minutes=10)
    power: dict[datetime, float] = field(default_factory=dict)
    energy: dict[date, float] = field(default_factory=dict)
    starts: dict[date, datetime] = field(default_factory=dict)
    twice: list[datetime] = field(default_factory=list)
    writes: int = 0
    finished: int = 0

    async def present(self, day: LocalDay) -> Present:
        return Present([*self.power], day.date in self.energy)

    async def write(self, day: LocalDay, points: DayPoints) -> int:
        self.writes += 1
        self.twice += [point.at for point in points.power if point.at in self.power]
        self.power |= {point.at: point.watts for point in points.power}
        self.starts[day.date] = day.starts_at
        if points.energy_joules is not None:
            self.energy[day.date] = points.energy_joules
        return 0

    def finish(self) -> None:
        self.finished += 1


def backfill(  # noqa: PLR0913 - each is one thing that a test may choose
    w: World,
    shelf: Shelf,
    first: date,
    last: date,
    *,
    folder: BackfillFolder | None = None,
    zone: ZoneInfo | None = None,
    correction: timedelta | None = None,
    turn: Turn = always,
    is_open: bool = False,
) -> Backfill:
    """A back-fill of the world's ECU; without a folder it is a dry run.

    `correction` is what the exporter remembers of the ECU's clock.
    """

    def recall(_: str) -> EcuMemory | None:
        if correction is None:
            return None
        return EcuMemory(round_times=RoundTimesMemory(correction.total_seconds()))

    client = EcuClient("127.0.0.1", w.port, LONGEST_QUERY_SECONDS)
    return Backfill(
        EcuHistory(client, w.clock, turn),
        w.clock,
        shelf,
        BackfillRange(first, last, is_open),
        zone=zone,
        recall=recall,
        progress_of=None if folder is None else folder.progress,
        round_seconds=300,
    )


async def run(work: Backfill) -> tuple[BackfillStart, list[DayDone], BackfillSum]:
    """The whole back-fill."""
    start = await work.begin()
    days = [done async for done in work.days()]
    return start, days, work.finish()


def opened(folder: Path) -> BackfillFolder:
    return BackfillFolder(folder / "state")


class Answering:
    """An ECU that answers as a function says."""

    def __init__(self, reply_to: Callable[[bytes], bytes | None]) -> None:
        self.reply_to = reply_to


InWorld = Callable[[World, Path], Coroutine[object, object, None]]


def in_world(
    faults: tuple[Fault, ...] = (), says_zone: str | None = None
) -> Callable[[InWorld], Callable[[], None]]:
    """Run a test in a world with these faults, and with a folder."""

    def decorated(test: InWorld) -> Callable[[], None]:
        @functools.wraps(test)
        async def live() -> None:
            async with world(faults=faults, says_zone=says_zone) as w:
                with TemporaryDirectory() as folder:
                    await test(w, Path(folder))

        del live.__wrapped__  # pytest would look for fixtures in its parameters
        return in_virtual_time(live)

    return decorated
