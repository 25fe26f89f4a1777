"""Builds everything, starts it in order, and stops it in reverse."""

import asyncio
import json
import logging
import platform
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib import metadata
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)

from aps_exporter import __version__
from aps_exporter.beliefs import EcuBeliefs
from aps_exporter.cache import REFRESH_TASK, EcuCache, EcuClaims
from aps_exporter.clock import Clock, RealClock
from aps_exporter.config import Config, ListenAddress, Target
from aps_exporter.ecu.client import EcuClient
from aps_exporter.errors import CannotListenError
from aps_exporter.readings import ExporterStatus
from aps_exporter.round_time import RoundTimes
from aps_exporter.schedule import RoundSchedule
from aps_exporter.sinks.prometheus import EcuCollector
from aps_exporter.web.routes import create_web_app

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS: Final = 1.0
"""How long answers under way may take once the exporter is told to stop."""


def build_caches(
    config: Config, clock: Clock, internal_errors: Counter[str]
) -> tuple[EcuCache, ...]:
    """A cache for each target."""
    claims = EcuClaims()

    def count_internal_error(task: str) -> None:
        internal_errors[task] += 1

    def beliefs(target: Target, ecu: str) -> EcuBeliefs:
        times = RoundTimes(target.name, config.timezone)
        return EcuBeliefs(target.name, ecu, times, config.stale_after)

    return tuple(
        EcuCache(
            target.name,
            client=EcuClient(target.host, target.port or config.ecu_port, config.ecu_timeout),
            clock=clock,
            new_schedule=partial(RoundSchedule, config.refresh),
            new_beliefs=partial(beliefs, target),
            claims=claims,
            pause=config.ecu_pause,
            count_internal_error=count_internal_error,
        )
        for target in config.targets
    )


@asynccontextmanager
async def running_exporter(
    config: Config, clock: Clock, *, on_timer: bool = False
) -> AsyncIterator[int]:
    """The exporter, serving until the context ends. Gives the port it listens on.

    `on_timer` reads each round as it comes, not only when somebody scrapes.

    Raises:
        CannotListenError: the address is taken, or not this machine's.
    """
    internal_errors = Counter({REFRESH_TASK: 0})
    caches = build_caches(config, clock, internal_errors)
    status = ExporterStatus(__version__, _revision(), platform.python_version(), internal_errors)
    collector = EcuCollector(caches, lambda: status)
    registry = CollectorRegistry(auto_describe=True)
    registry.register(collector)
    for process_collector in (ProcessCollector, PlatformCollector, GCCollector):
        process_collector(registry=registry)
    logging.getLogger("aiohttp.server").addFilter(_is_no_bad_request)
    app = create_web_app(caches, registry, collector.refresh, config.metrics_path)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    timers: list[asyncio.Task[None]] = []
    try:
        port = await _listen(runner, config.listen)
        for cache in caches:
            cache.start_if_due()
        if on_timer:
            timers = [asyncio.create_task(cache.keep_refreshing()) for cache in caches]
        yield port
    finally:
        for timer in timers:
            timer.cancel()
        await runner.cleanup()
        await asyncio.gather(*(cache.close() for cache in caches))


async def serve(config: Config) -> None:
    """Run the exporter until SIGTERM or SIGINT."""
    stop = _stop_signal()
    async with running_exporter(config, RealClock()) as port:
        logger.info(
            "listening",
            extra={
                "address": str(ListenAddress(config.listen.host, port)),
                "version": __version__,
                "targets": ",".join(target.name for target in config.targets),
            },
        )
        await stop.wait()
        logger.info("stopping")


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    await _stop_signal().wait()


async def _listen(runner: web.AppRunner, address: ListenAddress) -> int:
    site = web.TCPSite(runner, address.host, address.port)
    try:
        await site.start()
    except OSError as error:
        raise CannotListenError(str(address), error) from error
    # On every interface and a free port, IPv4 and IPv6 each get their own: tell the one of IPv4.
    told = min(runner.addresses, key=len)
    port: int = told[1]
    return port


def _is_no_bad_request(record: logging.LogRecord) -> bool:
    """Keeps bytes that are no HTTP out of the log: anybody on the LAN can send some."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _revision() -> str:
    """The commit this was installed from, where pip noted one; else empty."""
    try:
        noted = metadata.distribution("aps-exporter").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return ""
    vcs = json.loads(noted or "{}").get("vcs_info", {})
    return str(vcs.get("commit_id", ""))
