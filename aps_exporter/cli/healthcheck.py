"""`healthcheck`: for containers, which have no curl."""

import argparse
import http.client
import sys
from typing import Final

from aps_exporter.cli import EXIT_FAILED, EXIT_OK
from aps_exporter.cli.options import flag_values
from aps_exporter.config import ListenAddress, load
from aps_exporter.errors import ConfigError

_TIMEOUT: Final = 3.0
_EVERY_INTERFACE: Final = {None: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound


def healthcheck(options: argparse.Namespace) -> int:
    """Exit status 0 when the exporter says it is healthy."""
    loaded = load(flag_values(options), targets_required=False)
    listen = loaded.values["APS_LISTEN_ADDRESS"]
    if listen is None:  # other faults are no fault of an exporter that started before them
        raise ConfigError(*loaded.faults)
    address = ListenAddress(_EVERY_INTERFACE.get(listen.host, listen.host), listen.port)
    connection = http.client.HTTPConnection(str(address), timeout=_TIMEOUT)
    try:
        connection.request("GET", "/-/healthy")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"not healthy: no answer from {address}: {error}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        connection.close()
    if status != http.client.OK:
        print(f"not healthy: {address} answers {status}", file=sys.stderr)
        return EXIT_FAILED
    print("healthy")
    return EXIT_OK
