"""Runs the scaled exporter until it ends or is killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.integration.programs import own_environment
from tests.integration.scaled_exporter import SECONDS, SECONDS_FILE

LOG: Final = "log"
STATE: Final = "state"

_ROOT: Final = Path(__file__).parents[2]
_GIVE_UP_SECONDS: Final = 40.0


@dataclass(frozen=True, slots=True)
class Life:
    """One run of the exporter."""

    process: "subprocess.Popen[str]"
    folder: Path

    def address(self) -> str:
        """Where it listens, as soon as it says so."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rpartition(" ")[2].strip()

    def seconds(self) -> float:
        """What its clock last said, in seconds since it began."""
        seconds: float = SECONDS.unpack((self.folder / SECONDS_FILE).read_bytes())[0]
        return seconds

    def reach(self, seconds: float) -> None:
        """Wait until its clock says so much."""
        self._wait(lambda: self.seconds() >= seconds)

    def says(self, text: str) -> None:
        """Wait until this stands in its log."""
        self._wait(lambda: text in log_of(self.folder))

    def _wait(self, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while not is_there():
            assert time.monotonic() < deadline, log_of(self.folder)[-2_000:]
            assert self.process.poll() is None, log_of(self.folder)[-2_000:]
            time.sleep(0.005)


@contextmanager
def life(
    folder: Path, start: datetime, end: datetime, speed: float, settings: Mapping[str, str]
) -> Iterator[Life]:
    """An exporter whose clock runs from `start` to `end`; killed with the context.

    It lives in `folder`: its state, its log, its clock.
    """
    folder.mkdir(exist_ok=True)
    (folder / SECONDS_FILE).write_bytes(SECONDS.pack(0))
    command = [
        *(sys.executable, "-m", "tests.integration.scaled_exporter"),
        *(start.isoformat(), end.isoformat(), str(speed)),
    ]
    path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
    own = {"APS_STATE_DIR": str(folder / STATE), "APS_LOG_LEVEL": "debug", "PYTHONPATH": path}
    with (
        (folder / LOG).open("a", encoding="utf-8") as log,
        subprocess.Popen(  # noqa: S603 - a program of this repository's tests
            command,
            cwd=folder,
            env={**own_environment(), **own, **settings},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield Life(process, folder)
        finally:
            process.kill()


def log_of(folder: Path) -> str:
    """All that the lives in this folder have said."""
    return (folder / LOG).read_text(encoding="utf-8")
