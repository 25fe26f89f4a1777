"""At which moment of its period an ECU shows a new round, learnt from what was seen when.

Pure, on a monotonic clock. Each reply bounds the moment at which a round becomes visible: seen, it
had come by then; looked for in vain, it came later. The bounds move on from round to round, are
halved by looking in their middle until they are close, and are then followed as they drift.
"""

from collections.abc import Sequence
from typing import Final

CLOSE_SECONDS: Final = 14.0
"""Bounds this close are not halved any more: a real ECU is not punctual to the second."""

CREEP_SECONDS: Final = 0.02
CREEP_GROWTH: Final = 1.05
"""While rounds are there when asked for, the bounds creep earlier, ever faster: the phase may have
moved there. Two hours of rounds make a second; some 135 rounds find any phase again."""

SLIP_SECONDS: Final = 3.0
"""How far close bounds give way to one round that came a little later than they said."""


class PhaseLock:
    """Bounds on the moment at which the newest round became visible."""

    def __init__(self, earliest: float, latest: float) -> None:
        """The newest round became visible between these moments."""
        self._earliest = earliest
        self._latest = latest
        self._creep = CREEP_SECONDS
        self._has_slipped = False

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which moments the newest round became visible."""
        return self._earliest, self._latest

    @property
    def visible_by(self) -> float:
        """The latest moment at which the newest round became visible, as far as is known."""
        return self._latest

    @property
    def is_close(self) -> bool:
        """Whether the bounds need no more halving."""
        return self._latest - self._earliest <= CLOSE_SECONDS

    def next_look(self, period: float) -> float:
        """When to look for the next round: where it halves the bounds, or just behind them."""
        offset = 0.0 if self.is_close else (self._latest - self._earliest) / 2
        return self._latest - offset + period

    def seen(
        self, at: float, *, stamped_later_by: float, period: float, vain_looks: Sequence[float]
    ) -> None:
        """A newer round was seen, stamped so many seconds after the one before.

        `vain_looks` are the moments since then at which it was looked for and not there. The stamps
        tell how far the bounds move on, even when the ECU has restarted its rounds; but not when
        its clock was set. Then whole periods do, unless a look in vain says otherwise; and if
        neither fits, only what was seen counts.
        """
        not_before = vain_looks[-1] if vain_looks else float("-inf")
        middle = (self._earliest + self._latest) / 2
        whole_periods = max(1, round((at - middle) / period)) * period
        moves = (stamped_later_by,) if vain_looks else (stamped_later_by, whole_periods)
        for move in moves:
            earliest, latest = self._earliest + move, self._latest + move
            if earliest <= at and max(not_before, at - 1.5 * period) < latest:
                self._narrow(earliest, latest, at, not_before)
                return
        self._creep = CREEP_SECONDS
        expected = self._latest + whole_periods
        came_a_little_late = bool(vain_looks) and vain_looks[0] - expected < SLIP_SECONDS
        if self.is_close and came_a_little_late and not self._has_slipped:
            self._latest = vain_looks[0] + SLIP_SECONDS
            self._earliest = self._latest - CLOSE_SECONDS
            self._has_slipped = True
        else:
            self._earliest, self._latest = max(not_before, at - period), at
            self._has_slipped = False

    def _narrow(self, earliest: float, latest: float, at: float, not_before: float) -> None:
        was_close = self.is_close
        self._earliest, self._latest = max(earliest, not_before), min(latest, at)
        if was_close:
            self._earliest = self._latest - CLOSE_SECONDS
        self._has_slipped = False
        if not_before > earliest:  # a look in vain has just shown where it is too early
            self._creep = CREEP_SECONDS
            return
        self._creep *= CREEP_GROWTH
        self._earliest -= self._creep
        self._latest -= self._creep
