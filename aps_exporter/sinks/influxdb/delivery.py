"""Gets lines to a database that refuses some of them: all others go in, those come back.

A line is only known to be at fault when it was refused while others were taken, before it and after
it: a database that refuses everything has another trouble.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aps_exporter.errors import SinkRejectedError, SinkUnavailableError
from aps_exporter.sinks.influxdb.writers import Writer


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that the database refuses even alone, and what it said."""

    line: str
    why: str


async def deliver(writer: Writer, lines: Sequence[str]) -> list[RefusedLine]:
    """Write these lines; the ones that are refused even alone.

    Unless that is all of them, they were refused by a database that takes others.

    Raises:
        SinkUnavailableError: writing them all again is harmless, and needed.
    """
    refused = await _deliver_in_halves(writer, lines)
    if not 0 < len(refused) < len(lines):
        return refused
    at_fault = {letter.line for letter in refused}
    return await refused_for_good(
        writer, refused, next(line for line in lines if line not in at_fault)
    )


async def refused_for_good(
    writer: Writer, refused: Sequence[RefusedLine], taken: str
) -> list[RefusedLine]:
    """Write refused lines once more; the ones that are refused although `taken` still is not.

    What is wrong with a database as a whole may begin or end at any moment.

    Raises:
        SinkUnavailableError: it refuses everything now.
    """
    still_refused = await _deliver_in_halves(writer, [letter.line for letter in refused])
    if still_refused:
        try:
            await writer.write([taken])
        except SinkRejectedError as error:
            raise refuses_all(str(error)) from error
    return still_refused


def refuses_all(why: str) -> SinkUnavailableError:
    """What is wrong when no line at all is taken."""
    return SinkUnavailableError("rejected", f"every point is refused: {why}", is_lasting=True)


async def _deliver_in_halves(writer: Writer, lines: Sequence[str]) -> list[RefusedLine]:
    try:
        await writer.write(lines)
    except SinkRejectedError as error:
        if len(lines) == 1:
            return [RefusedLine(lines[0], str(error))]
        half = len(lines) // 2
        return [
            *await _deliver_in_halves(writer, lines[:half]),
            *await _deliver_in_halves(writer, lines[half:]),
        ]
    return []
