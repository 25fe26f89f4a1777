"""Builds the InfluxDB pusher from its settings, and tries them out."""

import asyncio
from pathlib import Path
from typing import Final

from aps_exporter.clock import Clock
from aps_exporter.config import InfluxdbConfig
from aps_exporter.errors import SinkRejectedError, SinkUnavailableError
from aps_exporter.sinks.influxdb.dead_letters import DeadLetters
from aps_exporter.sinks.influxdb.pusher import InfluxdbPusher
from aps_exporter.sinks.influxdb.spool import Spool
from aps_exporter.sinks.influxdb.writers import V1Writer, V2Writer, Writer

NO_POINTS: Final = "# aps_exporter is looking whether it may write here"
"""A comment: databases check who asks and where to, take it, and write nothing."""

_BYTES_A_MIB: Final = 2**20


async def build_pusher(config: InfluxdbConfig, folder: Path, clock: Clock) -> InfluxdbPusher:
    """The pusher, its spool opened.

    Raises:
        SpoolUnavailableError: the spool cannot be opened.
    """
    spool = await asyncio.to_thread(Spool, folder, config.spool_max_mib * _BYTES_A_MIB)
    return InfluxdbPusher(_writer(config), spool, DeadLetters(folder), clock)


async def try_connection(config: InfluxdbConfig) -> None:
    """Ask the database whether points may be written, without writing any.

    Raises:
        SinkUnavailableError: it does not answer, or says no.
    """
    writer = _writer(config)
    try:
        await writer.write([NO_POINTS])
    except SinkRejectedError as error:
        raise SinkUnavailableError("rejected", str(error), is_lasting=True) from error
    finally:
        await writer.close()


def _writer(config: InfluxdbConfig) -> Writer:
    if config.api == "v1":
        return V1Writer(config.url, config.database or "", config.username, config.password)
    return V2Writer(config.url, config.token, config.org, config.bucket)
