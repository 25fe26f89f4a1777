"""From a snapshot to the lines of one round, in line protocol."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from influxdb_client import Point, WritePrecision

from aps_exporter.history import DayPoints, LocalDay
from aps_exporter.metrics import ECU_METRICS, InfluxdbField
from aps_exporter.readings import JOULES_PER_KWH, Snapshot

ECU_POWER: Final = InfluxdbField("aps_ecu", "power_watts")
DAY_ENERGY: Final = InfluxdbField("aps_ecu_daily", "energy_kwh", JOULES_PER_KWH)
"""What a back-fill writes; the energy of a day stands at its local midnight."""


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
    return [_line(point, snapshot.measured_at) for point in points.values()]


def day_lines(day: LocalDay, points: DayPoints) -> list[str]:
    """The lines of a day of history, times in whole seconds."""
    lines = [_ecu_line(ECU_POWER, day.ecu, point.watts, point.at) for point in points.power]
    if points.energy_joules is not None:
        lines.append(_ecu_line(DAY_ENERGY, day.ecu, points.energy_joules, day.starts_at))
    return lines


def _ecu_line(field: InfluxdbField, ecu: str, value: float, at: datetime) -> str:
    point = _point(field.measurement, ["ecu"], [ecu])
    return _line(point.field(field.name, float(value) / field.unit), at)


def _line(point: Point, at: datetime) -> str:
    line: str = point.time(int(at.timestamp()), WritePrecision.S).to_line_protocol()
    return line


def _point(measurement: str, names: Iterable[str], values: Iterable[str]) -> Point:
    point = Point(measurement)
    for name, value in zip(names, values, strict=True):
        point.tag(name, value)
    return point
