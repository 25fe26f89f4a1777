"""What a published number is: name, help, kind, labels, and how to read it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

Source = TypeVar("Source")

Sample = tuple[tuple[str, ...], float | None]
"""Label values, and the number; None where there is none, which makes no series."""


@dataclass(frozen=True, slots=True)
class InfluxdbField:
    """How a number stands in InfluxDB: always a float there, its labels are the tags.

    `unit` is what one of its own is in the metric's.
    """

    measurement: str
    name: str
    unit: float = 1.0


@dataclass(frozen=True, slots=True)
class Metric(Generic[Source]):
    """One metric family; `name` is as it is exposed."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Source], Iterable[Sample]]
    kind: Literal["gauge", "counter", "info"] = "gauge"
    influxdb: InfluxdbField | None = None


def timestamp(moment: datetime | None) -> float | None:
    """Unix seconds of a moment; None for none."""
    return None if moment is None else moment.timestamp()
