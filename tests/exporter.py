"""A whole exporter in a test: routes, collector and caches on a world's ECU."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from aps_exporter.cache import EcuCache
from aps_exporter.readings import ExporterStatus, InfluxdbStatus
from aps_exporter.sinks.prometheus import EcuCollector
from aps_exporter.web.routes import create_web_app

Client = TestClient[web.Request, web.Application]


def registry_of(
    caches: Sequence[EcuCache], influxdb: InfluxdbStatus | None = None
) -> tuple[CollectorRegistry, EcuCollector]:
    status = ExporterStatus("1.2.3", "abc", "3.11.7", {"refresh": 0})
    collector = EcuCollector(caches, lambda: status, None if influxdb is None else lambda: influxdb)
    registry = CollectorRegistry()
    registry.register(collector)
    return registry, collector


@asynccontextmanager
async def exporter(
    caches: Sequence[EcuCache], metrics_path: str = "/metrics"
) -> AsyncIterator[Client]:
    """A client of the exporter over these caches."""
    registry, collector = registry_of(caches)
    app = create_web_app(caches, registry, collector.refresh, metrics_path)
    async with TestClient(TestServer(app)) as client:
        yield client
