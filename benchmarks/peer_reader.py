"""One full read with aps2mqtt's socket class, as JSON: `python peer_reader.py HOST PORT`.

Runs in the peer's own environment, where nothing of this repository can be imported.
"""

import json
import sys
import time
from contextlib import suppress
from importlib import import_module


def main() -> None:
    """Print the seconds the read took and, by serial, what its channels make: null if it failed."""
    module = import_module("aps2mqtt.apsystems.APSystemsSocket")
    host, port = sys.argv[1:]
    peer = module.APSystemsSocket(host, int(port))
    inverters = None
    began = time.perf_counter()
    with suppress(module.APSystemsInvalidData):
        inverters = peer.query_ecu()["inverters"]
    seconds = time.perf_counter() - began
    powers = inverters and {inverter["uid"]: inverter["power"] for inverter in inverters}
    json.dump({"seconds": seconds, "powers": powers}, sys.stdout)


if __name__ == "__main__":
    main()
