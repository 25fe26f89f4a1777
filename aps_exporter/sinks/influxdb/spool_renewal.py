"""A new spool in the place of a damaged one, with every round that can still be read.

Whenever this is cut off, the damaged file or the whole new one is there: the new one is first
made under another name, and once it has the name `...new` the change is finished at the next open.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from aps_exporter.sinks.influxdb.spool_rows import (
    SCHEMA,
    insert_round,
    remember_round,
    to_lines,
    to_proof,
)
from aps_exporter.sinks.influxdb.sqlite_pages import PAGE_BYTES, Pages

_MOST_KEPT_ASIDE: Final = 3

_COMPANIONS: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file; left there it would be taken for that of the new one."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of a damaged file; lost is what is known to have been in it besides."""

    set_aside: Path | None
    rounds_saved: int
    rounds_lost: int
    points_lost: int


def renew(file: Path) -> Renewal:
    """Set a damaged file aside, and carry over what can be read of it. Nothing may have it open.

    Raises:
        OSError, sqlite3.Error: that was not possible; the damaged file is where it was.
    """
    partial = _beside(file, ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial, isolation_level=None)) as fresh:
        for pragma in (f"page_size = {PAGE_BYTES}", "journal_mode = OFF", "synchronous = OFF"):
            fresh.execute(f"PRAGMA {pragma}")
        fresh.execute("BEGIN")
        for statement in SCHEMA:
            fresh.execute(statement)
        with _pages_of(file) as pages:
            saved, lost = _carry_over(pages, fresh)
        fresh.execute("COMMIT")
    _sync(partial)
    partial.replace(_beside(file, ".new"))
    _sync(file.parent)
    aside = finish_renewal(file)
    return Renewal(aside, len(saved), len(lost), sum(lost.values()))


def finish_renewal(file: Path) -> Path | None:
    """Put a new file that is whole in its place; gives the name of the old one, if that was there.

    Raises:
        OSError: that was not possible yet.
    """
    fresh = _beside(file, ".new")
    if not fresh.exists():
        return None
    aside = _set_aside(file) if file.exists() else None
    fresh.replace(file)
    _sync(file.parent)
    return aside


def _set_aside(file: Path) -> Path:
    """Rename a file, with its WAL, after its modification time; gives the new name."""
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    first = aside = _beside(file, f".damaged-{written:%Y%m%dT%H%M%SZ}")
    number = 1
    while aside.exists():
        number += 1
        aside = _beside(first, f"-{number}")
    for ending in (*_COMPANIONS, ""):
        with suppress(FileNotFoundError):
            _beside(file, ending).replace(_beside(aside, ending))
    _forget_all_but_newest(file)
    return aside


def _forget_all_but_newest(file: Path) -> None:
    """A disk that is dying must not be filled with what it has spoilt."""
    aside = [
        path
        for path in file.parent.glob(f"{file.name}.damaged-*")
        if not path.name.endswith(_COMPANIONS)
    ]
    by_age = sorted(aside, key=lambda path: path.stat().st_mtime_ns)
    for path in by_age[:-_MOST_KEPT_ASIDE]:
        for ending in ("", *_COMPANIONS):
            _beside(path, ending).unlink(missing_ok=True)


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(f"{file.name}{ending}")


@contextmanager
def _pages_of(file: Path) -> Iterator[Pages]:
    with file.open("rb") as database:
        try:
            wal: BinaryIO = _beside(file, "-wal").open("rb")
        except FileNotFoundError:
            yield Pages(database, None)
            return
        with wal:
            yield Pages(database, wal)


def _carry_over(pages: Pages, fresh: sqlite3.Connection) -> tuple[set[int], dict[int, int]]:
    """Ids of the rounds carried over; ids and points of those known of, but not to be read."""
    saved: set[int] = set()
    known: dict[int, int] = {}
    for cell in pages.cells():
        match cell.row_id, *cell.values:
            case int(row_id), None, str(ecu), int(measured_at), int(points), bytes(body):
                known[row_id] = points
                with suppress(ValueError, sqlite3.IntegrityError):
                    to_lines(row_id, ecu, measured_at, points, body)
                    insert_round(fresh, (row_id, ecu, measured_at, points, body))
                    saved.add(row_id)
            case int(row_id), None, str(ecu), int(measured_at), int(proof):
                if proof == to_proof(row_id, ecu, measured_at):
                    remember_round(fresh, row_id, ecu, measured_at)
            case None, int(), int(row_id), int(points), *_:
                known[row_id] = points
    return saved, {row_id: points for row_id, points in known.items() if row_id not in saved}


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
