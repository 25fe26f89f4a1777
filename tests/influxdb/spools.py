"""Spools to test with."""

import contextlib
import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from aps_exporter.sinks.influxdb.spool import (
    Spool,
)

ECU = "216000000001"
NOON = 1_780_000_000
PERIOD = 300
MIB = 1024 * 1024
EVERYTHING = 1_000_000


def lines_of(measured_at: int, channels: int = 121) -> tuple[str, ...]:
    """One round; by their random powers no line compresses to nothing."""
    chance = random.Random(measured_at)
    return tuple(
        f"aps_channel,channel=1,ecu={ECU},inverter=8020000000{channel:02} "
        f"power_watts={chance.randrange(400)},integrated_energy_kwh={chance.random():.4f} "
        f"{measured_at}"
        for channel in range(channels)
    )


def file_in(folder: Path) -> Path:
    return folder / "influxdb-spool.sqlite3"


def wal_in(folder: Path) -> Path:
    return folder / "influxdb-spool.sqlite3-wal"


def set_aside_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.damaged-*"))


@contextlib.contextmanager
def opened(folder: Path, max_bytes: int = 64 * MIB) -> Iterator[Spool]:
    with contextlib.closing(Spool(folder, max_bytes)) as spool:
        yield spool


def fill(spool: Spool, rounds: int, channels: int = 121) -> dict[int, tuple[str, ...]]:
    put = {NOON + n * PERIOD: lines_of(NOON + n * PERIOD, channels) for n in range(rounds)}
    for measured_at, lines in put.items():
        spool.put(ECU, measured_at, lines)
    return put


def all_of(spool: Spool) -> dict[int, tuple[str, ...]]:
    rounds = spool.oldest(EVERYTHING)
    assert len({waiting.measured_at for waiting in rounds}) == len(rounds)
    return {waiting.measured_at: waiting.lines for waiting in rounds}


MEMORY = next(filter(os.path.isdir, ["/dev/shm"]), None)  # noqa: S108 - made by tempfile
"""Where waiting for the disk costs nothing."""


def damage_while_open(folder: Path, octets: bytes) -> None:
    """Empty the WAL and write over the file, as a dying card would."""
    with contextlib.closing(sqlite3.connect(file_in(folder), isolation_level=None)) as other:
        other.execute("CREATE TABLE passing (x)")
        other.execute("DROP TABLE passing")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file_in(folder).open("r+b") as file:
        file.write(octets)
