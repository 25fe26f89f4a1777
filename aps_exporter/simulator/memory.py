"""What a simulated ECU remembers: its power through a day, its energy by day and by month.

It is what the plant made, whatever the ECU says of it at the time: of the faults of a plant only
those that delay the newest round show here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aps_exporter.ecu.decode import JOULES_PER_HUNDREDTH_KWH
from aps_exporter.ecu.queries import PERIOD_CODES, EnergyOfPeriodQuery, Period, PowerOfDayQuery
from aps_exporter.ecu.records import EnergyHead, EnergyRow6, EnergyRow8, PowerOfDayRow, StatusHead
from aps_exporter.ecu.replies import build_reply
from aps_exporter.simulator.plant import ROUND, Plant
from aps_exporter.wire import to_bytes

HISTORY_COMMANDS: Final = (PowerOfDayQuery.command.encode(), EnergyOfPeriodQuery.command.encode())

OLDEST_DAY: Final = date(2000, 1, 1)
"""No ECU remembers a day before it, and the calendar's first days break arithmetic with zones."""

DAYS_LISTED: Final[dict[Period, int]] = {"week": 7, "month": 30}
MONTHS_LISTED: Final = 12

_GOOD: Final = to_bytes(StatusHead("00"))
_COMMAND: Final = slice(9, 13)
_ARGUMENT: Final = slice(25, None)
_DAY: Final = re.compile(rb"END([0-9]{8})END\n")
_PERIOD: Final = re.compile(rb"END([0-9]{2})END\n")
_PERIODS: Final = {code: period for period, code in PERIOD_CODES.items()}
_LARGEST_OF_2_BYTES: Final = 2**16 - 1
_LARGEST_OF_4_BYTES: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Memory:
    """What an ECU remembers when its newest round is `newest`, in UTC.

    `zone` is the one its clock runs in, None for the host's; sun time is UTC and `sun_ahead`. With
    `wide_energies` it sends four bytes of energy in group `12`, else two in group `11`.
    """

    plant: Plant
    newest: datetime
    sun_ahead: timedelta
    zone: ZoneInfo | None
    wide_energies: bool

    def reply_to(self, request: bytes) -> bytes | None:
        """The reply to one of HISTORY_COMMANDS; None to hang up on a day or period that is none."""
        if request[_COMMAND] == HISTORY_COMMANDS[0]:
            day = _day_in(request[_ARGUMENT])
            return None if day is None else self._power_of_day(day)
        period = _period_in(request[_ARGUMENT])
        return None if period is None else self._energy_of_period(period)

    def _power_of_day(self, day: date) -> bytes:
        """Each round with power, by the ECU's clock: an hour that it shows twice is there twice."""
        rows = [
            to_bytes(PowerOfDayRow(f"{self._local(at):%H%M}", min(watts, _LARGEST_OF_2_BYTES)))
            for at in self._rounds_of(day)
            if (watts := self.plant.power_watts(self._sun(at)))
        ]
        return build_reply("11", PowerOfDayQuery.command, _GOOD + b"".join(rows) if rows else b"")

    def _energy_of_period(self, period: Period) -> bytes:
        rows = b"".join(self._energy_row(first, last) for first, last in self._spans(period))
        body = _GOOD + to_bytes(EnergyHead(PERIOD_CODES[period])) + rows
        group = "12" if self.wide_energies else "11"
        return build_reply(group, EnergyOfPeriodQuery.command, body)

    def _energy_row(self, first: date, last: date) -> bytes:
        """The energy of local days, cut off as ECUs do."""
        since, until = self._first_round(first), self._round_after(last)
        joules = self.plant.joules_between(self._sun(since), self._sun(until))
        energy = joules // JOULES_PER_HUNDREDTH_KWH
        if self.wide_energies:
            return to_bytes(EnergyRow8(f"{first:%Y%m%d}", min(energy, _LARGEST_OF_4_BYTES)))
        return to_bytes(EnergyRow6(f"{first:%Y%m%d}", min(energy, _LARGEST_OF_2_BYTES)))

    def _spans(self, period: Period) -> Iterator[tuple[date, date]]:
        """The first and the last day of each record, up to today."""
        today = self._local(self.newest).date()
        if period != "year":
            for ago in reversed(range(DAYS_LISTED[period])):
                day = today - timedelta(days=ago)
                yield day, day
            return
        for ago in reversed(range(MONTHS_LISTED)):
            first, following = _month(today, -ago), _month(today, 1 - ago)
            yield first, min(following - timedelta(days=1), today)

    def _rounds_of(self, day: date) -> Iterator[datetime]:
        """The rounds of a local day that show already, in UTC."""
        if not OLDEST_DAY <= day <= self._local(self.newest).date():
            return
        at, end = self._first_round(day), self._round_after(day)
        while at < end:
            yield at
            at += ROUND

    def _round_after(self, day: date) -> datetime:
        """The round behind the last one of this local day that shows already."""
        return min(self._first_round(day + timedelta(days=1)), self.newest + ROUND)

    def _first_round(self, day: date) -> datetime:
        """The first round of a local day; zones are whole rounds away from UTC."""
        return datetime.combine(day, time(), tzinfo=self.zone).astimezone(UTC)

    def _sun(self, round_: datetime) -> datetime:
        return round_.replace(tzinfo=None) + self.sun_ahead

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)


def _day_in(argument: bytes) -> date | None:
    found = _DAY.fullmatch(argument)
    try:
        return found and date.fromisoformat(found[1].decode())
    except ValueError:
        return None


def _period_in(argument: bytes) -> Period | None:
    found = _PERIOD.fullmatch(argument)
    return found and _PERIODS.get(found[1].decode())


def _month(day: date, step: int) -> date:
    """The first day of the month that is so many months after this day's, or before it."""
    years, month = divmod(day.month - 1 + step, 12)
    return date(day.year + years, month + 1, 1)
