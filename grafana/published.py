"""The names that queries may use, from the exporter's own list of numbers."""

from collections.abc import Mapping
from typing import Any, Final

from aps_exporter.metrics import (
    ECU_METRICS,
    EXPORTER_METRICS,
    INFLUXDB_METRICS,
    TARGET_METRICS,
    Metric,
)

_EVERY: Final[tuple[Metric[Any], ...]] = (
    *ECU_METRICS,
    *TARGET_METRICS,
    *INFLUXDB_METRICS,
    *EXPORTER_METRICS,
)

METRICS: Final[Mapping[str, Metric[Any]]] = {metric.name: metric for metric in _EVERY}

LABELS_OF_SCRAPES: Final = frozenset({"job", "instance"})
"""What Prometheus itself puts on every series."""

INFLUXDB_NAMES: Final = frozenset(
    name
    for metric in _EVERY
    if metric.influxdb is not None
    for name in (metric.influxdb.measurement, metric.influxdb.name, *metric.labels)
)
"""Measurements, fields and tags of what is pushed."""

_UNITS: Final = (
    ("_joules_total", "watth"),
    ("_joules", "watth"),
    ("_watts", "watt"),
    ("_celsius", "celsius"),
    ("_hertz", "hertz"),
    ("_volts", "volt"),
    ("_ratio", "percentunit"),
    ("_timestamp_seconds", "dateTimeFromNow"),
    ("_seconds", "s"),
    ("_bytes", "bytes"),
)
"""Grafana's unit by how a name ends. Joules are shown as Wh and times are told in milliseconds:
such queries divide by 3600, or multiply by 1000."""


def metric(name: str) -> Metric[Any]:
    """The metric of this name.

    Raises:
        ValueError: if the exporter publishes none.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise ValueError(
            f"{name}: the exporter publishes no such metric; see aps_exporter.metrics"
        ) from None


def unit_of(name: str) -> str:
    """Grafana's unit for this metric; "none" for a plain number."""
    published = metric(name).name
    return next((unit for ending, unit in _UNITS if published.endswith(ending)), "none")
