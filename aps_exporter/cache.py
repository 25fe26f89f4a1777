"""The newest snapshot of one ECU, refreshed at most once a round, by one caller at a time."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from aps_exporter.beliefs import EcuBeliefs
from aps_exporter.clock import Clock
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.models import ecu_model
from aps_exporter.ecu.queries import REFRESH_QUERIES, InfoQuery, InvertersQuery, Query, SignalQuery
from aps_exporter.ecu_claims import EcuClaims
from aps_exporter.ecu_memory import EcuMemory
from aps_exporter.errors import (
    DuplicateEcuError,
    EcuStatusError,
    EcuUnreachableError,
    QueryError,
)
from aps_exporter.readings import (
    EcuReading,
    EcuStatus,
    RoundReading,
    SignalReading,
    Snapshot,
)
from aps_exporter.schedule import RoundSchedule
from aps_exporter.state import State
from aps_exporter.target_record import TargetRecord
from aps_exporter.turns import Turn

logger = logging.getLogger(__name__)

REFRESH_TASK: Final = "refresh"
"""The name under which errors nobody expected are counted."""

LONGEST_WAIT_SECONDS: Final = 4.0
"""How long after a refresh began a scrape may still wait for it."""

RETRY_SECONDS: Final = 5.0

SHORTEST_SLEEP_SECONDS: Final = 1.0
"""For the timer, which must not spin while a moment has come and nothing may be asked: for a target
that stopped, or for a retry that is left to the refresh that comes soon."""

_PERIODS_A_ROUND_IS_NEW: Final = 2

_WRONG_ECU_ID: Final = "01"


class _Refresh:
    """One refresh under way; `answered` is set when each query has been tried once."""

    def __init__(self) -> None:
        self.began = asyncio.get_running_loop().time()
        self.answered = asyncio.Event()
        self.given_up = False
        self.task: asyncio.Task[None] | None = None


class EcuCache:
    """Reads one target: holds what is known of its ECU and asks for more when there can be more.

    A scrape calls `refresh`; any number of them share one. Before the schedule's next moment they
    are answered from memory, and while the ECU is failing none of them waits.
    """

    def __init__(  # noqa: PLR0913 - each is one thing this stands on
        self,
        target: str,
        *,
        client: EcuClient,
        clock: Clock,
        new_schedule: Callable[[], RoundSchedule],
        new_beliefs: Callable[[str, EcuMemory | None], EcuBeliefs],
        claims: EcuClaims,
        state: State,
        pause: float,
        turn: Turn,
        count_internal_error: Callable[[str], None],
        take_round: Callable[[Snapshot], None] | None = None,
    ) -> None:
        """`new_beliefs` takes an ECU id and what is remembered of it; `pause` is in seconds.

        Queries are sent in a `turn` only. `take_round` is called once for each new round, with
        nothing in it that was not heard along with that round.
        """
        self.target = target
        self._client = client
        self._clock = clock
        self._new_schedule = new_schedule
        self._new_beliefs = new_beliefs
        self._claims = claims
        self._state = state
        self._pause = pause
        self._turn = turn
        self._count_internal_error = count_internal_error
        self._take_round = take_round
        self._schedule = new_schedule()
        self._beliefs: EcuBeliefs | None = None
        self._ecu: str | None = None  # the id that queries carry; forgotten on status 01
        self._refresh: _Refresh | None = None
        self._stopped = False
        self._closed = False
        self._failing = False
        self._is_worth_remembering = False
        self._has_new_round = False
        self._next_refresh_known: tuple[float, datetime] | None = None
        self._record = TargetRecord(target)

    def start_if_due(self) -> None:
        """Start a refresh if there can be something new, and none is under way."""
        if self._stopped or self._refresh is not None:
            return
        if not self._schedule.is_due(self._clock.monotonic()):
            return
        self._refresh = _Refresh()
        self._refresh.task = asyncio.create_task(
            self._run(self._refresh), name=f"refresh {self.target}"
        )

    async def refresh(self, longest_wait: float) -> None:
        """Start a refresh if one is due, and wait for it where that makes sense.

        `longest_wait` is in real seconds, as are all the limits here: they are about the caller's
        patience. Nobody waits for a refresh that somebody has given up waiting for.
        """
        self.start_if_due()
        refresh = self._refresh
        if refresh is None or refresh.given_up or self._failing:
            return
        since = asyncio.get_running_loop().time() - refresh.began
        try:
            async with asyncio.timeout(min(longest_wait, LONGEST_WAIT_SECONDS - since)):
                await refresh.answered.wait()
        except TimeoutError:
            refresh.given_up = True

    async def ask_once(self) -> None:
        """Start a refresh and wait until each query has been tried once, however long it takes."""
        self.start_if_due()
        if self._refresh is not None:
            await self._refresh.answered.wait()

    async def keep_refreshing(self) -> None:
        """Refresh at every moment there can be something new, for sinks that are not scraped."""
        while True:
            wait = self._schedule.next_at - self._clock.monotonic()
            await self._clock.sleep(max(wait, SHORTEST_SLEEP_SECONDS))
            self.start_if_due()
            if self._refresh is not None and self._refresh.task is not None:
                await asyncio.wait([self._refresh.task])

    async def close(self) -> None:
        """End a refresh under way; its socket is closed."""
        self._stopped = self._closed = True
        if self._refresh is not None and self._refresh.task is not None:
            self._refresh.task.cancel()
            await asyncio.wait([self._refresh.task])
        if self._refresh is not None:  # its task was ended before its first step
            self._refresh.answered.set()
            self._refresh = None

    def snapshot(self) -> Snapshot | None:
        """What is known of the ECU at this moment; None until it has said who it is."""
        if self._beliefs is None:
            return None
        return self._beliefs.snapshot(
            self._clock.monotonic(), self._clock.now(), self._schedule.period_seconds
        )

    def status(self) -> EcuStatus:
        """How reading this target goes."""
        return self._record.status(self._next_refresh())

    def _next_refresh(self) -> datetime | None:
        """By the wall clock; reckoned once for each moment, so that it does not waver."""
        if self._stopped:
            return None
        at = self._schedule.next_at
        if self._next_refresh_known is None or self._next_refresh_known[0] != at:
            wait = max(0.0, at - self._clock.monotonic())
            self._next_refresh_known = at, self._clock.now() + timedelta(seconds=wait)
        return self._next_refresh_known[1]

    async def _run(self, refresh: _Refresh) -> None:
        began = self._clock.monotonic()
        try:
            await self._ask_and_hand_over(refresh, began)
        except Exception:  # the edge of an ECU's task: logged, counted, and it goes on
            logger.exception("internal error", extra={"target": self.target})
            self._count_internal_error(REFRESH_TASK)
            self._failing = True
            self._record.left_unanswered(REFRESH_QUERIES)
            self._record.whole_refresh_ended(any_reply=False)
            self._schedule.failed(self._clock.monotonic(), any_reply=False)
        finally:
            self._record.refresh_took(self._clock.monotonic() - began)
            self._first_answers_are_in(refresh)
            self._refresh = None

    async def _ask_and_hand_over(self, refresh: _Refresh, began: float) -> None:
        """Ask, and hand over what came, even if the asking is cut off."""
        try:
            await self._ask_and_retry(refresh, began)
        finally:
            self._remember()
            self._hand_over_round()

    async def _ask_and_retry(self, refresh: _Refresh, began: float) -> None:
        whole = began >= self._schedule.ask_all_at
        wanted = [*REFRESH_QUERIES] if whole else self._record.unanswered
        answered, pending = await self._ask_each_in_turn(wanted)
        if pending and not self._stopped:
            self._failing = True
            self._first_answers_are_in(refresh)
            await self._clock.sleep(RETRY_SECONDS)
            answered_at_last, pending = await self._ask_each_in_turn(pending)
            answered += answered_at_last
        self._conclude(answered, pending, whole=whole)

    def _first_answers_are_in(self, refresh: _Refresh) -> None:
        """Each query has been tried once: whoever waits need not wait for the retry."""
        self._record.tried()
        refresh.answered.set()

    def _conclude(self, answered: list[str], pending: list[str], *, whole: bool) -> None:
        """Draw the sum of a refresh, or of another try of what failed in one."""
        at = self._clock.monotonic()
        if whole:
            self._record.whole_refresh_ended(any_reply=bool(answered))
            if answered and "inverters" in pending:
                self._schedule.saw_no_round(at)
        if pending:
            self._failing = True
            self._schedule.failed(at, any_reply=bool(answered) or not whole)
            return
        if self._failing:
            logger.info("ECU answers every query again", extra={"target": self.target})
        self._failing = False
        self._record.all_well()
        self._schedule.answered()

    async def _ask_each_in_turn(self, wanted: list[str]) -> tuple[list[str], list[str]]:
        async with self._turn():
            return await self._ask_each(wanted)

    async def _ask_each(self, wanted: list[str]) -> tuple[list[str], list[str]]:
        """Ask these queries one after the other; which answered, and which are still wanted.

        While the ECU's id is not certain the info query goes first, and without an id alone.
        """
        if self._ecu is None and "info" not in wanted:
            wanted = ["info", *wanted]
        answered: list[str] = []
        for index, name in enumerate(wanted):
            query = self._query(name)
            if query is None:
                break
            if index:
                await self._clock.sleep(self._pause)
            try:
                await self._ask(query)
            except QueryError as error:
                self._note_failure(query, error)
                if _ends_the_refresh(error):
                    break
            else:
                answered.append(name)
        pending = [name for name in wanted if name not in answered]
        self._record.left_unanswered(pending)
        return answered, pending

    def _query(self, name: str) -> Query | None:
        """The query of this name, or None if it needs an ECU id that is not known."""
        if name == "info":
            return InfoQuery()
        if self._ecu is None:
            return None
        return InvertersQuery(self._ecu) if name == "inverters" else SignalQuery(self._ecu)

    async def _ask(self, query: Query) -> None:
        reply = await self._client.ask(query)
        reading = decode_reply(reply)
        match reading, self._beliefs:
            case EcuReading(), _:
                self._hear_info(reading)
            case RoundReading(), EcuBeliefs() as beliefs:
                self._hear_round(reading, beliefs)
            case SignalReading(), EcuBeliefs() as beliefs:  # pragma: no branch - there is no other
                beliefs.hear_signal(reading, self._clock.monotonic())
        self._record.answered(query.name, reply, self._clock.now())

    def _hear_info(self, reading: EcuReading) -> None:
        beliefs = self._beliefs
        if beliefs is None or beliefs.ecu != reading.ecu:
            self._claims.claim(reading.ecu, self.target)
            beliefs = self._meet(reading)
        self._ecu = reading.ecu
        beliefs.hear_info(
            reading, self._clock.monotonic(), self._clock.now(), self._schedule.period_seconds
        )
        self._is_worth_remembering = True

    def _meet(self, reading: EcuReading) -> EcuBeliefs:
        """An ECU not met before answers here: nothing known of another one holds for it."""
        self._remember()
        if self._beliefs is not None:
            self._claims.release(self._beliefs.ecu)
        memory = self._state.recall(reading.ecu)
        self._beliefs = beliefs = self._new_beliefs(reading.ecu, memory)
        self._schedule = self._new_schedule()
        self._schedule.saw_no_round(self._clock.monotonic())
        if memory is not None and memory.schedule is not None:
            self._schedule.resume(memory.schedule, self._clock.monotonic(), self._clock.now())
        logger.info(
            "ECU found",
            extra={
                "target": self.target,
                "ecu": reading.ecu,
                "model": ecu_model(reading.ecu),
                "firmware": reading.firmware,
            },
        )
        return beliefs

    def _hear_round(self, reading: RoundReading, beliefs: EcuBeliefs) -> None:
        at, now = self._clock.monotonic(), self._clock.now()
        new = self._schedule.saw_round(reading.measured_at, at)
        beliefs.hear_round(reading, at, now, self._schedule.period_seconds, new=new)
        self._is_worth_remembering = True
        self._has_new_round |= new
        awake = any(inverter.online for inverter in reading.inverters)
        if new and awake and self._schedule.visible_by is not None:
            seen_late_by = timedelta(seconds=at - self._schedule.visible_by)
            beliefs.reckon_clock_offset(visible_by=now - seen_late_by)

    def _remember(self) -> None:
        """Hand over what must survive a restart, if there is anything new to it."""
        if self._beliefs is None or not self._is_worth_remembering:
            return
        learnt = self._schedule.memory(self._clock.monotonic(), self._clock.now())
        self._state.remember(self._beliefs.ecu, self._beliefs.memory(learnt))
        self._is_worth_remembering = False

    def _hand_over_round(self) -> None:
        """Give a new round to whoever takes rounds, once all queries of its refresh are over.

        One that was known before a restart, and that newer ones should have followed, is none: what
        is heard now does not belong to it.
        """
        has_new_round, self._has_new_round = self._has_new_round, False
        visible_by = self._schedule.visible_by
        if not has_new_round or self._take_round is None or self._beliefs is None:
            return
        at, period = self._clock.monotonic(), self._schedule.period_seconds
        if visible_by is not None and at - visible_by >= _PERIODS_A_ROUND_IS_NEW * period:
            return
        snapshot = self._beliefs.snapshot(
            at, self._clock.now(), period, heard_since=at - period / 2
        )
        if snapshot is not None:  # pragma: no branch - a round is asked for by an id from info
            self._take_round(snapshot)

    def _note_failure(self, query: Query, error: QueryError) -> None:
        self._record.failed(query.name, error)
        cause = {"target": self.target, "query": query.name, "reason": error.reason}
        logger.warning("query failed", extra={**cause, "detail": error.detail})
        if isinstance(error, DuplicateEcuError):
            self._stop_as_duplicate(error)
        elif isinstance(error, EcuStatusError) and error.status == _WRONG_ECU_ID:
            self._ecu = None

    def _stop_as_duplicate(self, error: DuplicateEcuError) -> None:
        self._remember()
        self._stopped = True
        self._record.stopped()
        self._ecu = None
        forgotten, self._beliefs = self._beliefs, None
        self._claims.when_released(error.ecu, self._start_again)
        if forgotten is not None:
            self._claims.release(forgotten.ecu)

    def _start_again(self) -> None:
        """What this target was a duplicate of is no longer read through another."""
        self._stopped = self._closed
        self._schedule = self._new_schedule()


def _ends_the_refresh(error: QueryError) -> bool:
    """Whether nothing else would answer either: no connection, or an ECU that is not ours."""
    return isinstance(error, DuplicateEcuError) or (
        isinstance(error, EcuUnreachableError) and not error.connected
    )
