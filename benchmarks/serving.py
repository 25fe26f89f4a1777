"""A running exporter, from outside: memory, and scrapes over one kept connection."""

import http.client
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import quantiles
from typing import Final

from benchmarks.figures import Figure
from tests.integration.programs import Program, running_exporter, running_simulator

INVERTERS: Final = "qs1:20"
"""Of four channels each."""

FIRST_SCRAPES: Final = 200
TIMED_SCRAPES: Final = 3_000

PLAIN: Final = {"Accept": "text/plain", "Accept-Encoding": "identity"}
LIKE_PROMETHEUS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}


def figures(folder: Path) -> Iterator[Figure]:
    """Memory before and after the load, and the load."""
    with (
        running_simulator(folder, "--inverters", INVERTERS) as ecu,
        running_exporter(ecu.address, folder) as exporter,
    ):
        _scrape(exporter, LIKE_PROMETHEUS, FIRST_SCRAPES)
        yield Figure(f"memory after {FIRST_SCRAPES} scrapes", _resident_mib(exporter), "MiB", 45)
        yield from _timed(exporter, PLAIN, "scrape, plain text", aim=10)
        yield from _timed(exporter, LIKE_PROMETHEUS, "scrape, OpenMetrics and gzip", aim=10)
        scrapes = FIRST_SCRAPES + 2 * TIMED_SCRAPES
        yield Figure(f"memory after {scrapes:,} scrapes", _resident_mib(exporter), "MiB")


def _timed(
    exporter: Program, headers: dict[str, str], name: str, *, aim: float
) -> Iterator[Figure]:
    seconds = _scrape(exporter, headers, TIMED_SCRAPES)
    percentiles = quantiles(seconds, n=100)
    yield Figure(f"{name}, p50", percentiles[49] * 1_000, "ms")
    yield Figure(f"{name}, p99", percentiles[98] * 1_000, "ms", aim)
    yield Figure(f"{name}, one client", len(seconds) / sum(seconds), "requests/s")


def _scrape(exporter: Program, headers: dict[str, str], count: int) -> list[float]:
    """The seconds each of `count` scrapes took."""
    seconds = []
    with closing(http.client.HTTPConnection(exporter.address, timeout=10)) as connection:
        for _ in range(count):
            began = time.perf_counter()
            connection.request("GET", "/metrics", headers=headers)
            response = connection.getresponse()
            response.read()
            seconds.append(time.perf_counter() - began)
            if response.status != http.client.OK:
                raise RuntimeError(f"/metrics answered {response.status}")
    return seconds


def _resident_mib(program: Program) -> float:
    status = Path(f"/proc/{program.pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"no VmRSS of process {program.pid}")
    return int(found[1]) / 1_024
