"""What a full read of an ECU costs, beside a peer's: PyPI's aps2mqtt, in its own environment.

Both ask the same simulated ECUs for info, inverters and signal: the peer through its socket class
with its own waits and buffer, ours as a refresh. The inverters are DS3: no model has shorter rows,
so of no model do more fit a buffer. The peer reads the plants of all sizes side by side, each from
an ECU of its own, as it spends its time waiting; then ours reads them one by one. A read is
complete when it has every inverter of the plant, no other, and of each channel the power that the
simulated plant made.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Final

from aps_exporter.clock import ScaledClock
from aps_exporter.config import Config, load
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.plant import plant_inverters
from aps_exporter.simulator.running import running_ecu_server
from benchmarks.figures import Figure, NotMeasured, Row
from benchmarks.parts import NOON, timed_refresh

PEER: Final = "aps2mqtt 2.0.2"
REQUIREMENT: Final = PEER.replace(" ", "==")

KIND: Final = "ds3"
SIZES: Final = (20, 37, 47, 60, 100)
TIMED_SIZE: Final = SIZES[0]
REPEATS: Final = 3

_HOST: Final = "127.0.0.1"
_READER: Final = Path(__file__).with_name("peer_reader.py")
_INSTALL_SECONDS: Final = 60
_READ_SECONDS: Final = 60
"""More than three queries take that each use up the peer's own wait and deadline."""

Powers = Mapping[str, tuple[float | None, ...]]
"""Watts by channel, by inverter serial."""


@dataclass(frozen=True, slots=True)
class _Plant:
    """A simulated ECU that is listening, and what its plant truly makes."""

    size: int
    port: int
    powers: Powers


@dataclass(slots=True)
class _Reads:
    """All that one reader did: its times at the timed size, and where it was ever incomplete."""

    seconds: list[float] = field(default_factory=list)
    incomplete: set[int] = field(default_factory=set)

    def judge(self, plant: _Plant, powers: Powers | None) -> None:
        if powers != plant.powers:
            self.incomplete.add(plant.size)

    @property
    def largest_complete(self) -> int:
        """The size up to which no read was incomplete."""
        return max(takewhile(lambda size: size not in self.incomplete, SIZES), default=0)


def figures(folder: Path) -> Iterator[Row]:
    """Seconds a full read and the largest plant read completely, of the peer and of ours."""
    try:
        python = _peer_environment(folder / "peer")
    except (OSError, subprocess.SubprocessError):
        python = None
    theirs, default_pause, no_pause = asyncio.run(_read_all(python))
    yield Figure(_full_read("ours, default pause"), median(default_pause.seconds), "s")
    yield Figure(_full_read("ours, no pause"), median(no_pause.seconds) * 1_000, "ms")
    sizes = "/".join(map(str, SIZES))
    complete = f"largest plant of {sizes} {KIND.upper()} with every channel right, "
    largest = min(default_pause.largest_complete, no_pause.largest_complete)
    yield Figure(f"{complete}ours", largest, "inverters", at_least=SIZES[-1])
    if python is None:
        yield NotMeasured(_full_read(PEER), "no environment could be made with it")
        return
    yield Figure(f"{complete}{PEER}", theirs.largest_complete, "inverters")
    if TIMED_SIZE in theirs.incomplete:
        yield NotMeasured(_full_read(PEER), "its reads were not complete")
        return
    their_seconds = median(theirs.seconds)
    yield Figure(_full_read(PEER), their_seconds, "s")
    for pause, ours, aim in (("default pause", default_pause, 10), ("no pause", no_pause, None)):
        name = _full_read(f"{PEER} against ours, {pause}")
        yield Figure(name, their_seconds / median(ours.seconds), "times", at_least=aim)


def _full_read(what: str) -> str:
    return f"full read of {TIMED_SIZE} {KIND.upper()}, {what}"


def _peer_environment(folder: Path) -> Path:
    """The Python of a new environment with the peer in it; its socket class needs nothing else."""
    python = folder / "bin" / "python"
    pip = (str(python), "-m", "pip", "install", "--no-deps", "--retries=1", "--timeout=10")
    for command in ((sys.executable, "-m", "venv", str(folder)), (*pip, REQUIREMENT)):
        subprocess.run(  # noqa: S603 - Python's own tools
            command, check=True, capture_output=True, timeout=_INSTALL_SECONDS
        )
    return python


async def _read_all(python: Path | None) -> tuple[_Reads, _Reads, _Reads]:
    """The reads of the peer (none without a `python`), and of ours with the pause and without."""
    theirs, default_pause, no_pause = _Reads(), _Reads(), _Reads()
    async with AsyncExitStack() as stack:
        plants = [await stack.enter_async_context(_running_plant(size)) for size in SIZES]
        for _ in range(REPEATS):
            if python is not None:
                async with asyncio.TaskGroup() as group:
                    for plant in plants:
                        group.create_task(_their_read(python, plant, theirs))
            for plant in plants:
                config = load({"APS_ECU_HOSTS": f"{_HOST}:{plant.port}"}).config()
                if plant.size == TIMED_SIZE:
                    await _our_read(config, plant, default_pause)
                await _our_read(replace(config, ecu_pause=0), plant, no_pause)
    return theirs, default_pause, no_pause


@asynccontextmanager
async def _running_plant(size: int) -> AsyncIterator[_Plant]:
    """A plant by day whose clock stands still, so that every read is of the same round."""
    clock = ScaledClock(0, datetime.now(UTC))
    ecu = SimulatedEcu(plant_inverters(f"{KIND}:{size}"), clock, sun_at_start=NOON)
    powers = {
        inverter.serial: ecu.plant.measure(inverter, ecu.newest_round).channel_watts
        for inverter in ecu.plant.inverters
    }
    async with running_ecu_server(EcuServer(ecu), _HOST, 0) as port:
        yield _Plant(size, port, powers)


async def _their_read(python: Path, plant: _Plant, reads: _Reads) -> None:
    reader = await asyncio.create_subprocess_exec(
        *(python, "-I", _READER, _HOST, str(plant.port)), stdout=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_READ_SECONDS):
            output, _ = await reader.communicate()
    except BaseException:
        reader.kill()
        await reader.wait()
        raise
    if reader.returncode:
        raise RuntimeError(f"the peer's reader ended with status {reader.returncode}")
    found = json.loads(output)
    powers = found["powers"]
    reads.judge(plant, powers and {serial: tuple(watts) for serial, watts in powers.items()})
    if plant.size == TIMED_SIZE:
        reads.seconds.append(found["seconds"])


async def _our_read(config: Config, plant: _Plant, reads: _Reads) -> None:
    cache, seconds = await timed_refresh(config)
    snapshot = cache.snapshot()
    if snapshot is None:
        raise RuntimeError("a refresh that succeeded left no snapshot")
    powers = {
        inverter.inverter: tuple(channel.power_watts for channel in inverter.channels)
        for inverter in snapshot.inverters
    }
    reads.judge(plant, powers)
    if plant.size == TIMED_SIZE:
        reads.seconds.append(seconds)
