"""Three days without a database: what the spool takes, and how fast it drains afterwards.

`python -m benchmarks.pushing URL FOLDER` does it in a process of its own, whose memory is measured.
"""

import asyncio
import gzip
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from aps_exporter.beliefs import EcuBeliefs
from aps_exporter.clock import RealClock, ScaledClock
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.queries import InfoQuery, InvertersQuery, Query, SignalQuery
from aps_exporter.ecu.replies import split_replies
from aps_exporter.readings import EcuReading, RoundReading, SignalReading, Snapshot
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.plant import ROUND_SECONDS, plant_inverters
from aps_exporter.sinks.influxdb.dead_letters import DeadLetters
from aps_exporter.sinks.influxdb.pusher import InfluxdbPusher
from aps_exporter.sinks.influxdb.spool import Spool
from aps_exporter.sinks.influxdb.writers import V2Writer
from benchmarks.figures import Figure

INVERTERS: Final = "qs1:20"
"""Of four channels each."""

HOURS: Final = 72
ROUNDS: Final = HOURS * 3_600 // ROUND_SECONDS
FIRST_ROUNDS: Final = 20
"""Until memory is measured for the first time."""

GIVE_UP_SECONDS: Final = 300

_START: Final = datetime(2026, 6, 1, 4, 0, 20, tzinfo=UTC)


def figures(folder: Path) -> Iterator[Figure]:
    """Bytes on disk, seconds and memory."""
    spool = folder / "spool"
    spool.mkdir()
    with _database() as database:
        command = [sys.executable, "-m", "benchmarks.pushing", database.url, str(spool)]
        printed = subprocess.run(  # noqa: S603 - this very file
            command, capture_output=True, check=True, timeout=GIVE_UP_SECONDS
        ).stdout
        found = json.loads(printed)
    if database.lines != found["points"]:
        raise RuntimeError(f"{database.lines} points came of {found['points']}")
    what = f"{HOURS} h of 20 four-channel inverters"
    yield Figure(f"points in {what}", found["points"], "")
    yield Figure("spooled, on disk", found["disk_bytes"] / 2**20, "MiB", 10)
    yield Figure("spooling one round", found["spool_seconds"] / ROUNDS * 1_000, "ms")
    yield Figure("memory growth while spooling", found["spool_growth_mib"], "MiB", 5)
    yield Figure("spool drained in", found["drain_seconds"], "s", 60)
    yield Figure("memory growth at most, while draining", found["drain_growth_mib"], "MiB", 20)


class _Database(ThreadingHTTPServer):
    """Takes all that comes, and counts it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.lines = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Database

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.lines += gzip.decompress(body).count(b"\n") + 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _database() -> Iterator[_Database]:
    with _Database() as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


async def _spool_and_drain(url: str, folder: Path) -> dict[str, float]:
    writer = V2Writer(url, None, None, "solar")
    spool = Spool(folder, 256 * 2**20)
    pusher = InfluxdbPusher(writer, spool, DeadLetters(folder), RealClock())
    spooling = asyncio.create_task(pusher.keep_spooling())
    spool_seconds = before_mib = 0.0
    for count, snapshot in enumerate(_snapshots()):
        if count == FIRST_ROUNDS:
            before_mib = _memory_mib("VmRSS")
        began = time.perf_counter()
        waiting = pusher.status().spool_points
        pusher.take(snapshot)
        await _until(partial(_has_more, pusher, waiting))
        spool_seconds += time.perf_counter() - began
    points = pusher.status().spool_points
    disk_bytes = _bytes_in(folder)
    spooled_mib = _memory_mib("VmRSS")
    _forget_most_memory()
    began = time.perf_counter()
    sending = asyncio.create_task(pusher.keep_sending())
    await _until(lambda: not pusher.status().spool_points)
    drain_seconds = time.perf_counter() - began
    most_mib = _memory_mib("VmHWM")
    for task in (spooling, sending):
        task.cancel()
    await asyncio.wait([spooling, sending])
    await pusher.close()
    return {
        "points": points,
        "disk_bytes": disk_bytes,
        "spool_seconds": spool_seconds,
        "spool_growth_mib": spooled_mib - before_mib,
        "drain_seconds": drain_seconds,
        "drain_growth_mib": most_mib - spooled_mib,
    }


def _snapshots() -> Iterator[Snapshot]:
    """One of each round, as the ECU itself tells it."""
    elapsed = 0.0
    clock = ScaledClock(1, _START, ticks=lambda: elapsed)
    ecu = SimulatedEcu(plant_inverters(INVERTERS), clock, model="ecu-r-pro")
    beliefs = EcuBeliefs("roof", ecu.ecu, None, 900)
    queries: tuple[Query, ...] = (InfoQuery(), InvertersQuery(ecu.ecu), SignalQuery(ecu.ecu))
    for index in range(ROUNDS):
        elapsed = at = float(index * ROUND_SECONDS)
        now = _START + timedelta(seconds=at)
        for query in queries:
            reply = split_replies(ecu.reply_to(query.request) or b"")[0]
            match decode_reply(reply):
                case EcuReading() as info:
                    beliefs.hear_info(info, at, now, ROUND_SECONDS)
                case RoundReading() as round_:
                    beliefs.hear_round(round_, at, now, ROUND_SECONDS, new=True)
                case SignalReading() as signal:
                    beliefs.hear_signal(signal, at)
        snapshot = beliefs.snapshot(at, now, ROUND_SECONDS, heard_since=at)
        if snapshot is not None:
            yield snapshot


def _has_more(pusher: InfluxdbPusher, points: int) -> bool:
    return pusher.status().spool_points > points


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - the pusher has no event for it
        await asyncio.sleep(0.001)


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _memory_mib(kind: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{kind}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"no {kind} of this process")
    return int(found[1]) / 1_024


def _forget_most_memory() -> None:
    """Let VmHWM, the most memory ever taken, begin anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    url, folder = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(_spool_and_drain(url, Path(folder)))))
