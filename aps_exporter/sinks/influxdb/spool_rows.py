"""How rounds stand in the spool's file: its tables, and rows that prove themselves.

SQLite has no checksum of its own, so every row carries one over all that it says.
"""

import sqlite3
import zlib
from collections.abc import Sequence
from typing import Final

FORMAT_VERSION: Final = 1

SCHEMA: Final = (
    """CREATE TABLE rounds (
        id INTEGER PRIMARY KEY, ecu TEXT, measured_at INTEGER, points INTEGER, body BLOB
    )""",
    "CREATE INDEX rounds_by_time ON rounds (measured_at, id, points)",
    """CREATE TABLE remembered (
        id INTEGER PRIMARY KEY, ecu TEXT, measured_at INTEGER, proof INTEGER,
        UNIQUE (ecu, measured_at)
    )""",
    f"PRAGMA user_version = {FORMAT_VERSION}",
)
"""`rounds` is what the database has not taken yet; `remembered` the rounds that were ever put."""


def to_body(round_id: int, ecu: str, measured_at: int, lines: Sequence[str]) -> bytes:
    """The lines of a round behind one that says whose and when they are, compressed.

    Raises:
        ValueError: a line has a line break in it.
    """
    if any("\n" in line for line in (ecu, *lines)):
        raise ValueError("a line break within a line")
    return zlib.compress("\n".join((_who(round_id, ecu, measured_at), *lines)).encode())


def to_lines(
    round_id: int | None, ecu: object, measured_at: object, points: object, body: object
) -> tuple[str, ...]:
    """The lines of a row.

    Raises:
        ValueError: the row is damaged.
    """
    if not isinstance(body, bytes):
        raise ValueError(f"round {round_id} has no body")  # noqa: TRY004 - the row is at fault
    try:
        who, *lines = zlib.decompress(body).decode().split("\n")
    except (zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"round {round_id}: {error}") from error
    if who != _who(round_id, ecu, measured_at) or points != len(lines):
        raise ValueError(f"round {round_id} is not what its body says")
    return tuple(lines)


def to_proof(round_id: int | None, ecu: str, measured_at: int) -> int:
    """The checksum of a remembered round."""
    return zlib.crc32(_who(round_id, ecu, measured_at).encode())


def insert_round(connection: sqlite3.Connection, row: tuple[int, str, int, int, bytes]) -> None:
    """Put a row into `rounds`, and remember it."""
    connection.execute("INSERT INTO rounds VALUES (?, ?, ?, ?, ?)", row)
    remember_round(connection, *row[:3])


def remember_round(
    connection: sqlite3.Connection, round_id: int, ecu: str, measured_at: int
) -> None:
    """Remember that a round was put, if that is not known yet."""
    connection.execute(
        "INSERT OR IGNORE INTO remembered VALUES (?, ?, ?, ?)",
        (round_id, ecu, measured_at, to_proof(round_id, ecu, measured_at)),
    )


def _who(round_id: int | None, ecu: object, measured_at: object) -> str:
    return f"{round_id} {ecu} {measured_at}"
