"""The parts, without a process around them: refreshing, collecting and decoding."""

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median, quantiles
from timeit import Timer
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from aps_exporter import app
from aps_exporter.cache import EcuCache
from aps_exporter.clock import RealClock
from aps_exporter.config import Config, load
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.queries import InvertersQuery
from aps_exporter.ecu.replies import split_replies
from aps_exporter.readings import ExporterStatus
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.plant import plant_inverters
from aps_exporter.simulator.running import running_ecu_server
from aps_exporter.sinks.prometheus import EcuCollector
from aps_exporter.state import State
from benchmarks.figures import Figure

INVERTERS: Final = "qs1:20"
"""Of four channels each."""

NOON: Final = dt.time(12)
REPEATS: Final = 7
DEFAULT_PAUSE: Final = 0.5


def figures() -> Iterator[Figure]:
    """Refresh times, cost per sample, decode rates; and how steady this machine is."""
    cache, default_pause, no_pause = asyncio.run(_refresh())
    yield Figure("refresh, default pause", default_pause, "s", 1.3)
    yield Figure("refresh, no pause", no_pause * 1_000, "ms")
    yield from _cost_per_sample(cache)
    for inverters in (20, 100):
        rate = _decode_rate(f"qs1:{inverters}")
        yield Figure(f"decode an inverters reply of {inverters}", rate, "replies/s")
    yield Figure("this machine's own jitter, p99 against p50", _jitter(), "times")


async def _refresh() -> tuple[EcuCache, float, float]:
    """A refreshed cache, and the seconds a refresh takes with the default pause and without."""
    ecu = _ecu(INVERTERS)
    async with running_ecu_server(EcuServer(ecu), "127.0.0.1", 0) as port:
        config = load({"APS_ECU_HOSTS": f"127.0.0.1:{port}", "APS_ECU_PAUSE": "0"}).config()
        cache, _ = await timed_refresh(config)
        no_pause = median([(await timed_refresh(config))[1] for _ in range(20)])
        patient = replace(config, ecu_pause=DEFAULT_PAUSE)
        default_pause = median([(await timed_refresh(patient))[1] for _ in range(3)])
    return cache, default_pause, no_pause


async def timed_refresh(config: Config) -> tuple[EcuCache, float]:
    """The cache after one refresh of the only ECU in `config`, and the seconds it took."""
    (cache,) = app.build_caches(config, RealClock(), State(), Counter())
    began = time.perf_counter()
    await cache.ask_once()
    seconds = time.perf_counter() - began
    await cache.close()
    if not all(cache.status().query_success.values()):
        raise RuntimeError(f"refresh failed: {cache.status().last_error}")
    return cache, seconds


def _cost_per_sample(cache: EcuCache) -> Iterator[Figure]:
    """Ours against plain gauges with the same names, labels and values."""
    status = ExporterStatus("0", "", "", {})
    collector = EcuCollector([cache], lambda: status)
    ours = CollectorRegistry(auto_describe=False)
    ours.register(collector)
    plain, samples = _plain_gauges(collector)
    our_cost = _seconds(lambda: generate_latest(ours), times=50) / samples
    plain_cost = _seconds(lambda: generate_latest(plain), times=50) / samples
    yield Figure(f"cost per sample, of {samples}", our_cost * 1e6, "us")
    yield Figure("cost per sample, plain gauges", plain_cost * 1e6, "us")
    yield Figure("cost per sample, ours against plain gauges", our_cost / plain_cost, "times")


def _plain_gauges(collector: EcuCollector) -> tuple[CollectorRegistry, int]:
    registry = CollectorRegistry()
    samples = 0
    for family in collector.collect():
        name, labels = family.samples[0].name, tuple(family.samples[0].labels)
        gauge = Gauge(name, family.documentation, labels, registry=registry)
        for sample in family.samples:
            gauge.labels(**sample.labels).set(sample.value)
            samples += 1
    return registry, samples


def _decode_rate(inverters: str) -> float:
    ecu = _ecu(inverters)
    raw = ecu.reply_to(InvertersQuery(ecu.ecu).request)
    if raw is None:
        raise RuntimeError("the simulated ECU says nothing")
    return 1 / _seconds(lambda: decode_reply(split_replies(raw)[0]), times=100)


def _jitter() -> float:
    """How much longer than usual pure arithmetic takes, one time in a hundred."""
    seconds = []
    for _ in range(1_000):
        began = time.perf_counter()
        sum(number * number for number in range(50_000))
        seconds.append(time.perf_counter() - began)
    percentiles = quantiles(seconds, n=100)
    return percentiles[98] / percentiles[49]


def _ecu(inverters: str) -> SimulatedEcu:
    """An ECU by day, with every inverter online."""
    return SimulatedEcu(plant_inverters(inverters), RealClock(), sun_at_start=NOON)


def _seconds(work: Callable[[], object], *, times: int) -> float:
    """The least time that one call takes."""
    return min(Timer(work).repeat(REPEATS, times)) / times
