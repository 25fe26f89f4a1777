"""The time: real, or scaled for the demo. Nothing else in the package reads it.

Wall-clock time is for readings and timestamps; monotonic time is for waiting and ageing.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the rest of the package knows of time."""

    def now(self) -> datetime:
        """Wall-clock time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for this many of this clock's own seconds."""
        ...


class RealClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ScaledClock:
    """A clock that starts at `starts_at` and runs `speed` times as fast as `ticks`."""

    def __init__(
        self,
        speed: float,
        starts_at: datetime,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speed = speed
        self._starts_at = starts_at
        self._ticks = ticks
        self._started = ticks()

    def now(self) -> datetime:
        return self._starts_at + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (self._ticks() - self._started) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)
