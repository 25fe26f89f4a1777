"""When an ECU can have something new: the phase of its round, and back-off after failures.

Pure: told what was seen when, on a monotonic clock, it says when to ask next.
"""

import random
from collections import deque
from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Final

ASK_AFTER_VISIBLE_SECONDS: Final = 5.0
"""How long after the moment a round is expected it is asked for: ECUs are not that punctual."""

REPEAT_SECONDS: Final = 60.0
"""A refresh that found no new round is repeated once after this long; also the least interval."""

FIRST_BACK_OFF_SECONDS: Final = 60.0
LONGEST_BACK_OFF_SECONDS: Final = 300.0
BACK_OFF_JITTER: Final = 0.1
"""As a share, either way: many ECUs that failed together should not be asked together."""

_PERIODS_KEPT: Final = 5
_LONGEST_PERIOD_IN_ROUNDS: Final = 4
"""What is longer between two rounds is a night or an outage, not a period."""


class RoundSchedule:
    """Says when to ask one ECU, from the rounds and failures it is told of.

    Two moments: `ask_all_at` for a whole refresh, when a new round can be visible; `retry_at` for
    the queries that failed, None while none has.
    """

    def __init__(self, refresh_seconds: float, jitter: Callable[[], float] | None = None) -> None:
        """`jitter` gives a number from -1 to 1."""
        self._refresh_seconds = refresh_seconds
        self._jitter = jitter or _any_jitter
        self._stamp: datetime | None = None
        self._visible_by: float | None = None
        self._lookups_in_vain = 0
        self._periods: deque[float] = deque(maxlen=_PERIODS_KEPT)
        self._failures_in_a_row = 0
        self.ask_all_at = float("-inf")
        self.retry_at: float | None = None

    @property
    def next_at(self) -> float:
        """The moment of the next refresh, whole or in part.

        A retry less than a minute before a whole refresh is left to that.
        """
        if self.retry_at is None or self.retry_at + REPEAT_SECONDS > self.ask_all_at:
            return self.ask_all_at
        return self.retry_at

    @property
    def visible_by(self) -> float | None:
        """The earliest moment at which the newest round is known or reckoned to be visible."""
        return self._visible_by

    @property
    def period_seconds(self) -> float:
        """The learned length of a round; the configured one until two rounds were seen."""
        return median(self._periods) if self._periods else self._refresh_seconds

    def saw_round(self, stamp: datetime, at: float) -> bool:
        """The ECU showed the round of this time. Tells whether it is a new one."""
        if stamp == self._stamp:
            self._lookups_in_vain += 1
            first_time = self._lookups_in_vain == 1
            self.ask_all_at = at + (REPEAT_SECONDS if first_time else self._refresh_seconds)
            return False
        if self._stamp is not None:
            self._learn_period((stamp - self._stamp).total_seconds())
        self._visible_by = self._earliest_visible(at)
        self._stamp = stamp
        self._lookups_in_vain = 0
        expected = self._visible_by + self._refresh_seconds + ASK_AFTER_VISIBLE_SECONDS
        self.ask_all_at = max(expected, at + REPEAT_SECONDS)
        return True

    def saw_no_round(self, at: float) -> None:
        """The ECU answered something, but not which round it has."""
        self.ask_all_at = at + self._refresh_seconds

    def answered(self) -> None:
        """Every query has answered."""
        self._failures_in_a_row = 0
        self.retry_at = None

    def failed(self, at: float, *, any_reply: bool) -> None:
        """A query has failed, its retry too. Without any reply, nothing is asked before that."""
        back_off = FIRST_BACK_OFF_SECONDS * 2**self._failures_in_a_row
        if back_off < LONGEST_BACK_OFF_SECONDS:
            self._failures_in_a_row += 1
        jittered = min(back_off, LONGEST_BACK_OFF_SECONDS) * (1 + BACK_OFF_JITTER * self._jitter())
        self.retry_at = at + min(max(jittered, FIRST_BACK_OFF_SECONDS), LONGEST_BACK_OFF_SECONDS)
        if not any_reply:
            self.ask_all_at = self.retry_at

    def _earliest_visible(self, at: float) -> float:
        """When the round seen at `at` became visible: as early in its period as any ever was.

        An expectation that proved too early (a look-up in vain) is given up for what was seen.
        """
        if self._visible_by is None or self._lookups_in_vain:
            return at
        rounds_since = (at - self._visible_by) // self._refresh_seconds
        return self._visible_by + rounds_since * self._refresh_seconds

    def _learn_period(self, seconds: float) -> None:
        """Two rounds were stamped this far apart.

        Without a look-up in vain between them, rounds may have gone by unseen.
        """
        if not self._lookups_in_vain:
            seconds /= max(1, round(seconds / self._refresh_seconds))
        if 0 < seconds <= _LONGEST_PERIOD_IN_ROUNDS * self._refresh_seconds:
            self._periods.append(seconds)


def _any_jitter() -> float:
    return random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
