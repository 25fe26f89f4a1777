"""The spool: rounds that the database has not taken yet, on disk, oldest first.

Everything here waits for the disk: call it in one worker thread.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from aps_exporter.errors import SpoolUnavailableError
from aps_exporter.sinks.influxdb.spool_file import (
    bytes_used,
    is_damage,
    keep_reserve,
    open_file,
    shrink,
    spend_reserve,
    transaction,
)
from aps_exporter.sinks.influxdb.spool_renewal import finish_renewal, renew
from aps_exporter.sinks.influxdb.spool_rows import insert_round, to_body, to_lines

logger = logging.getLogger(__name__)

ROUNDS_REMEMBERED: Final = 300
"""Of each ECU, the newest put: 25 h of rounds of 300 s."""

MOST_ROUNDS_REMEMBERED: Final = 200 * ROUNDS_REMEMBERED
"""Of all ECUs: any peer can call itself an ECU, and the state is kept of 200 at most."""

FILE: Final = "influxdb-spool.sqlite3"

_TRIMMED_AT_ONCE: Final = 64
"""Rounds of one transaction where a spool is above a lowered limit: it keeps the WAL small."""

_OLDEST_FIRST: Final = "measured_at, id"
_NEWEST_FIRST: Final = "measured_at DESC, id DESC"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SpooledRound:
    """The lines of one round of one ECU that the database has not taken yet."""

    id: int
    measured_at: int
    """In Unix seconds."""
    lines: tuple[str, ...]
    """In line protocol."""


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How much is waiting."""

    points: int
    bytes: int
    oldest: int | None
    """Unix seconds of the oldest round; None if nothing waits."""
    points_damaged: int = 0
    """Points that were lost on damaged pages since the start, as far as is known."""


