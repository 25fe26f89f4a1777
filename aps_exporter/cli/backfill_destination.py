"""From flags and environment to where a back-fill writes; and what is wrong with it."""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aps_exporter.backfilling import Destination
from aps_exporter.cli.database import sink_trouble
from aps_exporter.cli.new_file import new_file, refuse_existing, told_when_not_written
from aps_exporter.config import Config, parse_url
from aps_exporter.errors import ConfigError, SinkUnavailableError

if TYPE_CHECKING:
    from aps_exporter.sinks.openmetrics import SampleHistory

_OPENMETRICS: Final = "--openmetrics"


@asynccontextmanager
async def destination_of(config: Config, options: argparse.Namespace) -> AsyncIterator[Destination]:
    """Where to write, until the context ends; what is needed for it is imported only here.

    Raises:
        ConfigError: a flag is at fault, or there is no place to write to.
        SinkUnavailableError: the database does not answer.
    """
    if options.openmetrics is not None:
        async with _file(options) as file:
            yield file
        return
    for flag, given in (("--label", options.label), ("--prometheus", options.prometheus)):
        if given:
            raise ConfigError(f"{flag}: does nothing without --openmetrics FILE; leave it out")
    if config.influxdb is None:
        raise ConfigError(
            "backfill: expected a place to write to: set APS_INFLUXDB_URL, or give --openmetrics "
            "FILE to make a file for Prometheus"
        )
    from aps_exporter.pushing import build_destination  # noqa: PLC0415 - see above

    database = await build_destination(config.influxdb, config.state_dir, config.refresh)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _file(options: argparse.Namespace) -> AsyncIterator[Destination]:
    from aps_exporter.cli.labels import labels_of  # noqa: PLC0415 - see above
    from aps_exporter.sinks.openmetrics import SampleHistory  # noqa: PLC0415 - see above
    from aps_exporter.sinks.openmetrics_destination import (  # noqa: PLC0415 - see above
        OpenmetricsDestination,
    )
    from aps_exporter.sinks.promql import PromqlReader  # noqa: PLC0415 - see above

    labels = labels_of(options.label, ["ecu"])
    path = _new_file(options.openmetrics)
    url = _prometheus_url(options.prometheus)
    prometheus = None if url is None else PromqlReader(url, labels)
    name = f"{path} {labels} {url}"
    file = OpenmetricsDestination(
        name, SampleHistory(labels), prometheus, partial(_make_file, path)
    )
    try:
        yield file
    finally:
        await file.close()


def destination_trouble(
    config: Config, options: argparse.Namespace, error: SinkUnavailableError
) -> str:
    """What is wrong with the place to write to, and what to do."""
    if options.openmetrics is not None or config.influxdb is None:
        return f"Prometheus at {options.prometheus}: {error.reason} ({error.detail})"
    told = f"InfluxDB at {sink_trouble(config.influxdb.url, error)}"
    if error.reason == "unauthorized":
        told += "\n  A back-fill reads from the database too, to write only what is missing."
    return told


def _prometheus_url(text: str | None) -> str | None:
    try:
        return None if text is None else parse_url(text)
    except ValueError:
        raise ConfigError(
            "--prometheus: expected an address such as http://127.0.0.1:9090, without user, "
            "password or query"
        ) from None


def _new_file(text: str) -> Path:
    """The file, refused hours before it is made: nobody should wait for it in vain."""
    path = Path(text).absolute()
    refuse_existing(_OPENMETRICS, path)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{_OPENMETRICS}={path}: expected a name in a folder to write to")
    return path


def _make_file(path: Path, samples: "SampleHistory") -> None:
    """Make the file, whole or not at all.

    Raises:
        ConfigError: it cannot be written, or was made by another meanwhile.
    """
    try:
        with new_file(_OPENMETRICS, path) as file, told_when_not_written(_OPENMETRICS, path):
            samples.write(file)
    except ConfigError as error:
        raise ConfigError(
            f"{error}; what was read is kept: then run the same command again"
        ) from error
