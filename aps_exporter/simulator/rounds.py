"""When a simulated ECU has asked its inverters, when that shows, and what time it says it was.

The faults `late-rounds` and `long-rounds` move the rounds, `frozen-clock` and `clock-ahead` only
the times they bear. A round that has shown stays when one of them begins.
"""

import random
from datetime import datetime, timedelta
from typing import Final

from aps_exporter.clock import Clock
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import ROUND

LONG_ROUND: Final = 2 * ROUND
MOST_LATE_SECONDS: Final = 240
CLOCK_AHEAD: Final = timedelta(minutes=7)


class Rounds:
    """The rounds of one ECU. All times are in UTC: no zone has rounds at other moments."""

    def __init__(self, clock: Clock, faults: FaultSchedule) -> None:
        self._clock = clock
        self._faults = faults

    def newest(self) -> datetime:
        """The newest round that shows."""
        return self._newest_at(self._clock.now())

    def newest_when_began(self, fault: Fault) -> datetime:
        """The newest round when this fault began; the newest of all when it is off."""
        return self._newest_at(self._faults.began(fault) or self._clock.now())

    def stamp(self) -> datetime:
        """The time that the ECU gives its newest round."""
        ahead = CLOCK_AHEAD if "clock-ahead" in self._faults else timedelta()
        return self.newest_when_began("frozen-clock") + ahead

    def _newest_at(self, moment: datetime) -> datetime:
        long, late = self._began_by(moment, "long-rounds"), self._began_by(moment, "late-rounds")
        period = LONG_ROUND if long else ROUND
        newest = last_full(moment, period)
        while late and newest + lateness(newest) > moment:
            newest -= period
        start = self._faults.started_at  # before it nothing has shown
        if long and long > start:
            newest = max(newest, last_full(long, ROUND))
        if late and late > start:
            newest = max(newest, last_full(late, period))
        return newest

    def _began_by(self, moment: datetime, fault: Fault) -> datetime | None:
        """When this fault began; None if it is off, or was at that moment."""
        began = self._faults.began(fault)
        return began if began is not None and began <= moment else None


def lateness(round_: datetime) -> timedelta:
    """How late this round shows with `late-rounds`: the same for the same round."""
    chance = random.Random(f"late {round_:%Y%m%d%H%M}")  # noqa: S311 - a plant, no secret
    return timedelta(seconds=chance.randint(0, MOST_LATE_SECONDS))


def last_full(moment: datetime, period: timedelta = ROUND) -> datetime:
    """The last full interval since midnight at or before this moment, in UTC or without a zone."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // period * period
