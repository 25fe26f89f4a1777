"""Where a back-fill writes to: a database, beside a pusher that may be at work."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Final

from aps_exporter.history import PRESENT_WITHIN, DayPoints, LocalDay, Present
from aps_exporter.sinks.influxdb.dead_letters import DeadLetters
from aps_exporter.sinks.influxdb.delivery import deliver, refused_for_good, refuses_all
from aps_exporter.sinks.influxdb.points import DAY_ENERGY, ECU_POWER, day_lines
from aps_exporter.sinks.influxdb.readers import Reader
from aps_exporter.sinks.influxdb.spool_reading import spooled_power
from aps_exporter.sinks.influxdb.writers import Writer

PUSHER_ROUNDS: Final = 2
"""The newest are left to the pusher."""


class InfluxdbDestination:
    """A database; what waits in the spool to go there counts as there."""

    is_made_at_the_end: Final = False

    def __init__(
        self, name: str, reader: Reader, writer: Writer, folder: Path, round_seconds: float
    ) -> None:
        """`folder` is where the spool is, and what is refused goes to."""
        self.name = name
        self.leaves_to_others = timedelta(seconds=PUSHER_ROUNDS * round_seconds)
        self._reader = reader
        self._writer = writer
        self._folder = folder
        self._dead_letters = DeadLetters(folder)
        self._taken: str | None = None

    async def present(self, day: LocalDay) -> Present:
        start, end = day.starts_at - PRESENT_WITHIN, day.ends_at + PRESENT_WITHIN
        # The spool first: a round that is sent in between is then seen twice, not never.
        spooled = await asyncio.to_thread(spooled_power, self._folder, day.ecu, start, end)
        power = await self._reader.moments(ECU_POWER, day.ecu, start, end)
        energy = await self._reader.moments(DAY_ENERGY, day.ecu, day.starts_at, day.ends_at)
        return Present([*spooled, *power], bool(energy))

    async def write(self, day: LocalDay, points: DayPoints) -> int:
        lines = day_lines(day, points)
        refused = await deliver(self._writer, lines)
        if len(refused) == len(lines):
            if self._taken is None:
                raise refuses_all(refused[0].why)
            refused = await refused_for_good(self._writer, refused, self._taken)
        if refused:
            await asyncio.to_thread(self._dead_letters.add, refused)
        at_fault = {letter.line for letter in refused}
        self._taken = next((line for line in lines if line not in at_fault), self._taken)
        return len(refused)

    def finish(self) -> None:
        """All is written already."""

    async def close(self) -> None:
        """Close all connections."""
        await self._reader.close()
        await self._writer.close()
