"""The console script as a user runs it, in a folder and an environment of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from aps_exporter.cli import main

COMMAND: Final = Path(sys.executable).with_name("aps-exporter")
PATIENCE_SECONDS: Final = 20.0
TRACEBACK: Final = "Traceback"

ON_A_FREE_PORT: Final = ("--listen", "127.0.0.1:0")
"""For `simulate`."""

EITHER_FAMILY_FIRST: Final = ["0", "1"]
"""Hash seeds with which asyncio opens the sockets of all interfaces in this or that order."""

_POLL_SECONDS: Final = 0.02
_BOUND_ADDRESS: Final = r"(?:on |address=|http://)(\S*:\d+)"


@dataclass(frozen=True, slots=True)
class Running:
    """A command that runs until it is told to stop."""

    process: "subprocess.Popen[bytes]"
    output_file: Path

    @property
    def output(self) -> str:
        """All it has said so far, on standard output and standard error."""
        return self.output_file.read_text(encoding="utf-8")

    @property
    def address(self) -> str:
        """The address that it says it listens on."""
        return self.wait_for(_BOUND_ADDRESS)

    def wait_for(self, pattern: str) -> str:
        """The first group of the pattern, as soon as it stands in the output."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(pattern, self.output):
                return found[1]
            time.sleep(_POLL_SECONDS)
        raise AssertionError(f"{pattern} never came; what came: {self.output}")

    def wait_until_it_takes_sigterm(self) -> None:
        """Until there is a handler for SIGTERM; needs Linux's /proc."""
        status = Path(f"/proc/{self.process.pid}/status")
        caught = 0
        while not caught >> (signal.SIGTERM - 1) & 1:
            assert self.process.poll() is None, self.output
            caught = int(status.read_text(encoding="ascii").partition("SigCgt:")[2].split()[0], 16)
            time.sleep(0.001)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """The exit status, and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        return status, time.monotonic() - began


class Start(Protocol):
    """Starts a command with these variables in its environment."""

    def __call__(self, *arguments: str, **environment: str) -> Running: ...


StartEcu = Callable[..., str]
"""Starts a simulated ECU with these arguments; gives its address."""

ReplayRaw = Callable[..., str]
"""Starts an ECU that serves these replies; gives its address."""


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[Running]:
    """A command that is ended with the context."""
    with TemporaryDirectory() as folder:
        output_file = Path(folder, "output")
        with output_file.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_environment(environment),
            )
        try:
            yield Running(process, output_file)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()
                process.wait()


def run(
    *arguments: str, stdout: int = subprocess.PIPE, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """A command run to its end in the working directory."""
    return subprocess.run(  # noqa: S603 - our own command
        [COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=_environment(environment),
        check=False,
    )


def _environment(extra: dict[str, str]) -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("APS_")}
    return {**inherited, "TZ": "UTC", "PYTHONDEVMODE": "1", **extra}


def get(address: str, path: str) -> tuple[int, str]:
    """Status and body of an HTTP answer."""
    connection = HTTPConnection(address, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def connect(address: str) -> socket.socket:
    """A connection to what listens there."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE_SECONDS)


def status_of(*arguments: str) -> object:
    """The exit status of a command that ends by itself, run in this very process."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code
