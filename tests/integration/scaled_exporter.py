"""An ECU and an exporter in one process whose time runs fast, for a test that kills it.

`python -m tests.integration.scaled_exporter START END SPEED`, both moments in ISO format; all else
comes from the environment. It says where it listens, and ends once it stands at END and the
database has everything, or when it is told to. The file `seconds` in its working directory holds
what its clock last said, in seconds since START, even when it is killed.
"""

import asyncio
import mmap
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from unittest.mock import patch
from zoneinfo import ZoneInfo

from aps_exporter import app, pushing
from aps_exporter.clock import ScaledClock
from aps_exporter.config import load
from aps_exporter.errors import SpoolUnavailableError
from aps_exporter.logs import set_up_logging
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.plant import Plant, plant_inverters
from aps_exporter.simulator.rounds import last_full
from aps_exporter.simulator.running import running_ecu_server
from aps_exporter.sinks.influxdb.spool import Spool

SECONDS_FILE: Final = "seconds"
SECONDS: Final = struct.Struct("d")

INVERTERS: Final = "qs1:1,yc1000:1,ds3:1,qt2:1"
MODEL: Final = "ecu-r-pro"
INSTALLED_ON: Final = datetime.fromisoformat("2024-05-31").date()
ROUND_SECONDS: Final = 300
STATE_WITHIN_SECONDS: Final = 1.0
ZONE: Final = ZoneInfo("Europe/Amsterdam")

_SIGNAL: Final = b"0030"
_COMMAND: Final = slice(9, 13)


class PatientTicks:
    """Real seconds, but they stand where a busy machine would be too slow for time that runs fast.

    From the first query of a refresh until its round is on disk, and so is the state, no time
    passes; and a round passes only when the one before is on disk. While the disk takes nothing,
    nobody waits for it.
    """

    def __init__(self, start: datetime, end: datetime, speed: float, told: mmap.mmap) -> None:
        self._start = start
        self._speed = speed
        self._told = told
        self._last = (end - start).total_seconds() / speed
        self._limit = 0.0
        self._elapsed = 0.0
        self._real = time.monotonic()
        self._lock = threading.Lock()
        self.kept = 0
        self.keeps(int(last_full(start).timestamp()) - ROUND_SECONDS)

    def __call__(self) -> float:
        with self._lock:
            real = time.monotonic()
            if not self.is_refreshing:
                passed = self._elapsed + real - self._real
                self._elapsed = max(self._elapsed, min(passed, self._limit, self._last))
            self._real = real
            SECONDS.pack_into(self._told, 0, self._elapsed * self._speed)
            return self._elapsed

    def keeps(self, measured_at: int) -> None:
        """This round is on disk."""
        self.is_refreshing = False
        self.kept = max(self.kept, measured_at)
        seconds = self.kept + 2 * ROUND_SECONDS - 1 - self._start.timestamp()
        self._limit = seconds / self._speed

    def keeps_nothing(self) -> None:
        """The disk takes no rounds now."""
        self.is_refreshing = False
        self._limit = float("inf")


class PatientEcu:
    """A simulated ECU with a plant that does not depend on when it was started."""

    def __init__(self, clock: ScaledClock, ticks: PatientTicks) -> None:
        self._ecu = SimulatedEcu(plant_inverters(INVERTERS), clock, model=MODEL)
        self._ecu.plant = Plant(self._ecu.plant.inverters, INSTALLED_ON)
        self._clock = clock
        self._ticks = ticks

    def reply_to(self, request: bytes) -> bytes | None:
        is_new = last_full(self._clock.now()).timestamp() > self._ticks.kept
        self._ticks.is_refreshing = is_new or request[_COMMAND] != _SIGNAL
        return self._ecu.reply_to(request)


@contextmanager
def _spool_told_to(ticks: PatientTicks, folder: Path) -> Iterator[None]:
    """Every spool made meanwhile tells what it has on disk."""

    class TellingSpool(Spool):
        def put(self, ecu: str, measured_at: int, lines: Sequence[str]) -> int:
            try:
                dropped = super().put(ecu, measured_at, lines)
            except SpoolUnavailableError:
                ticks.keeps_nothing()
                raise
            _wait_for_state(folder, measured_at)
            ticks.keeps(measured_at)
            return dropped

    with patch.object(pushing, "Spool", TellingSpool):
        yield


def _wait_for_state(folder: Path, measured_at: int) -> None:
    """Give the state, which is written beside the spool, the time that it has in real rounds."""
    stamp = datetime.fromtimestamp(measured_at, ZONE).replace(tzinfo=None).isoformat()
    deadline = time.monotonic() + STATE_WITHIN_SECONDS
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            if stamp in (folder / "state.json").read_text(encoding="utf-8"):
                return
        time.sleep(0.002)


async def _run(start: datetime, end: datetime, speed: float, told: mmap.mmap) -> None:
    ticks = PatientTicks(start, end, speed, told)
    clock = ScaledClock(speed, start, ticks)
    ecu = PatientEcu(clock, ticks)
    async with running_ecu_server(EcuServer(ecu), "127.0.0.1", 0) as port:
        config = load(
            {
                "APS_ECU_HOSTS": f"127.0.0.1:{port}",
                "APS_ECU_PAUSE": "0",
                "APS_LISTEN_ADDRESS": "127.0.0.1:0",
            }
        ).config()
        set_up_logging(config.log_level, config.log_format, clock)
        with _spool_told_to(ticks, config.state_dir):
            async with (
                app.kept_state(config) as state,
                app.running_pusher(config, clock) as pusher,
                app.running_exporter(config, clock, state, pusher=pusher) as listening_on,
            ):
                print(f"listening on 127.0.0.1:{listening_on}", flush=True)  # noqa: T201
                last_round = int(last_full(end).timestamp())
                stop = asyncio.create_task(app.until_stopped())
                while not stop.done():
                    await asyncio.wait([stop], timeout=0.1)
                    assert pusher is not None
                    is_over = ticks.kept >= last_round
                    if is_over and not pusher.status().spool_points and pusher.status().up:
                        stop.cancel()
                        await asyncio.wait([stop])


def main() -> None:
    start, end, speed = sys.argv[1:]
    with Path(SECONDS_FILE).open("r+b") as file, mmap.mmap(file.fileno(), SECONDS.size) as told:
        begins, ends = datetime.fromisoformat(start), datetime.fromisoformat(end)
        asyncio.run(_run(begins, ends, float(speed), told))


if __name__ == "__main__":
    main()
