"""What has happened with one target: the numbers behind its EcuStatus."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from aps_exporter.ecu.queries import REFRESH_QUERIES
from aps_exporter.ecu.replies import Reply
from aps_exporter.errors import FailureReason, QueryError
from aps_exporter.readings import EcuStatus, QueryFailure


class TargetRecord:
    """Counts what a target answers and how it fails."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._up = False
        self._tried = False
        self._query_success = dict.fromkeys(REFRESH_QUERIES, False)
        self._refresh_duration_seconds: float | None = None
        self._last_success: datetime | None = None
        self._consecutive_failures = 0
        self._refreshes = 0
        self._query_failures: Counter[tuple[str, FailureReason]] = Counter()
        self._reply_oddities: Counter[tuple[str, str]] = Counter()
        self._last_error: QueryFailure | None = None

    @property
    def unanswered(self) -> list[str]:
        """The queries that did not answer when they were last asked."""
        return [query for query, success in self._query_success.items() if not success]

    def answered(self, query: str, reply: Reply, now: datetime) -> None:
        """A query got a good reply, odd as it may be."""
        if reply.trailer_missing:
            self._reply_oddities[query, "trailer_missing"] += 1
        if reply.trailing_bytes:
            self._reply_oddities[query, "trailing_bytes"] += 1
        self._query_success[query] = True
        self._last_success = now
        self._up = True

    def failed(self, query: str, error: QueryError) -> None:
        """A query got no good reply."""
        self._query_failures[query, error.reason] += 1
        self._last_error = QueryFailure(query, error.reason, error.detail)

    def left_unanswered(self, queries: Iterable[str]) -> None:
        """These were wanted, and failed or were not even asked."""
        self._query_success.update(dict.fromkeys(queries, False))

    def tried(self) -> None:
        """Every query of a refresh has been tried once."""
        self._tried = True

    def whole_refresh_ended(self, *, any_reply: bool) -> None:
        """A refresh of all queries is over, its retry too."""
        self._up = any_reply
        self._consecutive_failures = 0 if any_reply else self._consecutive_failures + 1

    def all_well(self) -> None:
        """Every query has answered."""
        self._last_error = None

    def stopped(self) -> None:
        """Nothing will be asked any more."""
        self._up = False

    def refresh_took(self, seconds: float) -> None:
        """A refresh is over, whatever it was."""
        self._refresh_duration_seconds = seconds
        self._refreshes += 1

    def status(self, next_refresh: datetime | None) -> EcuStatus:
        """All of it at this moment."""
        return EcuStatus(
            target=self.target,
            up=self._up,
            tried=self._tried,
            query_success=dict(self._query_success),
            refresh_duration_seconds=self._refresh_duration_seconds,
            last_success=self._last_success,
            next_refresh=next_refresh,
            consecutive_failures=self._consecutive_failures,
            refreshes=self._refreshes,
            query_failures=dict(self._query_failures),
            reply_oddities=dict(self._reply_oddities),
            last_error=self._last_error,
        )
