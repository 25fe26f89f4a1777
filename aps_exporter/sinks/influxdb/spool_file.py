"""The spool's file as SQLite sees it: how it is opened, changed, measured and made smaller."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from aps_exporter.sinks.influxdb.spool_rows import FORMAT_VERSION, SCHEMA
from aps_exporter.sinks.influxdb.sqlite_pages import PAGE_BYTES

_PRAGMAS: Final = (
    f"page_size = {PAGE_BYTES}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "wal_autocheckpoint = 100",
    "journal_size_limit = 1048576",
    # What was removed must be gone from its page: a renewal reads pages by themselves.
    "secure_delete = ON",
)

_LEAST_FREE_PAGES: Final = 4 * 1024 * 1024 // PAGE_BYTES
"""What is free is given back once it is so much; to do so, all that is used is written anew."""

_RESERVE_BYTES: Final = 1024 * 1024
"""Twice what a checkpoint needs to empty a WAL of usual size into a file that has to grow."""

_OUT_OF_REACH: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
_UNREADABLE: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_IOERR_DATA,
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
    }
)


def open_file(file: Path) -> sqlite3.Connection:
    """The spool in this file, made where there is none.

    Raises:
        sqlite3.DatabaseError: it is damaged, of another version, or out of reach.
        UnicodeDecodeError: it is so damaged that not even the message about it is text.
        OSError: it is out of reach.
    """
    if file.exists() and not file.stat().st_size and file.with_name(f"{file.name}-wal").exists():
        raise sqlite3.DatabaseError("the file is empty, but its WAL is there")
    connection = sqlite3.connect(file, timeout=1, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _make_sound(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_sound(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
    if not version and not tables:
        with transaction(connection):
            for statement in SCHEMA:
                connection.execute(statement)
        return
    if version != FORMAT_VERSION:
        raise sqlite3.DatabaseError(f"version {version} instead of {FORMAT_VERSION}")
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is done within it, on disk once it ends; or, if it raises, nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.rollback()
        raise


def _pages(connection: sqlite3.Connection) -> tuple[int, int]:
    """Pages of the file, and how many of them are free."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return pages, free


def bytes_used(connection: sqlite3.Connection) -> int:
    """What the file would take without the pages that are free."""
    pages, free = _pages(connection)
    return (pages - free) * PAGE_BYTES


def shrink(connection: sqlite3.Connection, max_bytes: int | None = None) -> None:
    """Give the disk back what a long outage took: where that is little work, or it is too much."""
    pages, free = _pages(connection)
    is_little_work = (pages - free) * 4 <= free
    is_too_much = max_bytes is not None and pages * PAGE_BYTES > max_bytes
    if free >= _LEAST_FREE_PAGES and (is_little_work or is_too_much):
        with suppress(sqlite3.Error):
            connection.execute("VACUUM")


def is_damage(error: Exception) -> bool:
    """Whether the file is at fault; all else is the disk's, or another process's, and may pass."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code in _UNREADABLE or code & 0xFF not in _OUT_OF_REACH


def keep_reserve(file: Path) -> None:
    """Hold some space of the disk, if there is so much, for when it is full."""
    reserve = _reserve(file)
    if not reserve.exists():
        try:
            reserve.write_bytes(bytes(_RESERVE_BYTES))
        except OSError:
            spend_reserve(file)


def spend_reserve(file: Path) -> None:
    """Give that space back: on a full disk SQLite cannot even remove."""
    with suppress(OSError):
        _reserve(file).unlink()


def _reserve(file: Path) -> Path:
    return file.with_name(f"{file.name}.reserve")
