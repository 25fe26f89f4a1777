"""What may be believed of what an ECU says."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from aps_exporter.readings import RejectionReason

Quantity = Literal["frequency", "voltage", "temperature", "channel_power"]


@dataclass(frozen=True, slots=True)
class PhysicalRange:
    """What a quantity can be, both ends included."""

    lowest: float
    highest: float

    def holds(self, value: float) -> bool:
        return self.lowest <= value <= self.highest


# A row just waking says 65.0 Hz and 5 V; others were seen with 230,400 V and 62,405 W.
PHYSICAL_RANGES: Final[dict[Quantity, PhysicalRange]] = {
    "frequency": PhysicalRange(45, 64),  # Hz
    "voltage": PhysicalRange(50, 500),  # V
    "temperature": PhysicalRange(-60, 120),  # degC
    "channel_power": PhysicalRange(0, 1_000),  # W
}

LIKELY_CHANNEL_WATTS: Final = 1_000
"""What one channel can make at most, for a rise of the lifetime energy that may be believed."""

REPLIES_THAT_CONVINCE: Final = 3

_SECONDS_A_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class LifetimeMemory:
    """What a lifetime counter must not forget.

    Attributes:
        joules: the counter; None while nothing is believed.
        believed_joules: what the ECU said when it was last believed: the base.
        believed_at: when that was, by the wall clock.
        doubted: the latest replies that agree with each other, but not with the base.
        doubt: what is wrong with them; None for zeros at first contact.
    """

    joules: int | None = None
    believed_joules: int | None = None
    believed_at: datetime | None = None
    doubted: tuple[int, ...] = ()
    doubt: RejectionReason | None = None


class LifetimeCounter:
    """A lifetime energy that never falls: the first believed value plus every believed rise.

    What the ECU says counts from a base, its last believed value. A fall, or a rise that its
    inverters cannot have made, is held until three replies in a row agree (none below the one
    before it, all on the same side). Then it becomes the new base, and only what was added from
    the first of them to the last counts.
    """

    def __init__(self, memory: LifetimeMemory | None = None) -> None:
        self.memory = memory or LifetimeMemory()
        self._believed_at = math.inf

    @property
    def joules(self) -> int | None:
        """The counter."""
        return self.memory.joules

    @property
    def believed_joules(self) -> int | None:
        """What the ECU said when it was last believed."""
        return self.memory.believed_joules

    def hear(
        self,
        reported_joules: int,
        at: float,
        now: datetime,
        most_watts: float,
        round_seconds: float,
    ) -> RejectionReason | None:
        """Take in what a reply says; the reason if it is not believed.

        `at` is on a monotonic clock, `now` on the wall clock. `most_watts` is what all known
        channels can make together. A zero at first contact is withheld without a reason: a new ECU
        says so rightly.
        """
        if self.believed_joules is None:
            if reported_joules or self._convinced(reported_joules, None):
                self._believe(reported_joules, at, now, reported_joules)
            return None
        rise = reported_joules - self.believed_joules
        most_joules = most_watts * (self._seconds_since_believed(at, now) + round_seconds)
        if 0 <= rise <= most_joules:
            self._believe(reported_joules, at, now, (self.joules or 0) + rise)
            return None
        doubt: RejectionReason = "lifetime_fell" if rise < 0 else "lifetime_leap"
        if self._convinced(reported_joules, doubt):
            added = reported_joules - self.memory.doubted[0]
            added = added if added <= most_joules else 0
            self._believe(reported_joules, at, now, (self.joules or 0) + added)
            return None
        return doubt

    def _seconds_since_believed(self, at: float, now: datetime) -> float:
        """By whichever clock says more: one starts anew with the process, one may be set back."""
        believed_at = self.memory.believed_at or now
        if believed_at > now and math.isinf(self._believed_at):
            return _SECONDS_A_DAY  # a clock was wrong, before the restart or now: nobody knows
        return max(0.0, at - self._believed_at, (now - believed_at).total_seconds())

    def _convinced(self, reported_joules: int, doubt: RejectionReason | None) -> bool:
        doubted = self.memory.doubted
        if doubted and (doubt != self.memory.doubt or reported_joules < doubted[-1]):
            doubted = ()
        doubted = (*doubted, reported_joules)
        self.memory = replace(self.memory, doubted=doubted, doubt=doubt)
        return len(doubted) >= REPLIES_THAT_CONVINCE

    def _believe(self, reported_joules: int, at: float, now: datetime, joules: int) -> None:
        self.memory = LifetimeMemory(joules, reported_joules, now)
        self._believed_at = at
