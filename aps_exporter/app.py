"""Builds everything, starts it in order, and stops it in reverse."""

import asyncio
import json
import logging
import platform
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Final

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
from aps_exporter.cache import REFRESH_TASK, EcuCache
from aps_exporter.clock import Clock, RealClock
from aps_exporter.config import Config, ListenAddress, Target
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu_claims import EcuClaims
from aps_exporter.ecu_memory import EcuMemory
from aps_exporter.errors import (
    CannotListenError,
    ConfigError,
    SpoolUnavailableError,
    StateUnavailableError,
)
from aps_exporter.panels import Panels
from aps_exporter.panels_in_force import PanelsInForce
from aps_exporter.readings import ExporterStatus, Snapshot
from aps_exporter.schedule import RoundSchedule
from aps_exporter.sinks.prometheus import EcuCollector
from aps_exporter.state import State, open_state
from aps_exporter.turns import Turn, Turns, always
from aps_exporter.web.routes import create_web_app

if TYPE_CHECKING:
    from aps_exporter.sinks.influxdb.pusher import InfluxdbPusher

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS: Final = 1.0
"""How long answers under way may take once the exporter is told to stop."""


def build_caches(  # noqa: PLR0913 - each is one thing they share
    config: Config,
    clock: Clock,
    state: State,
    internal_errors: Counter[str],
    *,
    take_round: Callable[[Snapshot], None] | None = None,
    jitter: Callable[[], float] | None = None,
    panels: Callable[[], Panels] | None = None,
    turn: Turn = always,
) -> tuple[EcuCache, ...]:
    """A cache for each target; they ask when it is their `turn`.

    `jitter` gives a number from -1 to 1, None for any; `panels` gives the panels of the moment,
    None for those of the configuration.
    """
    claims = EcuClaims()

    def count_internal_error(task: str) -> None:
        internal_errors[task] += 1

    def beliefs(target: Target, ecu: str, memory: EcuMemory | None) -> EcuBeliefs:
        return EcuBeliefs(
            target.name,
            ecu,
            config.timezone,
            config.stale_after,
            memory,
            panels=panels or (lambda: config.panels),
        )

    return tuple(
        EcuCache(
            target.name,
            client=EcuClient(target.host, target.port or config.ecu_port, config.ecu_timeout),
            clock=clock,
            new_schedule=partial(RoundSchedule, config.refresh, jitter),
            new_beliefs=partial(beliefs, target),
            claims=claims,
            state=state,
            pause=config.ecu_pause,
            turn=turn,
            count_internal_error=count_internal_error,
            take_round=take_round,
        )
        for target in config.targets
    )


def exporter_status(internal_errors: Mapping[str, int]) -> ExporterStatus:
    """What this exporter says of itself; `internal_errors` goes on counting."""
    return ExporterStatus(__version__, _revision(), platform.python_version(), internal_errors)


@asynccontextmanager
async def kept_state(config: Config) -> AsyncIterator[State]:
    """The state, from what was last written in its folder, and written there as it changes.

    If the folder cannot be used, a warning says so and the state lives in memory only.

    Raises:
        ConfigError: the folder cannot be used, but is needed for what is to be pushed.
    """
    try:
        opened, memories = await asyncio.to_thread(open_state, config.state_dir)
    except StateUnavailableError as error:
        if config.influxdb is not None:
            raise ConfigError(
                f"APS_STATE_DIR={config.state_dir}: expected a folder to write to, as the InfluxDB "
                f"pusher keeps there what it has not sent yet: {error}"
            ) from error
        logger.warning(
            "APS_STATE_DIR cannot be used: counters will start anew at the next start",
            extra={"detail": str(error), "hint": "make it a folder this user may write to"},
        )
        yield State()
        return
    state = State(memories)
    try:
        async with beside(state.keep_writing(opened)):
            yield state
    finally:
        await state.write(opened)
        opened.close()


@asynccontextmanager
async def running_pusher(config: Config, clock: Clock) -> AsyncIterator["InfluxdbPusher | None"]:
    """The InfluxDB pusher, at work until the context ends; None where it is not configured.

    Raises:
        ConfigError: its spool cannot be opened.
    """
    if config.influxdb is None:
        yield None
        return
    # Here, so that whoever does not push does not pay for the client library.
    from aps_exporter.pushing import build_pusher  # noqa: PLC0415

    try:
        pusher = await build_pusher(config.influxdb, config.state_dir, clock)
    except SpoolUnavailableError as error:
        raise ConfigError(f"APS_STATE_DIR={config.state_dir}: {error}") from error
    try:
        async with beside(pusher.keep_spooling(), pusher.keep_sending()):
            yield pusher
    finally:
        await pusher.close()


@asynccontextmanager
async def running_exporter(  # noqa: PLR0913 - each is one thing that the exporter stands on
    config: Config,
    clock: Clock,
    state: State,
    *,
    pusher: "InfluxdbPusher | None" = None,
    turn: Turn = always,
    on_timer: bool = False,
    panels: PanelsInForce | None = None,
) -> AsyncIterator[int]:
    """The exporter, serving until the context ends. Gives the port it listens on.

    `on_timer` reads each round as it comes, not only when somebody scrapes; with a pusher that is
    always so. ECUs are asked when it is the exporter's `turn`. `panels` are given by whoever has
    them read again.

    Raises:
        CannotListenError: the address is taken, or not this machine's.
    """
    internal_errors = Counter({REFRESH_TASK: 0})
    panels = panels or PanelsInForce.of(config)

    def take_round(snapshot: Snapshot) -> None:
        panels.take(snapshot)
        if pusher is not None:
            pusher.take(snapshot)

    caches = build_caches(
        config,
        clock,
        state,
        internal_errors,
        take_round=take_round,
        panels=panels.now,
        turn=turn,
    )
    status = exporter_status(internal_errors)
    collector = EcuCollector(caches, lambda: status, None if pusher is None else pusher.status)
    registry = CollectorRegistry(auto_describe=True)
    registry.register(collector)
    for process_collector in (ProcessCollector, PlatformCollector, GCCollector):
        process_collector(registry=registry)
    logging.getLogger("aiohttp.server").addFilter(_is_no_bad_request)
    app = create_web_app(caches, registry, collector.refresh, config.metrics_path)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    timed = caches if on_timer or pusher is not None else ()
    try:
        port = await _listen(runner, config.listen)
        for cache in caches:
            cache.start_if_due()
        refreshing = (cache.keep_refreshing() for cache in timed)
        async with beside(panels.keep_reloading(), *refreshing):
            yield port
    finally:
        await runner.cleanup()
        await asyncio.gather(*(cache.close() for cache in caches))


@asynccontextmanager
async def beside(*coroutines: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run these beside the body, and end them with it.

    The body ends with the error of the first of them that fails: nothing dies silently.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def serve(config: Config) -> None:
    """Run the exporter until SIGTERM or SIGINT; on SIGHUP the panels file is read again."""
    stop = _stop_signal()
    panels = PanelsInForce.of(config)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, panels.ask_to_reload)
    clock = RealClock()
    turns = Turns(config.state_dir, clock)
    async with (
        kept_state(config) as state,
        running_pusher(config, clock) as pusher,
        running_exporter(
            config, clock, state, pusher=pusher, turn=turns.of_refresh, panels=panels
        ) as port,
    ):
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
