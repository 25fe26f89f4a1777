"""`healthcheck`: for containers, which have no curl."""

import argparse
import http.client
import sys
from typing import Final

from aps_exporter.cli import EXIT_FAILED, EXIT_OK
from aps_exporter.cli.options import flag_values
from aps_exporter.config import ListenAddress, load

_TIMEOUT: Final = 3.0
_EVERY_INTERFACE: Final = {None: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound


def healthcheck(options: argparse.Namespace) -> int:
    """Exit status 0 when the exporter says it is healthy."""
    listen = load(flag_values(options), targets_required=False).config().listen
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
