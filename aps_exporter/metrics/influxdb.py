"""How pushing to InfluxDB goes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, get_args

from aps_exporter.errors import SinkFailure
from aps_exporter.metrics.metric import Metric, Sample, timestamp
from aps_exporter.readings import DropReason, InfluxdbStatus


def _alone(
    read: Callable[[InfluxdbStatus], float | None],
) -> Callable[[InfluxdbStatus], Iterable[Sample]]:
    return lambda status: [((), read(status))]


def _points_dropped(status: InfluxdbStatus) -> Iterator[Sample]:
    for reason in get_args(DropReason):
        yield (reason,), status.points_dropped.get(reason, 0)


def _write_failures(status: InfluxdbStatus) -> Iterator[Sample]:
    for reason in get_args(SinkFailure):
        yield (reason,), status.write_failures.get(reason, 0)


INFLUXDB_METRICS: Final[tuple[Metric[InfluxdbStatus], ...]] = (
    Metric(
        "aps_influxdb_up",
        "APsystems InfluxDB pusher: 1 if the last write was taken, else 0.",
        (),
        _alone(lambda status: status.up),
    ),
    Metric(
        "aps_influxdb_points_written_total",
        "APsystems InfluxDB pusher: points that the database has taken.",
        (),
        _alone(lambda status: status.points_written),
        "counter",
    ),
    Metric(
        "aps_influxdb_points_dropped_total",
        "APsystems InfluxDB pusher: points that are lost to the database, by reason.",
        ("reason",),
        _points_dropped,
        "counter",
    ),
    Metric(
        "aps_influxdb_write_failures_total",
        "APsystems InfluxDB pusher: writes that failed, by reason; their points are kept.",
        ("reason",),
        _write_failures,
        "counter",
    ),
    Metric(
        "aps_influxdb_spool_points",
        "APsystems InfluxDB pusher: points on disk that the database has not taken yet.",
        (),
        _alone(lambda status: status.spool_points),
    ),
    Metric(
        "aps_influxdb_spool_bytes",
        "APsystems InfluxDB pusher: bytes on disk that are in use for them.",
        (),
        _alone(lambda status: status.spool_bytes),
    ),
    Metric(
        "aps_influxdb_spool_oldest_timestamp_seconds",
        "APsystems InfluxDB pusher: the round of the oldest of these points.",
        (),
        _alone(lambda status: timestamp(status.spool_oldest)),
    ),
)
