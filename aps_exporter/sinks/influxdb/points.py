"""From a snapshot to the lines of one round, in line protocol."""

from collections.abc import Iterable

from influxdb_client import Point, WritePrecision

from aps_exporter.metrics import ECU_METRICS
from aps_exporter.readings import Snapshot


def round_lines(snapshot: Snapshot) -> list[str]:
    """The lines of the newest round: one a measurement and set of tags, time in whole seconds.

    Every field is a float, whatever its value; what is not known makes no field, and a snapshot
    without a round no line.
    """
    if snapshot.measured_at is None:
        return []
    points: dict[tuple[str, tuple[str, ...]], Point] = {}
    for metric in ECU_METRICS:
        field = metric.influxdb
        if field is None:
            continue
        for label_values, value in metric.samples(snapshot):
            if value is None:
                continue
            series = (field.measurement, label_values)
            if series not in points:
                points[series] = _point(field.measurement, metric.labels, label_values)
            points[series].field(field.name, float(value) / field.unit)
    seconds = int(snapshot.measured_at.timestamp())
    return [point.time(seconds, WritePrecision.S).to_line_protocol() for point in points.values()]


def _point(measurement: str, names: Iterable[str], values: Iterable[str]) -> Point:
    point = Point(measurement)
    for name, value in zip(names, values, strict=True):
        point.tag(name, value)
    return point
