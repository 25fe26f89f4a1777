"""A day of an ECU's own history: what it says of it, and what of that is missing elsewhere."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from aps_exporter.energy import EnergyIntegral

PRESENT_WITHIN: Final = timedelta(seconds=150)
"""A minute counts as present when a point lies so near: half a round."""

LARGEST_DIFFERENCE: Final = 0.02
"""By which what the ECU says of a month may differ from its days and not be told."""


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A day where the ECU is, from midnight to midnight, in UTC."""

    ecu: str
    date: date
    starts_at: datetime
    ends_at: datetime

    @property
    def last_minute(self) -> datetime:
        """23:59 there."""
        return self.ends_at - timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """The ECU's power at a moment."""

    at: datetime
    watts: float


@dataclass(frozen=True, slots=True)
class DayPoints:
    """Power through a day, oldest first, and the energy of the day; None where it is not known."""

    power: tuple[PowerPoint, ...] = ()
    energy_joules: float | None = None

    @property
    def count(self) -> int:
        """How many points these are; the energy is one of them."""
        return len(self.power) + (self.energy_joules is not None)


@dataclass(frozen=True, slots=True)
class Present:
    """What there is of a day already: moments of power in any order, and whether its energy is."""

    power: Sequence[datetime] = ()
    energy: bool = False


@dataclass(frozen=True, slots=True)
class MonthDifference:
    """A month of which the ECU says something else than the sum of its days."""

    first: date
    said_joules: float
    days_joules: float


def day_points(
    power_watts: Mapping[time, int],
    energy_lists: Iterable[Mapping[date, int]],
    day: date,
    moment_of: Callable[[datetime], datetime],
    round_seconds: float,
) -> DayPoints:
    """What the ECU says of a day that is over.

    Its energy is that of the first list that has one over 0, in joules; else its power, integrated.
    `moment_of` gives the UTC time that a local one means.
    """
    watts = {moment_of(datetime.combine(day, at)): power_watts[at] for at in sorted(power_watts)}
    power = tuple(PowerPoint(at, watts[at]) for at in sorted(watts))
    listed = (energies.get(day, 0) for energies in energy_lists)
    energy = next((joules for joules in listed if joules > 0), 0) or _integrated(
        power, round_seconds
    )
    return DayPoints(power, energy or None)


def _integrated(power: Iterable[PowerPoint], round_seconds: float) -> float:
    integral = EnergyIntegral()
    for point in power:
        integral = integral.with_round(point.at, point.watts, round_seconds)
    return integral.joules


def missing(points: DayPoints, present: Present) -> DayPoints:
    """What of these points is not there yet."""
    there = sorted(present.power)
    return DayPoints(
        tuple(point for point in points.power if not _is_near_one_of(there, point.at)),
        None if present.energy else points.energy_joules,
    )


def _is_near_one_of(moments: Sequence[datetime], at: datetime) -> bool:
    """Whether one of these moments, which rise, lies within `PRESENT_WITHIN`."""
    index = bisect_left(moments, at - PRESENT_WITHIN)
    return index < len(moments) and moments[index] <= at + PRESENT_WITHIN


def month_differences(
    year_list: Mapping[date, int], day_joules: Mapping[date, float]
) -> list[MonthDifference]:
    """The months that do not fit their days, of those whose every day is known."""
    days: defaultdict[date, dict[date, float]] = defaultdict(dict)
    for day, joules in day_joules.items():
        days[day.replace(day=1)][day] = joules
    found = []
    for first, known in sorted(days.items()):
        said, added = year_list.get(first.replace(day=1)), sum(known.values())
        if said is None or len(known) < _days_in_month(first):
            continue
        if abs(said - added) > LARGEST_DIFFERENCE * max(said, added):
            found.append(MonthDifference(first, said, added))
    return found


def _days_in_month(first: date) -> int:
    next_month = (first + timedelta(days=31)).replace(day=1)
    return (next_month - first).days
