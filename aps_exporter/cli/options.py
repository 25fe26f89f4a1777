"""From flags and environment to a configuration; and `config`, which shows it."""

import argparse
import logging
import sys
from collections.abc import Mapping
from dataclasses import replace

from aps_exporter.cli import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_OK
from aps_exporter.cli.database import database_trouble
from aps_exporter.clock import RealClock
from aps_exporter.config import VARIABLES, Config, load, parse_target
from aps_exporter.errors import ConfigError
from aps_exporter.logs import set_up_logging

logger = logging.getLogger(__name__)


def configure(
    overrides: Mapping[str, str | None], *, defaults: Mapping[str, str] | None = None
) -> Config:
    """The configuration, with logging set up by it and its warnings logged.

    `defaults` holds, by variable, where neither `overrides` nor the environment say anything.

    Raises:
        ConfigError: with every fault.
    """
    loaded = load(overrides, defaults=defaults)
    if loaded.faults:
        raise ConfigError(*loaded.faults, *(f"warning: {text}" for text in loaded.warnings))
    config = loaded.config()
    set_up_logging(config.log_level, config.log_format, RealClock())
    for warning in loaded.warnings:
        logger.warning(warning)
    return config


def configure_for_one(host: str) -> Config:
    """The configuration to read this ECU once, its warnings printed.

    Raises:
        ConfigError: with every fault.
    """
    try:
        target = parse_target(host)
    except ValueError:
        raise ConfigError(f"{host}: expected HOST or HOST:PORT, such as 192.168.1.20") from None
    return replace(configure_without_targets(), targets=(target,))


def configure_without_targets() -> Config:
    """The configuration of a command that ends by itself, its warnings printed.

    Raises:
        ConfigError: with every fault.
    """
    loaded = load({}, targets_required=False)
    config = loaded.config()
    set_up_logging("warn", config.log_format, RealClock())
    for warning in loaded.warnings:
        print(f"aps-exporter: warning: {warning}", file=sys.stderr)
    return config


def flag_values(options: argparse.Namespace) -> dict[str, str | None]:
    """What the Prometheus-style flags say, by variable name."""
    given = vars(options)
    return {v.name: given.get(v.flag) for v in VARIABLES if v.flag is not None}


def show_config(_: argparse.Namespace) -> int:
    """Print the effective configuration, then every fault; without one, try the database.

    The exit status is 1 when the database does not let us write.
    """
    loaded = load({})
    for variable in VARIABLES:
        if variable.field is not None:
            print(f"{variable.name}={loaded.shown.get(variable.name, '')}")
    for warning in loaded.warnings:
        print(f"aps-exporter: warning: {warning}", file=sys.stderr)
    for fault in loaded.faults:
        print(f"aps-exporter: {fault}", file=sys.stderr)
    if loaded.faults:
        return EXIT_BAD_INPUT
    influxdb = loaded.config().influxdb
    trouble = None if influxdb is None else database_trouble(influxdb)
    if trouble is not None:
        print(f"aps-exporter: {trouble}", file=sys.stderr)
    return EXIT_OK if trouble is None else EXIT_FAILED
