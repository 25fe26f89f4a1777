"""Builds the InfluxDB pusher from its settings, and tries them out."""

import asyncio
from pathlib import Path
from typing import Final

from aiohttp import encode_basic_auth

from aps_exporter.clock import Clock
from aps_exporter.config import InfluxdbConfig
from aps_exporter.errors import SinkRejectedError, SinkUnavailableError
from aps_exporter.sinks.influxdb.dead_letters import DeadLetters
from aps_exporter.sinks.influxdb.destination import InfluxdbDestination
from aps_exporter.sinks.influxdb.pusher import InfluxdbPusher
from aps_exporter.sinks.influxdb.readers import InfluxqlReader, Reader, VictoriaMetricsReader
from aps_exporter.sinks.influxdb.spool import Spool
from aps_exporter.sinks.influxdb.writers import V1Writer, V2Writer, Writer
from aps_exporter.sinks.promql import speaks_promql

NO_POINTS: Final = "# aps_exporter is looking whether it may write here"
"""A comment: databases check who asks and where to, take it, and write nothing."""

_BYTES_A_MIB: Final = 2**20


async def build_pusher(config: InfluxdbConfig, folder: Path, clock: Clock) -> InfluxdbPusher:
    """The pusher, its spool opened.

    Raises:
        SpoolUnavailableError: the spool cannot be opened.
    """
    spool = await asyncio.to_thread(Spool, folder, config.spool_max_mib * _BYTES_A_MIB)
    return InfluxdbPusher(build_writer(config), spool, DeadLetters(folder), clock)


async def try_connection(config: InfluxdbConfig) -> None:
    """Ask the database whether points may be written, without writing any.

    Raises:
        SinkUnavailableError: it does not answer, or says no.
    """
    writer = build_writer(config)
    try:
        await writer.write([NO_POINTS])
    except SinkRejectedError as error:
        raise SinkUnavailableError("rejected", str(error), is_lasting=True) from error
    finally:
        await writer.close()


def build_writer(config: InfluxdbConfig) -> Writer:
    """How to write to this database; needs a running event loop."""
    if config.api == "v1":
        return V1Writer(config.url, config.database or "", config.username, config.password)
    return V2Writer(config.url, config.token, config.org, config.bucket)


async def build_reader(config: InfluxdbConfig) -> Reader:
    """How to read from this database; asks it what it is.

    Raises:
        SinkUnavailableError: it does not answer.
    """
    account = _account(config)
    if await speaks_promql(config.url, account):
        return VictoriaMetricsReader(config.url, account)
    return InfluxqlReader(config.url, _database(config), account)


async def build_destination(
    config: InfluxdbConfig, folder: Path, round_seconds: float
) -> InfluxdbDestination:
    """Where a back-fill writes to, with the pusher's spool in this folder.

    Raises:
        SinkUnavailableError: the database does not answer.
    """
    reader = await build_reader(config)
    name = f"{config.url} {config.api} {config.org or ''} {_database(config)}"
    return InfluxdbDestination(name, reader, build_writer(config), folder, round_seconds)


def _database(config: InfluxdbConfig) -> str:
    return (config.database if config.api == "v1" else config.bucket) or ""


def _account(config: InfluxdbConfig) -> str | None:
    """What `Authorization` says; None where there is no account."""
    if config.api == "v1":
        if config.username is None:
            return None
        return encode_basic_auth(config.username, config.password or "")
    return None if config.token is None else f"Token {config.token}"
