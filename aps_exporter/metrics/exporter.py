"""What the exporter says of itself."""

from collections.abc import Iterator
from typing import Final

from aps_exporter.metrics.metric import Metric, Sample
from aps_exporter.readings import ExporterStatus


def _internal_errors(exporter: ExporterStatus) -> Iterator[Sample]:
    for task, count in exporter.internal_errors.items():
        yield (task,), count


def _build_info(exporter: ExporterStatus) -> Iterator[Sample]:
    yield (exporter.version, exporter.revision, exporter.python_version), 1


EXPORTER_METRICS: Final[tuple[Metric[ExporterStatus], ...]] = (
    Metric(
        "aps_internal_errors_total",
        "APsystems exporter: errors nobody expected, by task; each one is a bug worth reporting.",
        ("task",),
        _internal_errors,
        "counter",
    ),
    Metric(
        "aps_exporter_build_info",
        "APsystems exporter: its version, the revision it was built from, and its Python.",
        ("version", "revision", "python_version"),
        _build_info,
    ),
)
