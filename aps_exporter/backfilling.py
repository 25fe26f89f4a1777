"""Fills a destination with what an ECU remembers and it lacks, day by day, the oldest first."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from aps_exporter.backfill_progress import BackfillProgress, BackfillTask, DayDone
from aps_exporter.clock import Clock
from aps_exporter.ecu_history import EcuHistory
from aps_exporter.ecu_memory import EcuMemory
from aps_exporter.errors import DayLostError, NoHistoryError
from aps_exporter.history import (
    DayPoints,
    LocalDay,
    MonthDifference,
    Present,
    day_points,
    missing,
    month_differences,
)
from aps_exporter.readings import EcuReading
from aps_exporter.round_time import Reckoning, RoundTimes

_ONE_DAY: Final = timedelta(days=1)


class Destination(Protocol):
    """Where days of history go."""

    @property
    def name(self) -> str:
        """What tells it from others, without secrets."""
        ...

    @property
    def is_made_at_the_end(self) -> bool:
        """Whether what is written is only kept until `finish`."""
        ...

    @property
    def leaves_to_others(self) -> timedelta:
        """How far back from now somebody else writes there."""
        ...

    async def present(self, day: LocalDay) -> Present:
        """What is there of this day.

        Raises:
            SinkUnavailableError: that cannot be learnt now.
            SpoolUnavailableError: nor what waits on disk to go there.
        """
        ...

    async def write(self, day: LocalDay, points: DayPoints) -> int:
        """Write these points; gives how many of them are refused for good.

        Raises:
            SinkUnavailableError: not all could be written; writing them again is harmless.
            SpoolUnavailableError: what is refused cannot be set aside.
        """
        ...

    def finish(self) -> None:
        """All days are written."""
        ...


@dataclass(frozen=True, slots=True)
class BackfillRange:
    """The days to fill, both included; `is_open` says that `last` was not asked for."""

    first: date
    last: date
    is_open: bool


@dataclass(frozen=True, slots=True)
class BackfillStart:
    """What is known before the first day is asked for.

    Attributes:
        days: how many there are to do.
        resumed_at: the day on which an earlier run goes on; None at a beginning.
        reckoning: what the ECU's times are reckoned by.
    """

    info: EcuReading
    days: int
    resumed_at: date | None
    reckoning: Reckoning


@dataclass(slots=True)
class BackfillSum:
    """What came of a whole back-fill, earlier runs of it included."""

    days: int = 0
    written: int = 0
    present: int = 0
    refused: int = 0
    lacks_power: bool = False
    lacks_energies: bool = False
    left_out: list[date] = field(default_factory=list)
    months: list[MonthDifference] = field(default_factory=list)

    def add(self, day: DayDone) -> None:
        self.days += 1
        self.written += day.written
        self.present += day.present
        self.refused += day.refused
        if day.is_left_out:
            self.left_out.append(day.day)


class Backfill:
    """One back-fill: `begin`, then `days` to their end, then `finish`."""

    def __init__(  # noqa: PLR0913 - each is one thing this stands on
        self,
        history: EcuHistory,
        clock: Clock,
        destination: Destination,
        days: BackfillRange,
        *,
        zone: ZoneInfo | None,
        recall: Callable[[str], EcuMemory | None],
        progress_of: Callable[[BackfillTask], BackfillProgress] | None,
        round_seconds: float,
    ) -> None:
        """`zone` is the configured one; without `progress_of` the destination is only read."""
        self._history = history
        self._clock = clock
        self._destination = destination
        self._range = days
        self._zone = zone
        self._recall = recall
        self._progress_of = progress_of
        self._round_seconds = round_seconds
        self._progress: BackfillProgress | None = None
        self._times = RoundTimes("", zone)
        self._info: EcuReading | None = None
        self._next = days.first
        self._energies: list[Mapping[date, int]] = []
        self._listed_at = clock.now()
        self._year: Mapping[date, int] = {}
        self._day_joules: dict[date, float] = {}
        self._sum = BackfillSum()

    async def begin(self) -> BackfillStart:
        """Meet the ECU, and ask for its energies.

        Raises:
            HistoryLostError: it does not answer.
            StateUnavailableError: how far an earlier run came cannot be read.
            SinkUnavailableError: the destination is out of reach.
        """
        self._info = info = await self._history.meet()
        memory = None if self._zone is not None else self._recall(info.ecu)
        self._times = RoundTimes("", self._zone, None if memory is None else memory.round_times)
        reckoning = self._times.reckoning(info.timezone)
        await self._resume(info.ecu, reckoning)
        # Here, so that nobody waits for an ECU to learn that the destination is out of reach.
        await self._destination.present(self._local_day(self._range.last))
        await self._ask_energies()
        return BackfillStart(
            info,
            max(0, (self._range.last - self._next).days + 1),
            self._next if self._next > self._range.first else None,
            reckoning,
        )

    async def _resume(self, ecu: str, reckoning: Reckoning) -> None:
        if self._progress_of is None:
            return
        last = None if self._range.is_open else self._range.last
        task = BackfillTask(ecu, self._destination.name, self._range.first, last, reckoning.zone)
        self._progress = self._progress_of(task)
        for done in self._progress.done:
            if done.kept is not None:
                await self._destination.write(self._local_day(done.day), done.kept)
            self._note(done)
            self._next = done.day + _ONE_DAY
            if done.written + done.present + done.refused > 1:  # not only the day's energy
                self._history.expect_power()

    async def _ask_energies(self) -> None:
        month = await self._history.energies("month")
        if month is None:
            self._sum.lacks_energies = True
            return
        week = await self._history.energies("week")
        year = await self._history.energies("year")
        self._energies, self._year = [month, week or {}], year or {}
        self._listed_at = self._clock.now()

    async def days(self) -> AsyncGenerator[DayDone, None]:
        """Fill day after day; each is done when it is given.

        One for which the ECU does not answer is left out, but not two in a row.

        Raises:
            HistoryLostError: the ECU does not answer any more.
            NoHistoryError: it has none to ask for.
            SinkUnavailableError: the destination is out of reach; SpoolUnavailableError, the disk.
            StateUnavailableError: that a day is done cannot be noted.
        """
        lost: LocalDay | None = None
        while self._next <= self._range.last:
            day = self._local_day(self._next)
            if day.starts_at > self._clock.now():
                break
            self._next += _ONE_DAY
            try:
                done = await self._fill(day)
            except DayLostError:
                if lost is not None:
                    raise
                lost = day
                continue
            if lost is not None:
                yield self._noted(lost, _left_out(lost))
                lost = None
            yield self._noted(day, done)
        if lost is not None:
            yield self._noted(lost, _left_out(lost))

    def _noted(self, day: LocalDay, done: DayDone) -> DayDone:
        if self._progress is not None and self._is_over(day):
            self._progress.add(done)
        self._note(done)
        return done

    async def _fill(self, day: LocalDay) -> DayDone:
        power = await self._power(day.date)
        # A day that was not over when the lists came stands in them with a part of its energy.
        lists = self._energies if day.ends_at <= self._listed_at else []
        points = day_points(power, lists, day.date, self._moment_of, self._round_seconds)
        points = DayPoints(
            tuple(point for point in points.power if point.at <= self._newest_to_write()),
            points.energy_joules if self._is_over(day) else None,
        )
        lacking = missing(points, await self._destination.present(day))
        refused = 0
        if lacking.count and self._progress is not None:
            refused = await self._destination.write(day, lacking)
        return DayDone(
            day.date,
            lacking.count - refused,
            points.count - lacking.count,
            refused,
            points.energy_joules,
            lacking if self._destination.is_made_at_the_end else None,
        )

    async def _power(self, day: date) -> Mapping[time, int]:
        if self._sum.lacks_power:
            return {}
        power = await self._history.power(day)
        if power is None:
            await self._refuse_if_another_is_answered(day)
            self._sum.lacks_power = True
            if self._sum.lacks_energies:
                raise NoHistoryError(self._history.last_failure)
        return power or {}

    async def _refuse_if_another_is_answered(self, day: date) -> None:
        """The first day that is asked for may be the one that is not answered."""
        failure = self._history.last_failure
        if failure is None or day == self._range.last:
            return
        if await self._history.power(self._range.last) is not None:
            raise DayLostError(failure)

    def _note(self, done: DayDone) -> None:
        self._sum.add(done)
        if done.energy_joules is not None:
            self._day_joules[done.day] = done.energy_joules

    def finish(self) -> BackfillSum:
        """All is done: make what is made at the end, and forget how far this came.

        Raises:
            StateUnavailableError: that cannot be forgotten.
        """
        self._sum.months = month_differences(self._year, self._day_joules)
        if self._progress is not None:
            self._destination.finish()
            self._progress.remove()
        return self._sum

    def _is_over(self, day: LocalDay) -> bool:
        """So long that nobody else writes there any more."""
        return day.ends_at <= self._newest_to_write()

    def _newest_to_write(self) -> datetime:
        return self._clock.now() - self._destination.leaves_to_others

    def _local_day(self, day: date) -> LocalDay:
        if self._info is None:
            raise RuntimeError("begin() comes first")
        return LocalDay(self._info.ecu, day, self._midnight(day), self._midnight(day + _ONE_DAY))

    def _midnight(self, day: date) -> datetime:
        return self._moment_of(datetime.combine(day, time()))

    def _moment_of(self, stamp: datetime) -> datetime:
        ecu_zone = None if self._info is None else self._info.timezone
        return self._times.moment(stamp, ecu_zone, self._clock.now())


def _left_out(day: LocalDay) -> DayDone:
    return DayDone(day.date, 0, 0, 0, None, is_left_out=True)
