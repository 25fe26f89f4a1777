"""`serve`: runs the exporter."""

import argparse
import asyncio

from aps_exporter import app
from aps_exporter.cli import EXIT_OK
from aps_exporter.cli.options import configure, flag_values


def serve(options: argparse.Namespace) -> int:
    """Run the exporter until it is told to stop."""
    hosts = ",".join(options.hosts) or None
    config = configure({"APS_ECU_HOSTS": hosts, **flag_values(options)})
    asyncio.run(app.serve(config))
    return EXIT_OK
