"""What may be believed of what an ECU says."""

from dataclasses import dataclass
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


class LifetimeCounter:
    """A lifetime energy that never falls: the first believed value plus every believed rise.

    What the ECU says counts from a base, its last believed value. A fall, or a rise that its
    inverters cannot have made, is held until three replies in a row agree (none below the one
    before it, all on the same side); then it becomes the new base and the counter stays as it is.
    """

    def __init__(self) -> None:
        self.joules: int | None = None
        self.believed_joules: int | None = None
        self._believed_at = 0.0
        self._doubted: list[int] = []
        self._doubt: RejectionReason | None = None

    def hear(
        self, reported_joules: int, at: float, most_watts: float, round_seconds: float
    ) -> RejectionReason | None:
        """Take in what a reply says; the reason if it is not believed.

        `most_watts` is what all known channels can make together. A zero at first contact is
        withheld without a reason: a new ECU says so rightly.
        """
        if self.believed_joules is None:
            if reported_joules or self._convinced(reported_joules, None):
                self._believe(reported_joules, at)
                self.joules = reported_joules
            return None
        rise = reported_joules - self.believed_joules
        most_joules = most_watts * (at - self._believed_at + round_seconds)
        if 0 <= rise <= most_joules:
            self._believe(reported_joules, at)
            self.joules = (self.joules or 0) + rise
            return None
        doubt: RejectionReason = "lifetime_fell" if rise < 0 else "lifetime_leap"
        if self._convinced(reported_joules, doubt):
            self._believe(reported_joules, at)
            return None
        return doubt

    def _convinced(self, reported_joules: int, doubt: RejectionReason | None) -> bool:
        if self._doubted and (doubt != self._doubt or reported_joules < self._doubted[-1]):
            self._doubted = []
        self._doubt = doubt
        self._doubted.append(reported_joules)
        return len(self._doubted) >= REPLIES_THAT_CONVINCE

    def _believe(self, reported_joules: int, at: float) -> None:
        self.believed_joules = reported_joules
        self._believed_at = at
        self._doubted = []
