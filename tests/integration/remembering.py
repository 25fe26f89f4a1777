"""An ECU that remembers two months, and what its plant really made in them."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from aps_exporter.clock import Clock, ScaledClock
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import ROUND, Plant, plant_inverters

NOW: Final = datetime(2026, 11, 20, 10, 0, 40, tzinfo=UTC)
LAST: Final = date(2026, 11, 19)
FIRST: Final = date(2026, 9, 21)
DAYS: Final = 60
"""From FIRST to LAST; the clocks went back on 25 October."""

SPEED: Final = 100.0
ECU: Final = "216200000001"
INVERTERS: Final = "qs1:1"
ZONE: Final = ZoneInfo("Europe/Amsterdam")
JOULES_PER_KWH: Final = 3_600_000
ENERGY_PRECISION_KWH: Final = 0.1

_PATIENCE_SECONDS: Final = 10.0

Given = TypeVar("Given")
Done = TypeVar("Done")

_QUERY_OF: Final = {
    b"0001": "info",
    b"0002": "inverters",
    b"0030": "signal",
    b"0003": "power_of_day",
    b"0004": "energy_of_period",
}


def fast_clock() -> ScaledClock:
    """A clock that starts at NOW, and in which a back-fill of two months takes seconds."""
    return ScaledClock(SPEED, NOW)


class RememberingEcu:
    """A simulated ECU, served by a thread of its own, that counts what it is asked."""

    def __init__(self, clock: Clock, *faults: Fault) -> None:
        self._simulated = SimulatedEcu(
            plant_inverters(INVERTERS), clock, model="ecu-r-pro", faults=faults
        )
        self.asked: Counter[str] = Counter()
        self.lost: set[date] = set()
        """The days for whose power it hangs up."""
        self.server = EcuServer(self, self._simulated.faults)
        self.address = ""

    def reply_to(self, request: bytes) -> bytes | None:
        self.asked[_QUERY_OF[request[9:13]]] += 1
        if any(f"END{day:%Y%m%d}END".encode() in request for day in self.lost):
            return None
        return self._simulated.reply_to(request)

    @contextmanager
    def served(self) -> Iterator["RememberingEcu"]:
        """This ECU, answering until the context ends."""
        with running_beside(self._serving()) as address:
            self.address = address
            yield self

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[str]:
        try:
            yield f"127.0.0.1:{await self.server.start('127.0.0.1', 0)}"
        finally:
            await self.server.close()


@contextmanager
def running_beside(running: AbstractAsyncContextManager[Given]) -> Iterator[Given]:
    """This context, in an event loop and a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(step: Coroutine[Any, Any, Done]) -> Done:
        return asyncio.run_coroutine_threadsafe(step, loop).result(_PATIENCE_SECONDS)

    async def entered() -> Given:
        return await running.__aenter__()

    async def left() -> None:
        await running.__aexit__(None, None, None)

    try:
        given = run(entered())
        try:
            yield given
        finally:
            run(left())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def days(first: date = FIRST, last: date = LAST) -> list[date]:
    """All days of a range, both ends included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def midnight(day: date) -> int:
    """When this day begins where the ECU is, in Unix time."""
    return int(datetime.combine(day, time(), ZONE).timestamp())


class Truth:
    """What the plant made, after the plant itself; days are those where the ECU is."""

    def __init__(self, simulated_at: datetime = NOW) -> None:
        """The sun stands, then and for ever, as far ahead of UTC as the ECU's clock was then."""
        self._plant = Plant(plant_inverters(INVERTERS), installed_on=simulated_at.date())
        self._sun_ahead = simulated_at.astimezone(ZONE).utcoffset() or timedelta()

    def watts(self, round_: int) -> int:
        """The power in the round of this Unix time."""
        sun = datetime.fromtimestamp(round_, UTC) + self._sun_ahead
        return self._plant.power_watts(sun.replace(tzinfo=None))

    def rounds_with_power(self, day: date) -> dict[int, int]:
        """Watts by Unix time."""
        rounds = range(midnight(day), midnight(day + timedelta(days=1)), int(ROUND.total_seconds()))
        return {at: watts for at in rounds if (watts := self.watts(at))}

    def power(self, wanted: list[date]) -> dict[int, int]:
        """The same of many days."""
        return {at: w for day in wanted for at, w in self.rounds_with_power(day).items()}

    def kwh(self, day: date) -> float:
        """The energy of a day: a power holds for a round."""
        joules = sum(self.rounds_with_power(day).values()) * int(ROUND.total_seconds())
        return joules / JOULES_PER_KWH
