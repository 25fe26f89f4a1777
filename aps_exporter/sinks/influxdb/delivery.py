"""Gets lines to a database that refuses some of them: all others go in, those come back.

A line is only known to be at fault when another one of the same delivery was taken: a database that
refuses everything has another trouble.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aps_exporter.errors import SinkRejectedError
from aps_exporter.sinks.influxdb.writers import Writer


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that the database refuses even alone, and what it said."""

    line: str
    why: str


async def deliver(writer: Writer, lines: Sequence[str]) -> list[RefusedLine]:
    """Write these lines; the ones that are refused even alone.

    Raises:
        SinkUnavailableError: writing them all again is harmless, and needed.
    """
    try:
        await writer.write(lines)
    except SinkRejectedError as error:
        if len(lines) == 1:
            return [RefusedLine(lines[0], str(error))]
        half = len(lines) // 2
        return [*await deliver(writer, lines[:half]), *await deliver(writer, lines[half:])]
    return []
