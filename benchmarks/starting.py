"""How long after its start the exporter answers for the first time."""

import http.client
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import Figure
from tests.integration.programs import EXPORTER, own_environment, running_simulator

STARTS: Final = 7
GIVE_UP_SECONDS: Final = 20


def figures(folder: Path) -> Iterator[Figure]:
    """The median of several starts, for the probe and for the metrics."""
    with running_simulator(folder) as ecu:
        for path, aim in (("/-/healthy", 0.6), ("/metrics", None)):
            seconds = median(
                _seconds_to_first_200(ecu.address, path, folder) for _ in range(STARTS)
            )
            yield Figure(f"start to first 200 on {path}", seconds, "s", aim)


def _seconds_to_first_200(ecu: str, path: str, folder: Path) -> float:
    address = _free_address()
    command = (EXPORTER, "serve", ecu, f"--web.listen-address={address}")
    began = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=folder, env=own_environment(), stderr=subprocess.DEVNULL
    ) as exporter:
        try:
            while not _answers(address, path):
                if time.perf_counter() > began + GIVE_UP_SECONDS:
                    raise TimeoutError(f"no answer from {address}{path}")
                time.sleep(0.002)
            return time.perf_counter() - began
        finally:
            exporter.terminate()


def _answers(address: str, path: str) -> bool:
    with closing(http.client.HTTPConnection(address, timeout=GIVE_UP_SECONDS)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except ConnectionError:
            return False


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        return f"{host}:{port}"
