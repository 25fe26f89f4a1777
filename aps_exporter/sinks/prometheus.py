"""The Prometheus collector: fresh families at each scrape, from what the caches hold."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from aps_exporter.cache import EcuCache
from aps_exporter.metrics import (
    ECU_METRICS,
    EXPORTER_METRICS,
    INFLUXDB_METRICS,
    TARGET_METRICS,
    Metric,
    Source,
)
from aps_exporter.readings import ExporterStatus, InfluxdbStatus


class EcuCollector(Collector):
    """Publishes every ECU. `collect` opens no socket: `refresh` does the asking, before it."""

    def __init__(
        self,
        caches: Sequence[EcuCache],
        exporter_status: Callable[[], ExporterStatus],
        influxdb_status: Callable[[], InfluxdbStatus] | None = None,
    ) -> None:
        """`influxdb_status` is None while the pusher is off: then it has no metrics."""
        self._caches = caches
        self._exporter_status = exporter_status
        self._influxdb_status = influxdb_status

    async def refresh(self, longest_wait: float) -> None:
        """Refresh every ECU that is due, all at once, waiting at most this many seconds."""
        await asyncio.gather(*(cache.refresh(longest_wait) for cache in self._caches))

    def describe(self) -> Iterable[Family]:
        """All families, without samples: registration must not need an ECU."""
        pusher = INFLUXDB_METRICS if self._influxdb_status is not None else ()
        every: tuple[Metric[Any], ...]
        every = (*ECU_METRICS, *TARGET_METRICS, *pusher, *EXPORTER_METRICS)
        for metric in every:
            yield _empty_family(metric)

    def collect(self) -> Iterator[Family]:
        """The families that have something to say."""
        for metric, samples in self.samples():
            family = _empty_family(metric)
            for label_values, value in samples:
                labels = dict(zip(metric.labels, label_values, strict=True))
                family.add_sample(metric.name, labels, value)
            if family.samples:
                yield family

    def samples(self) -> Iterator[tuple[Metric[Any], Iterator[tuple[tuple[str, ...], float]]]]:
        """By metric what `collect` makes families of: label values, and the number."""
        known = [cache.snapshot() for cache in self._caches]
        snapshots = [snapshot for snapshot in known if snapshot is not None]
        yield from _samples(ECU_METRICS, snapshots)
        yield from _samples(TARGET_METRICS, [cache.status() for cache in self._caches])
        if self._influxdb_status is not None:
            yield from _samples(INFLUXDB_METRICS, [self._influxdb_status()])
        yield from _samples(EXPORTER_METRICS, [self._exporter_status()])


def _samples(
    metrics: Iterable[Metric[Source]], sources: Sequence[Source]
) -> Iterator[tuple[Metric[Source], Iterator[tuple[tuple[str, ...], float]]]]:
    for metric in metrics:
        yield metric, _samples_of(metric, sources)


def _samples_of(
    metric: Metric[Source], sources: Sequence[Source]
) -> Iterator[tuple[tuple[str, ...], float]]:
    for source in sources:
        for label_values, value in metric.samples(source):
            if value is not None:
                yield label_values, float(value)


def _empty_family(metric: Metric[Any]) -> Family:
    match metric.kind:
        case "counter":
            return CounterMetricFamily(metric.name, metric.help)
        case "info":
            return InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)
        case "gauge":
            return GaugeMetricFamily(metric.name, metric.help)
