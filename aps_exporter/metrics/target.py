"""How reading the targets goes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, get_args

from aps_exporter.ecu.queries import REFRESH_QUERIES
from aps_exporter.errors import FailureReason
from aps_exporter.metrics.metric import Metric, Sample, timestamp
from aps_exporter.readings import EcuStatus

ODDITIES: Final = ("trailer_missing", "trailing_bytes")


def _of_target(
    read: Callable[[EcuStatus], float | None],
) -> Callable[[EcuStatus], Iterable[Sample]]:
    return lambda status: [((status.target,), read(status))]


def _query_success(status: EcuStatus) -> Iterator[Sample]:
    for query, success in status.query_success.items():
        yield (status.target, query), success


def _query_failures(status: EcuStatus) -> Iterator[Sample]:
    for query in REFRESH_QUERIES:
        for reason in get_args(FailureReason):
            yield (status.target, query, reason), status.query_failures.get((query, reason), 0)


def _reply_oddities(status: EcuStatus) -> Iterator[Sample]:
    for query in REFRESH_QUERIES:
        for kind in ODDITIES:
            yield (status.target, query, kind), status.reply_oddities.get((query, kind), 0)


TARGET_METRICS: Final[tuple[Metric[EcuStatus], ...]] = (
    Metric(
        "aps_up",
        "APsystems target: 1 if the last refresh got any valid reply, else 0.",
        ("target",),
        _of_target(lambda status: status.up),
    ),
    Metric(
        "aps_query_success",
        "APsystems target: 1 if this query was answered in the last refresh, else 0.",
        ("target", "query"),
        _query_success,
    ),
    Metric(
        "aps_refresh_duration_seconds",
        "APsystems target: how long the last refresh took, with its pauses and its retry.",
        ("target",),
        _of_target(lambda status: status.refresh_duration_seconds),
    ),
    Metric(
        "aps_last_success_timestamp_seconds",
        "APsystems target: when it last gave a valid reply.",
        ("target",),
        _of_target(lambda status: timestamp(status.last_success)),
    ),
    Metric(
        "aps_next_refresh_timestamp_seconds",
        "APsystems target: from when on a scrape asks the ECU again.",
        ("target",),
        _of_target(lambda status: timestamp(status.next_refresh)),
    ),
    Metric(
        "aps_consecutive_failures",
        "APsystems target: refreshes in a row that got no valid reply.",
        ("target",),
        _of_target(lambda status: status.consecutive_failures),
    ),
    Metric(
        "aps_refreshes_total",
        "APsystems target: refreshes that ended, well or not.",
        ("target",),
        _of_target(lambda status: status.refreshes),
        "counter",
    ),
    Metric(
        "aps_query_failures_total",
        "APsystems target: queries that got no good reply, by reason.",
        ("target", "query", "reason"),
        _query_failures,
        "counter",
    ),
    Metric(
        "aps_reply_oddities_total",
        "APsystems target: good replies without their END, or with bytes behind it.",
        ("target", "query", "kind"),
        _reply_oddities,
        "counter",
    ),
)
