"""Which faults are on: those set by hand, and those whose window in the script is open now."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, MutableSet
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from aps_exporter.clock import Clock
from aps_exporter.simulator.faults import FAULTS, Fault
from aps_exporter.simulator.script import FaultWindow

_TIMER_DECIMALS: Final = 3
"""Time counts to the millisecond: a timer may end a rounding error before its moment."""

_Member = TypeVar("_Member")


class FaultSchedule(MutableSet[Fault]):
    """The faults that are on at this moment of the clock, as a set.

    Adding and discarding changes what is set by hand; a window of the script stays as it is.
    Time counts from when this object is made.
    """

    def __init__(
        self, clock: Clock, faults: Iterable[Fault] = (), script: Iterable[FaultWindow] = ()
    ) -> None:
        self.started_at = clock.now()
        self._clock = clock
        self._started = clock.monotonic()
        self._by_hand: dict[Fault, float] = {}
        self._windows = _merged(script)
        for fault in faults:
            self.add(fault)

    @property
    def elapsed(self) -> float:
        """Simulated seconds since the start."""
        return round(self._clock.monotonic() - self._started, _TIMER_DECIMALS)

    def began(self, fault: Fault) -> datetime | None:
        """Since when this fault is on, in UTC; None when it is off."""
        window = self._open_window(fault)
        starts = [window.starts_at] if window else []
        if fault in self._by_hand:
            starts.append(self._by_hand[fault])
        return self.started_at + timedelta(seconds=min(starts)) if starts else None

    async def edges_of(self, fault: Fault) -> AsyncIterator[None]:
        """Comes back each time that a window of this fault has opened or closed."""
        for edge in [edge for w in self._windows[fault] for edge in (w.starts_at, w.ends_at)]:
            await self._clock.sleep(max(0.0, edge - self.elapsed))
            yield

    def add(self, value: Fault) -> None:
        if value not in FAULTS:
            raise ValueError(f"no fault is called {value!r}")
        self._by_hand.setdefault(value, self.elapsed)

    def discard(self, value: Fault) -> None:
        self._by_hand.pop(value, None)

    def clear(self) -> None:
        self._by_hand.clear()

    def __contains__(self, fault: Any) -> bool:
        return fault in self._by_hand or self._open_window(fault) is not None

    def __iter__(self) -> Iterator[Fault]:
        return (fault for fault in FAULTS if fault in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @classmethod
    def _from_iterable(cls, it: Iterable[_Member]) -> set[_Member]:
        """What `|`, `&` and `-` give is a plain set."""
        return set(it)

    def _open_window(self, fault: Fault) -> FaultWindow | None:
        windows = self._windows.get(fault)
        if not windows:
            return None
        now = self.elapsed
        index = bisect_right(windows, now, key=lambda window: window.starts_at) - 1
        return windows[index] if index >= 0 and now < windows[index].ends_at else None


def _merged(script: Iterable[FaultWindow]) -> defaultdict[Fault, list[FaultWindow]]:
    """The windows by fault and in order; those that touch or overlap are one."""
    merged: defaultdict[Fault, list[FaultWindow]] = defaultdict(list)
    for window in sorted(script, key=lambda window: window.starts_at):
        windows = merged[window.fault]
        if windows and window.starts_at <= windows[-1].ends_at:
            last = windows.pop()
            windows.append(
                FaultWindow(last.fault, last.starts_at, max(last.ends_at, window.ends_at))
            )
        else:
            windows.append(window)
    return merged
