"""Looks into the spool beside the pusher that has it open, and changes nothing."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aps_exporter.errors import SpoolUnavailableError
from aps_exporter.sinks.influxdb.points import ECU_POWER
from aps_exporter.sinks.influxdb.spool import FILE
from aps_exporter.sinks.influxdb.spool_rows import to_lines

_HAS_POWER: Final = re.compile(rf"{ECU_POWER.measurement},[^ ]* (.*,)?{ECU_POWER.name}=")
_PATIENCE_SECONDS: Final = 5.0


def spooled_power(folder: Path, ecu: str, start: datetime, end: datetime) -> list[datetime]:
    """When, from `start` until before `end`, there is a power of this ECU that waits to be sent.

    Raises:
        SpoolUnavailableError: there is a spool that cannot be read.
    """
    file = folder / FILE
    if not file.exists():
        return []
    # Without a WAL nobody has it open, and SQLite need not make one to read it.
    has_wal = file.with_name(f"{file.name}-wal").exists()
    mode = "mode=ro" if has_wal else "mode=ro&immutable=1"
    address = f"{file.absolute().as_uri()}?{mode}"
    try:
        with closing(sqlite3.connect(address, timeout=_PATIENCE_SECONDS, uri=True)) as connection:
            rows = connection.execute(
                "SELECT id, ecu, measured_at, points, body FROM rounds"
                " WHERE ecu = ? AND measured_at >= ? AND measured_at < ?",
                (ecu, start.timestamp(), end.timestamp()),
            )
            return [
                datetime.fromtimestamp(row[2], UTC)
                for row in rows
                if any(_HAS_POWER.match(line) for line in to_lines(*row))
            ]
    except (sqlite3.Error, ValueError, UnicodeDecodeError) as error:
        raise SpoolUnavailableError(f"{file}: {error}") from error