class Spool:
    """A durable queue of rounds.

    A damaged file, whenever it is met, is set aside, and what can be read of it carried over.
    Every method raises SpoolUnavailableError when the disk is full or the file out of reach:
    nothing was changed then, and the next call may work.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._file = folder / FILE
        self._max_bytes = max_bytes
        self._newest_id = 0  # none is given out twice, be its round lost or long sent
        self._points_dropped = 0
        self._points_damaged = 0
        self._connection: sqlite3.Connection | None = None
        self._run(self._trim, frees_space=True)
        keep_reserve(self._file)

    def put(self, ecu: str, measured_at: int, lines: Sequence[str]) -> int:
        """Add a round, on disk before this returns; one that was put before is left out.

        Gives how many points of the oldest rounds went since the last put, to keep within
        `max_bytes`; the last round left stays, whatever its size.
        """

        def put(connection: sqlite3.Connection) -> int:
            with transaction(connection):
                if _was_put(connection, ecu, measured_at):
                    return 0
                round_id = self._newest_id + 1
                body = to_body(round_id, ecu, measured_at, lines)
                insert_round(connection, (round_id, ecu, measured_at, len(lines), body))
                _forget(connection, ecu, round_id)
                _, dropped = self._drop_oldest(connection)
            self._newest_id = round_id
            return dropped

        dropped = self._run(put) + self._points_dropped
        self._points_dropped = 0
        keep_reserve(self._file)
        return dropped

    def oldest(self, most_lines: int) -> list[SpooledRound]:
        """The oldest rounds: as many whole ones as fit, and at least one if there is one."""

        def oldest(connection: sqlite3.Connection) -> list[SpooledRound]:
            rounds: list[SpooledRound] = []
            lines = 0
            for found in _rounds(connection, _OLDEST_FIRST):
                lines += len(found.lines)
                if rounds and lines > most_lines:
                    break
                rounds.append(found)
            return rounds

        return self._run(oldest)

    def newest(self) -> SpooledRound | None:
        """The round measured last."""
        return self._run(lambda connection: next(_rounds(connection, _NEWEST_FIRST), None))

    def remove(self, ids: Iterable[int]) -> None:
        """Take rounds out: the database has them. Ids not there are left out."""
        gone = [(round_id,) for round_id in ids]

        def remove(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.executemany("DELETE FROM rounds WHERE id = ?", gone)
            shrink(connection)

        self._run(remove, frees_space=True)

    def state(self) -> SpoolState:
        """How much is waiting."""

        def state(connection: sqlite3.Connection) -> SpoolState:
            points, oldest = connection.execute(
                "SELECT IFNULL(SUM(points), 0), MIN(measured_at) FROM rounds"
            ).fetchone()
            return SpoolState(points, bytes_used(connection), oldest, self._points_damaged)

        return self._run(state)

    def close(self) -> None:
        """Let go of the file; whatever is called next opens it again."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _run(self, operation: Callable[[sqlite3.Connection], T], *, frees_space: bool = False) -> T:
        """Do it; on damage, or where the disk is full, make room or a new spool and do it again."""
        try:
            try:
                return operation(self._opened())
            except sqlite3.ProgrammingError:
                raise
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if is_damage(error):
                    self._renew(error)
                else:
                    if frees_space:
                        spend_reserve(self._file)
                    self._make_room()
            return operation(self._opened())
        except sqlite3.ProgrammingError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise SpoolUnavailableError(f"{self._file}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection and not self._file.exists():
            logger.error("the spool was deleted; it starts anew", extra={"file": str(self._file)})
            self.close()
        if not self._connection:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            finish_renewal(self._file)
            self._connection = open_file(self._file)
            self._newest_id = max(self._newest_id, _newest_id(self._connection))
        return self._connection

    def _renew(self, damage: Exception) -> None:
        self.close()
        renewal = renew(self._file)
        self._points_damaged += renewal.points_lost
        logger.error(
            "the spool is damaged; it is set aside, and what could be read of it carried over",
            extra={
                "set_aside": str(renewal.set_aside),
                "detail": str(damage),
                "rounds_saved": renewal.rounds_saved,
                "rounds_lost": renewal.rounds_lost,
                "points_lost": renewal.points_lost,
            },
        )

    def _make_room(self) -> None:
        """Give the disk back what the WAL took."""
        if self._connection:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _trim(self, connection: sqlite3.Connection) -> None:
        """Bring a spool that was allowed more before below `max_bytes`."""
        dropped = -1
        while dropped:
            with transaction(connection):
                dropped, points = self._drop_oldest(connection, _TRIMMED_AT_ONCE)
            self._points_dropped += points
        shrink(connection, self._max_bytes)

    def _drop_oldest(
        self, connection: sqlite3.Connection, most_rounds: int | None = None
    ) -> tuple[int, int]:
        """Drop rounds until the others, or one, are within `max_bytes`; gives how many they were.

        In rounds, and in points.
        """
        rounds = points = 0
        while bytes_used(connection) > self._max_bytes and rounds != most_rounds:
            (oldest_id, its_points), *others = connection.execute(
                f"SELECT id, points FROM rounds ORDER BY {_OLDEST_FIRST} LIMIT 2"  # noqa: S608 - ours
            ).fetchall() or [(None, 0)]
            if not others:
                break
            connection.execute("DELETE FROM rounds WHERE id = ?", (oldest_id,))
            rounds += 1
            points += its_points
        return rounds, points


def _rounds(connection: sqlite3.Connection, order: str) -> Iterator[SpooledRound]:
    select = f"SELECT id, ecu, measured_at, points, body FROM rounds ORDER BY {order}"  # noqa: S608 - ours
    with closing(connection.execute(select)) as rows:
        for round_id, ecu, measured_at, points, body in rows:
            try:
                lines = to_lines(round_id, ecu, measured_at, points, body)
            except ValueError as error:
                raise sqlite3.DatabaseError(str(error)) from error
            yield SpooledRound(round_id, measured_at, lines)


def _was_put(connection: sqlite3.Connection, ecu: str, measured_at: int) -> bool:
    (was_put,) = connection.execute(
        "SELECT EXISTS (SELECT * FROM remembered WHERE ecu = ?1 AND measured_at = ?2)"
        " OR EXISTS (SELECT * FROM rounds WHERE measured_at = ?2 AND ecu = ?1)",
        (ecu, measured_at),
    ).fetchone()
    return bool(was_put)


def _forget(connection: sqlite3.Connection, ecu: str, newest_id: int) -> None:
    connection.execute(
        "DELETE FROM remembered WHERE ecu = ?1 AND id <= (SELECT id FROM remembered"
        " WHERE ecu = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (ecu, ROUNDS_REMEMBERED),
    )
    connection.execute(
        "DELETE FROM remembered WHERE id <= ?", (newest_id - MOST_ROUNDS_REMEMBERED,)
    )


def _newest_id(connection: sqlite3.Connection) -> int:
    ids = connection.execute("SELECT MAX(id) FROM remembered UNION SELECT MAX(id) FROM rounds")
    return max(newest or 0 for (newest,) in ids)
