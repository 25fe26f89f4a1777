"""Which moment a round's local time means.

ECUs stamp rounds with a local time and are unreliable about its zone: 2160 and 2163 always say
`Etc/GMT-8` while their stamps are true local time.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aps_exporter.readings import LocalTime

logger = logging.getLogger(__name__)

ZONE_THAT_MEANS_NOTHING: Final = "Etc/GMT-8"

AHEAD_AT_MOST: Final = timedelta(minutes=1)
BEHIND_AT_MOST: Final = timedelta(minutes=15)
"""How far from our own clock the stamp of a newly seen round may lie while inverters work."""

ROUNDS_REMEMBERED: Final = 64
"""Five hours of rounds: more than can come again, be it after a restart or from a confused ECU."""

_QUARTER_HOUR: Final = timedelta(minutes=15)
_HOUR_OF_DST: Final = timedelta(hours=1)
_LARGEST_OFFSET: Final = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class RoundTimesMemory:
    """What must not be told otherwise later.

    Attributes:
        correction_seconds: the offset from UTC in use instead of the zone's; None if the zone fits.
        newest: the newest round, as the ECU stamped it.
        moments: the UTC time given to each recent stamp, oldest first.
    """

    correction_seconds: float | None = None
    newest: LocalTime | None = None
    moments: Mapping[LocalTime, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What local times are reckoned by.

    Attributes:
        source: whose word it is; `found` is an offset from UTC that made sense of rounds.
        zone: the name of the zone, or the offset as `+02:00`; `host` where it is the host's.
    """

    source: Literal["configured", "found", "ecu", "host"]
    zone: str


class RoundTimes:
    """Turns the local times of one ECU into UTC; what a round was given stays."""

    def __init__(
        self, target: str, zone: ZoneInfo | None, memory: RoundTimesMemory | None = None
    ) -> None:
        """`zone` is the configured one; None to go by what the ECU says, or the host."""
        memory = memory or RoundTimesMemory()
        self._target = target
        self._zone = zone
        self._correction: timedelta | None = None
        if memory.correction_seconds is not None:
            self._correction = timedelta(seconds=memory.correction_seconds)
        self._warned_of = self._correction
        self._newest = memory.newest
        self._moments = dict(memory.moments)

    @property
    def memory(self) -> RoundTimesMemory:
        """What is to be remembered at this moment."""
        return RoundTimesMemory(
            None if self._correction is None else self._correction.total_seconds(),
            self._newest,
            dict(self._moments),
        )

    def reckoning(self, ecu_zone: str | None) -> Reckoning:
        """What `moment` goes by."""
        if self._correction is not None:
            return Reckoning("found", _signed(self._correction))
        if self._zone is not None:
            return Reckoning("configured", self._zone.key)
        zone = _zone_or_none(ecu_zone)
        return Reckoning("host", "host") if zone is None else Reckoning("ecu", zone.key)

    def moment(self, stamp: datetime, ecu_zone: str | None, now: datetime) -> datetime:
        """The UTC time a local time of this ECU means, as far as is known by now."""
        if self._correction is not None:
            return stamp.replace(tzinfo=UTC) - self._correction
        return self._by_zone(stamp, ecu_zone, now)

    def day(self, ecu_zone: str | None, now: datetime) -> date:
        """The date where the ECU is."""
        if self._correction is not None:
            return (now + self._correction).date()
        return now.astimezone(self._zone or _zone_or_none(ecu_zone)).date()

    def moment_of_round(
        self, stamp: datetime, ecu_zone: str | None, now: datetime, *, awake: bool
    ) -> datetime:
        """The UTC time of a round; one that was told before is told the same.

        A stamp that comes again long after its time is another round: DST repeats an hour.
        """
        known = self._moments.get(LocalTime(stamp))
        if known is not None and (stamp == self._newest or _is_near(known, now)):
            moment = known
        else:
            moment = self._moment_of_new_round(stamp, ecu_zone, now, awake=awake)
        self._newest = local = LocalTime(stamp)
        self._moments.pop(local, None)
        self._moments[local] = moment
        if len(self._moments) > ROUNDS_REMEMBERED:
            del self._moments[next(iter(self._moments))]
        return moment

    def _moment_of_new_round(
        self, stamp: datetime, ecu_zone: str | None, now: datetime, *, awake: bool
    ) -> datetime:
        """The UTC time of a round seen for the first time.

        While inverters work (`awake`) such a stamp cannot lie far from now; at night it may be old,
        but never ahead, nor before the round that came before it. Where the zone says otherwise,
        the quarter-hour offset from UTC that makes sense of it is used, by day from then on; if
        there is none, the clock of the ECU is wrong and its stamp is taken as it stands.
        """
        if not awake:
            return self._moment_by_night(stamp, ecu_zone, now)
        by_zone = self._by_zone(stamp, ecu_zone, now)
        correction = None if _is_near(by_zone, now) else _offset_that_fits(stamp, now)
        if correction is not None and correction != self._warned_of:
            self._warn(correction, ecu_zone)
            self._warned_of = correction
        self._correction = correction
        return self.moment(stamp, ecu_zone, now)

    def _moment_by_night(self, stamp: datetime, ecu_zone: str | None, now: datetime) -> datetime:
        moment = self.moment(stamp, ecu_zone, now)
        if moment > now + AHEAD_AT_MOST:
            offset = _offset_that_fits(stamp, now)
            return moment if offset is None else stamp.replace(tzinfo=UTC) - offset
        newest = None if self._newest is None else self._moments.get(self._newest)
        is_no_later = newest is not None and moment <= newest
        if is_no_later and _is_near(moment + _HOUR_OF_DST, now):
            return moment + _HOUR_OF_DST  # DST has ended there, and the zone in use does not know
        return moment

    def _warn(self, correction: timedelta, ecu_zone: str | None) -> None:
        zone = self._zone or _zone_or_none(ecu_zone)
        logger.warning(
            "the ECU's clock does not fit its time zone; using an offset that does",
            extra={
                "target": self._target,
                "zone": zone.key if zone is not None else "the host's",
                "utc_offset": _signed(correction),
                "hint": "set APS_TIMEZONE to the zone the ECU's clock runs in"
                if self._zone is None
                else "APS_TIMEZONE does not fit the ECU's clock: correct or unset it",
            },
        )

    def _by_zone(self, stamp: datetime, ecu_zone: str | None, now: datetime) -> datetime:
        """The stamp in the zone that holds; in the hour that DST repeats, the one nearer to now."""
        zone = self._zone or _zone_or_none(ecu_zone)
        readings = [stamp.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
        return min(readings, key=lambda reading: abs(reading - now))


def _zone_or_none(name: str | None) -> ZoneInfo | None:
    if name is None or name == ZONE_THAT_MEANS_NOTHING:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # an ECU may say anything
        return None


def _is_near(moment: datetime, now: datetime) -> bool:
    return now - BEHIND_AT_MOST <= moment <= now + AHEAD_AT_MOST


def _offset_that_fits(stamp: datetime, now: datetime) -> timedelta | None:
    """The quarter-hour offset from UTC that puts the stamp nearest below the latest it may be."""
    least = stamp.replace(tzinfo=UTC) - (now + AHEAD_AT_MOST)
    offset = -(-least // _QUARTER_HOUR) * _QUARTER_HOUR
    return offset if abs(offset) <= _LARGEST_OFFSET else None


def _signed(offset: timedelta) -> str:
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"{'-' if offset < timedelta(0) else '+'}{hours:02}:{minutes:02}"
