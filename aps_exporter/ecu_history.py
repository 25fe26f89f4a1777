"""Asks an ECU for the history in its own memory, gently and patiently."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, time
from typing import Final, TypeVar

from aps_exporter.clock import Clock
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.queries import EnergyOfPeriodQuery, InfoQuery, Period, PowerOfDayQuery, Query
from aps_exporter.errors import (
    DayLostError,
    EcuStatusError,
    EcuUnreachableError,
    HistoryLostError,
    MalformedReplyError,
    QueryError,
)
from aps_exporter.readings import EcuReading, EnergyOfPeriod, PowerOfDay, Reading
from aps_exporter.turns import Turn

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_QUERIES: Final = 1.0
"""At least, from the start of one to the start of the next."""

REST_SECONDS: Final = 0.3
"""At least, from the end of one to the start of the next: a refresh that waits gets its turn."""

RETRY_PAUSES: Final = (5.0, 10.0, 20.0)
"""Seconds before each further try of a query that failed."""

LONGEST_QUERY_SECONDS: Final = 12.0
"""Less than a refresh waits for its turn."""

_WRONG_ECU_ID: Final = "01"

_Answer = TypeVar("_Answer")


class EcuHistory:
    """The history of one ECU, asked for in our turn, one query a second at most.

    `EcuClient` should give up after `LONGEST_QUERY_SECONDS`.
    """

    def __init__(self, client: EcuClient, clock: Clock, turn: Turn) -> None:
        self._client = client
        self._clock = clock
        self._turn = turn
        self._next_at = clock.monotonic()
        self._met: EcuReading | None = None
        self._id_is_certain = False
        self._was_learnt_anew = False
        self._served: set[str] = set()
        self.last_failure: QueryError | None = None

    async def meet(self) -> EcuReading:
        """What the ECU says of itself; every other query is to the one that was met.

        Raises:
            HistoryLostError: it does not answer.
        """
        try:
            return await self._patiently(self._learn_id)
        except QueryError as error:
            raise HistoryLostError(InfoQuery.name, error) from error

    def expect_power(self) -> None:
        """This ECU has answered for the power of a day before: it has the service."""
        self._served.add(PowerOfDayQuery.name)

    async def energies(self, period: Period) -> Mapping[date, int] | None:
        """Joules by day, or by month for a year; None if the ECU answers all but this query.

        Raises:
            HistoryLostError: it does not answer any more.
        """
        reading = await self._reading(lambda ecu: EnergyOfPeriodQuery(ecu, period))
        return reading.energy_joules if isinstance(reading, EnergyOfPeriod) else None

    async def power(self, day: date) -> Mapping[time, int] | None:
        """Watts by local minute; None if the ECU answers all but this query.

        Raises:
            DayLostError: it has answered this query before, and does answer others.
            HistoryLostError: it does not answer any more.
        """
        reading = await self._reading(lambda ecu: PowerOfDayQuery(ecu, day))
        return reading.power_watts if isinstance(reading, PowerOfDay) else None

    async def _reading(self, query_to: Callable[[str], Query]) -> Reading | None:
        name = query_to(self._ecu).name

        async def ask() -> Reading:
            if not self._id_is_certain:
                await self._learn_id()
            return _checked(query_to(self._ecu), await self._ask(query_to(self._ecu)))

        try:
            reading = await self._patiently(ask)
        except QueryError as error:
            if not await self._answers_all_but(error):
                raise HistoryLostError(name, error) from error
            if name in self._served:
                raise DayLostError(error) from error
            self.last_failure = error
            return None
        if name == PowerOfDayQuery.name:
            self.expect_power()
        return reading

    async def _patiently(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """What this gives, tried again where it fails."""
        for pause in RETRY_PAUSES:
            try:
                return await ask()
            except QueryError as error:
                logger.warning(
                    "query failed; trying again",
                    extra={"reason": error.reason, "detail": error.detail, "in_seconds": pause},
                )
                await self._clock.sleep(pause)
        return await ask()

    async def _answers_all_but(self, error: QueryError) -> bool:
        """Whether the ECU is well, and it is only this one query that it does not answer."""
        if isinstance(error, EcuUnreachableError) and not error.connected:
            return False
        try:
            await self._learn_id()
        except QueryError:
            return False
        return True

    @property
    def _ecu(self) -> str:
        if self._met is None:
            raise RuntimeError("meet() comes first")
        return self._met.ecu

    async def _learn_id(self) -> EcuReading:
        reading = await self._ask(InfoQuery())
        if not isinstance(reading, EcuReading):  # pragma: no cover - the client checks the command
            raise MalformedReplyError("malformed", "expected an info reply")
        if self._met is not None and self._met.ecu != reading.ecu:
            raise HistoryLostError(
                InfoQuery.name,
                MalformedReplyError(
                    "malformed", f"ECU {self._met.ecu} was here, now it is ECU {reading.ecu}"
                ),
            )
        self._met = reading
        self._id_is_certain = True
        return reading

    async def _ask(self, query: Query) -> Reading:
        """One query, in our turn and not too soon after the one before."""
        await self._clock.sleep(max(0.0, self._next_at - self._clock.monotonic()))
        async with self._turn():
            began = self._clock.monotonic()
            try:
                return decode_reply(await self._client.ask(query))
            except EcuStatusError as error:
                if error.status == _WRONG_ECU_ID and not self._was_learnt_anew:
                    self._id_is_certain, self._was_learnt_anew = False, True
                raise
            finally:
                ended = self._clock.monotonic()
                self._next_at = max(began + SECONDS_BETWEEN_QUERIES, ended + REST_SECONDS)


def _checked(query: Query, reading: Reading) -> Reading:
    """The reading, which must be of the period that was asked for."""
    match query, reading:
        case EnergyOfPeriodQuery(), EnergyOfPeriod() if query.period != reading.period:
            raise MalformedReplyError(
                "malformed", f"expected the energy of a {query.period}, got a {reading.period}'s"
            )
    return reading
