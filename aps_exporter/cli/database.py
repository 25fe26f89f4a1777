"""Whether the configured database lets us write, in plain words."""

import asyncio
from textwrap import fill

from aps_exporter.config import InfluxdbConfig
from aps_exporter.errors import SinkUnavailableError
from aps_exporter.explanations import SINK_ADVICE


def database_trouble(config: InfluxdbConfig) -> str | None:
    """Ask the database; what is wrong and what to do, or None if all is well."""
    # Here, so that whoever does not push does not pay for the client library.
    from aps_exporter.pushing import try_connection  # noqa: PLC0415

    try:
        asyncio.run(try_connection(config))
    except SinkUnavailableError as error:
        return f"InfluxDB at {sink_trouble(config.url, error)}"
    return None


def sink_trouble(url: str, error: SinkUnavailableError) -> str:
    """What is wrong with the database at this address, and what to do."""
    advice = fill(SINK_ADVICE[error.reason], 84, break_on_hyphens=False)
    indented = advice.replace("\n", "\n  ")
    return f"{url}: {error.reason} ({error.detail})\n  {indented}"
