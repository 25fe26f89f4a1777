"""The routes. What is not one of them is 404; another method than GET or HEAD is 405."""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from aps_exporter.cache import EcuCache
from aps_exporter.json_forms import snapshot_as_json
from aps_exporter.web.exposition import exposition
from aps_exporter.web.landing import landing_page

SNAPSHOTS_PATH: Final = "/api/v1/snapshots"
HEALTHY_PATH: Final = "/-/healthy"
READY_PATH: Final = "/-/ready"

SCRAPE_TIMEOUT_HEADER: Final = "X-Prometheus-Scrape-Timeout-Seconds"
SCRAPE_MARGIN_SECONDS: Final = 0.5
"""What of a scrape's time is kept for writing and sending the answer."""


def create_web_app(
    caches: Sequence[EcuCache],
    registry: CollectorRegistry,
    refresh: Callable[[float], Awaitable[None]],
    metrics_path: str,
) -> web.Application:
    """The application. `refresh` waits for due ECUs, at most the seconds it is given."""

    async def metrics(request: web.Request) -> web.Response:
        await refresh(_patience(request))
        return exposition(request, registry)

    async def snapshots(_: web.Request) -> web.Response:
        _start_what_is_due()
        ecus = [snapshot_as_json(cache.status(), cache.snapshot()) for cache in caches]
        return web.json_response({"ecus": ecus})

    async def page(_: web.Request) -> web.Response:
        _start_what_is_due()
        known = [(cache.status(), cache.snapshot()) for cache in caches]
        html = landing_page(known, metrics_path=metrics_path, snapshots_path=SNAPSHOTS_PATH)
        return web.Response(text=html, content_type="text/html")

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="healthy\n")

    async def ready(_: web.Request) -> web.Response:
        lines = [f"{cache.target}: {_readiness(cache)}\n" for cache in caches]
        all_tried = all(cache.status().tried for cache in caches)
        return web.Response(text="".join(lines), status=200 if all_tried else 503)

    def _start_what_is_due() -> None:
        for cache in caches:
            cache.start_if_due()

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get(metrics_path, metrics)
    app.router.add_get(SNAPSHOTS_PATH, snapshots)
    app.router.add_get(HEALTHY_PATH, healthy)
    app.router.add_get(READY_PATH, ready)
    return app


def _patience(request: web.Request) -> float:
    """How many seconds this scraper can wait for a refresh."""
    try:
        timeout = float(request.headers.get(SCRAPE_TIMEOUT_HEADER, "inf"))
    except ValueError:
        return math.inf
    return math.inf if math.isnan(timeout) else max(0.0, timeout - SCRAPE_MARGIN_SECONDS)


def _readiness(cache: EcuCache) -> str:
    status = cache.status()
    if status.up:
        return "answers"
    return "does not answer" if status.tried else "not tried yet"
