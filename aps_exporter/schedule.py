"""When an ECU can have something new: the phase of its round, and back-off after failures.

Pure: told what was seen when, on a monotonic clock, it says when to ask next.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from statistics import median
from typing import Final

from aps_exporter.phase import PhaseLock
from aps_exporter.readings import LocalTime

REPEAT_SECONDS: Final = 60.0
"""A refresh that found no new round is repeated once after this long; also the least interval."""

FIRST_BACK_OFF_SECONDS: Final = 60.0
LONGEST_BACK_OFF_SECONDS: Final = 300.0
BACK_OFF_JITTER: Final = 0.1
"""As a share, either way: many ECUs that failed together should not be asked together."""

_PUNCTUAL_SECONDS: Final = 1.0
"""A look so little before a round is due was meant for it."""

_PERIODS_KEPT: Final = 5
_LONGEST_PERIOD_IN_ROUNDS: Final = 4
"""What is longer between two rounds is a night or an outage, not a period; and what is shorter than
half a configured one is a clock that was set."""

_LONG_PERIOD: Final = 1.5
"""Times the configured one: a period as long as this is doubted now and then."""
_ROUNDS_TO_A_PROBE: Final = 12


@dataclass(frozen=True, slots=True)
class ScheduleMemory:
    """What was learnt about the rounds of one ECU, by the wall clock.

    Attributes:
        stamp: the newest round, as the ECU stamped it.
        earliest: it became visible after this.
        latest: and by this.
        periods: seconds from round to round, oldest first.
    """

    stamp: LocalTime
    earliest: datetime
    latest: datetime
    periods: tuple[float, ...]


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
        self._phase: PhaseLock | None = None
        self._vain_looks: list[float] = []
        self._periods: deque[float] = deque(maxlen=_PERIODS_KEPT)
        self._rounds_since_probe = 0
        self._failures_in_a_row = 0
        self._has_resumed = False
        self.ask_all_at = float("-inf")
        self.retry_at: float | None = None

    def memory(self, at: float, now: datetime) -> ScheduleMemory | None:
        """What has been learnt by this moment; None before the first round."""
        if self._stamp is None or self._phase is None:
            return None
        earliest, latest = (now + timedelta(seconds=bound - at) for bound in self._phase.bounds)
        return ScheduleMemory(LocalTime(self._stamp), earliest, latest, tuple(self._periods))

    def resume(self, memory: ScheduleMemory, at: float, now: datetime) -> None:
        """Go on from what was learnt before a restart, unless the wall clock went back since."""
        earliest, latest = (
            at - (now - bound).total_seconds() for bound in (memory.earliest, memory.latest)
        )
        if earliest > latest or latest > at:
            return
        self._stamp = memory.stamp
        self._phase = PhaseLock(earliest, latest)
        self._periods.extend(filter(self._can_be_a_period, memory.periods))
        self._has_resumed = True

    @property
    def next_at(self) -> float:
        """The moment of the next refresh, whole or in part.

        A retry less than a minute before a whole refresh is left to that.
        """
        if self.retry_at is None or self.retry_at + REPEAT_SECONDS > self.ask_all_at:
            return self.ask_all_at
        return self.retry_at

    def is_due(self, at: float) -> bool:
        """Whether to refresh now, wholly or in part; a late retry is left to what comes soon."""
        if at >= self.ask_all_at:
            return True
        return at >= self.next_at and at + REPEAT_SECONDS <= self.ask_all_at

    @property
    def visible_by(self) -> float | None:
        """By when the newest round was visible, as far as is known; None before the first."""
        return None if self._phase is None else self._phase.visible_by

    @property
    def period_seconds(self) -> float:
        """The learned length of a round; the configured one until two rounds were seen."""
        return median(self._periods) if self._periods else self._refresh_seconds

    def saw_round(self, stamp: datetime, at: float) -> bool:
        """The ECU showed the round of this time. Tells whether it is a new one.

        The first one after a restart is new, even if it was known before.
        """
        has_resumed, self._has_resumed = self._has_resumed, False
        if stamp == self._stamp and self._phase is not None:
            if has_resumed and at < self._expected_at(self._phase):
                self.ask_all_at = self._after_round_seen(self._phase, at)  # none can be newer yet
            else:
                self._vain_looks.append(at)
                self.ask_all_at = self._after_a_vain_look(self._phase, at)
            return has_resumed
        if self._phase is None or self._stamp is None:
            self._phase = PhaseLock(at - self._refresh_seconds, at)
        else:
            later_by = (stamp - self._stamp).total_seconds()
            late_looks = [at for at in self._vain_looks if at >= self._expected_at(self._phase)]
            self._learn_period(later_by, was_awaited=bool(late_looks))
            self._phase.seen(
                at,
                stamped_later_by=later_by,
                period=self.period_seconds,
                vain_looks=self._vain_looks,
            )
        self._stamp = stamp
        self._vain_looks = []
        self.ask_all_at = self._after_round_seen(self._phase, at)
        return True

    def _expected_at(self, phase: PhaseLock) -> float:
        """By when the round after the newest one should be visible."""
        return phase.visible_by + self.period_seconds

    def _after_round_seen(self, phase: PhaseLock, at: float) -> float:
        """When the next round is due, by the phase; but not within a minute."""
        return max(phase.next_look(self._period_to_wait()), at + REPEAT_SECONDS)

    def _after_a_vain_look(self, phase: PhaseLock, at: float) -> float:
        """A look in vain is repeated once after a minute; then a period's moment is waited for."""
        if len(self._vain_looks) == 1:
            return at + REPEAT_SECONDS
        period = max(self.period_seconds, self._refresh_seconds)
        passed = floor((at + _PUNCTUAL_SECONDS - phase.visible_by) / period)
        return max(phase.visible_by + (passed + 1) * period, at + REPEAT_SECONDS)

    def _period_to_wait(self) -> float:
        """The learned period; now and then a shorter one, to see whether it still is that long."""
        if self.period_seconds < _LONG_PERIOD * self._refresh_seconds:
            self._rounds_since_probe = 0
            return self.period_seconds
        self._rounds_since_probe += 1
        if self._rounds_since_probe < _ROUNDS_TO_A_PROBE:
            return self.period_seconds
        self._rounds_since_probe = 0
        return self._refresh_seconds

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

    def _learn_period(self, seconds: float, *, was_awaited: bool) -> None:
        """Two rounds were stamped this far apart.

        Unless the second was looked for in vain when it was due, rounds may have gone by unseen:
        then they were as long as known, or as configured.
        """
        if not was_awaited and not _are_alike(seconds, self.period_seconds):
            seconds /= max(1, round(seconds / self._refresh_seconds))
        if not self._can_be_a_period(seconds):
            return
        if seconds < self.period_seconds / _LONG_PERIOD:
            self._periods.clear()  # what was taken for one long round was several
        self._periods.append(seconds)

    def _can_be_a_period(self, seconds: float) -> bool:
        shortest, longest = 1 / 2, _LONGEST_PERIOD_IN_ROUNDS
        return shortest <= seconds / self._refresh_seconds <= longest


def _are_alike(seconds: float, period: float) -> bool:
    return abs(seconds - period) < period / 10


def _any_jitter() -> float:
    return random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
