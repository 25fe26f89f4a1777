"""Runs the `backfill` command: in this process by a clock that runs fast, or as a user does."""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final
from unittest.mock import patch

from aps_exporter.cli import main
from aps_exporter.clock import Clock
from tests.integration.databases import SECRET, Database
from tests.integration.programs import EXPORTER, own_environment

_PATIENCE_SECONDS: Final = 40.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to."""

    status: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert SECRET not in self.out + self.err
        assert "Traceback" not in self.err, self.err

    @property
    def summary(self) -> tuple[int, int, int]:
        """Days, points written, points present."""
        found = re.search(
            r"^(\d+) days: (\d+) points written, (\d+) present\.$", self.out, re.MULTILINE
        )
        assert found, self
        return int(found[1]), int(found[2]), int(found[3])


def settings_for(database: Database, state: Path) -> dict[str, str]:
    """How exporter and back-fill write to this database."""
    return {
        **database.settings,
        "APS_INFLUXDB_URL": f"http://{database.address}",
        "APS_STATE_DIR": str(state),
    }


def fast_backfill(clock: Clock, *arguments: str, environment: Mapping[str, str]) -> Ended:
    """The command, by this clock."""
    out, err = StringIO(), StringIO()
    with (
        patch("aps_exporter.cli.backfill.RealClock", return_value=clock),
        patch.dict(os.environ, own_environment() | dict(environment), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        status = main(["backfill", *arguments])
    return Ended(status, out.getvalue(), err.getvalue())


@dataclass(frozen=True, slots=True)
class RealBackfill:
    """The command as a user runs it, at its own pace."""

    process: "subprocess.Popen[str]"
    out: Path
    err: Path

    def wait_for_days(self, count: int) -> None:
        """Until it has said of so many days that they are done."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while len(self.out.read_text(encoding="utf-8").splitlines()) < count:
            assert time.monotonic() < deadline, self.err.read_text(encoding="utf-8")
            assert self.process.poll() is None, self.err.read_text(encoding="utf-8")
            time.sleep(0.01)

    def ended(self) -> Ended:
        """What it came to, as soon as it ends."""
        status = self.process.wait(_PATIENCE_SECONDS)
        return Ended(
            status, self.out.read_text(encoding="utf-8"), self.err.read_text(encoding="utf-8")
        )


@contextmanager
def real_backfill(
    *arguments: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[RealBackfill]:
    """The command, killed with the context; what it says goes to files in `folder`."""
    folder.mkdir()
    out, err = folder / "out", folder / "err"
    with (
        out.open("wb") as to_out,
        err.open("wb") as to_err,
        subprocess.Popen(  # noqa: S603 - our own command
            [EXPORTER, "backfill", *arguments],
            env=own_environment() | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=to_out,
            stderr=to_err,
            text=True,
        ) as process,
    ):
        try:
            yield RealBackfill(process, out, err)
        finally:
            process.kill()
