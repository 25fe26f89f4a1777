"""`serve`, and `config` which shows what it would run with."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Mapping

from aps_exporter import app
from aps_exporter.cli import EXIT_BAD_INPUT, EXIT_OK
from aps_exporter.clock import RealClock
from aps_exporter.config import VARIABLES, Config, load
from aps_exporter.errors import ConfigError
from aps_exporter.logs import set_up_logging

logger = logging.getLogger(__name__)


def serve(options: argparse.Namespace) -> int:
    """Run the exporter until it is told to stop."""
    hosts = ",".join(options.hosts) or None
    config = configure({"APS_ECU_HOSTS": hosts, **flag_values(options)})
    asyncio.run(app.serve(config))
    return EXIT_OK


def configure(overrides: Mapping[str, str | None], *, targets_required: bool = True) -> Config:
    """The configuration, with logging set up by it and its warnings logged.

    Raises:
        ConfigError: with every fault.
    """
    loaded = load(overrides, targets_required=targets_required)
    if loaded.faults:
        raise ConfigError(*loaded.faults, *(f"warning: {text}" for text in loaded.warnings))
    config = loaded.config()
    set_up_logging(config.log_level, config.log_format, RealClock())
    for warning in loaded.warnings:
        logger.warning(warning)
    return config


def flag_values(options: argparse.Namespace) -> dict[str, str | None]:
    """What the Prometheus-style flags say, by variable name."""
    given = vars(options)
    return {v.name: given.get(v.flag) for v in VARIABLES if v.flag is not None}


def show_config(_: argparse.Namespace) -> int:
    """Print the effective configuration, then every fault."""
    loaded = load({})
    for variable in VARIABLES:
        if variable.field is not None:
            print(f"{variable.name}={loaded.shown.get(variable.name, '')}")
    for warning in loaded.warnings:
        print(f"aps-exporter: warning: {warning}", file=sys.stderr)
    for fault in loaded.faults:
        print(f"aps-exporter: {fault}", file=sys.stderr)
    return EXIT_BAD_INPUT if loaded.faults else EXIT_OK
