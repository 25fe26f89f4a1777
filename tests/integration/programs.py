"""Programs run for a test: started, waited for until they say where they listen, and ended."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CAPTURE_FILE: Final = Path(__file__).parents[1] / "captures" / "ecu-8899.json"

EXPORTER: Final = str(Path(sys.executable).with_name("aps-exporter"))
ANY_PORT: Final = "127.0.0.1:0"
SAYS_SIMULATOR: Final = r"Simulated .* on (\S+:\d+)\. "
SAYSEXPORTER: Final = r"msg=listening address=(\S+) "
SAYS_DEMO: Final = r"page +http://(\S+)/\n"

_STARTS_WITHIN_SECONDS: Final = 20.0
_ENDS_WITHIN_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Program:
    """A running program, and the host:port it listens on."""

    pid: int
    address: str


@contextmanager
def running(
    *command: str,
    says: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    ends_on: signal.Signals = signal.SIGTERM,
) -> Iterator[Program]:
    """A program whose output has an address where the expression `says` has its group.

    It runs in `folder`, its output goes to a file there, and it must end well when told to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{Path(command[0]).name}.{len(list(folder.iterdir()))}.log"
    with (
        output.open("wb") as log,
        subprocess.Popen(  # noqa: S603 - a command of this repository's tests
            command,
            cwd=folder,
            env=own_environment() | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield Program(process.pid, _address(process, output, says))
        except BaseException:
            process.kill()
            raise
        process.send_signal(ends_on)
        try:
            status = process.wait(_ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert status == 0, output.read_text(encoding="utf-8")


@contextmanager
def running_exporter(
    target: str, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """`serve` for one ECU, which it asks without pauses."""
    with running(
        EXPORTER,
        "serve",
        target,
        f"--web.listen-address={ANY_PORT}",
        says=SAYSEXPORTER,
        folder=folder,
        environment={"APS_ECU_PAUSE": "0", **(environment or {})},
    ) as exporter:
        yield exporter


@contextmanager
def running_demo(folder: Path, *flags: str) -> Iterator[Program]:
    """`demo`, which asks its ECU without pauses."""
    with running(
        EXPORTER,
        "demo",
        f"--web.listen-address={ANY_PORT}",
        *flags,
        says=SAYS_DEMO,
        folder=folder,
        environment={"APS_ECU_PAUSE": "0"},
    ) as demo:
        yield demo


@contextmanager
def running_simulator(folder: Path, *flags: str) -> Iterator[Program]:
    """`simulate` with these flags."""
    with running(
        EXPORTER, "simulate", "--listen", ANY_PORT, *flags, says=SAYS_SIMULATOR, folder=folder
    ) as simulator:
        yield simulator


@contextmanager
def running_replay(captures: str, folder: Path) -> Iterator[Program]:
    """An exporter on a simulated ECU that replays the captures whose names match this glob."""
    flags = ("--replay", str(CAPTURE_FILE), "--only", captures)
    with (
        running_simulator(folder, *flags) as ecu,
        running_exporter(ecu.address, folder, {"APS_TIMEZONE": "Europe/Amsterdam"}) as exporter,
    ):
        yield exporter


def own_environment() -> dict[str, str]:
    """This process's environment, without settings of the exporter."""
    return {name: value for name, value in os.environ.items() if not name.startswith("APS_")}


def _address(process: subprocess.Popen[bytes], output: Path, says: str) -> str:
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        said = output.read_text(encoding="utf-8")
        if found := re.search(says, said):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} does not say {says!r}:\n{said}")
