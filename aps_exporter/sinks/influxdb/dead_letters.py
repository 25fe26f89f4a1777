"""A file for points that the database refuses for good: somebody may want to look at them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from aps_exporter.errors import SpoolUnavailableError
from aps_exporter.sinks.influxdb.delivery import RefusedLine

FILE: Final = "influxdb-refused.lp"
MOST_BYTES: Final = 16 * 2**20


class DeadLetters:
    """Line protocol, each line below a comment that says why it was refused."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def add(self, refused: Iterable[RefusedLine]) -> None:
        """Set these aside; a file grown too large begins anew, the one before stays beside it.

        Raises:
            SpoolUnavailableError: they cannot be set aside now.
        """
        try:
            if self.path.exists() and self.path.stat().st_size > MOST_BYTES:
                self.path.replace(self.path.with_suffix(".lp.old"))
            with self.path.open("a", encoding="utf-8") as file:
                for letter in refused:
                    file.write(f"# {letter.why}\n{letter.line}\n")
                file.flush()
                os.fsync(file.fileno())  # the spool is about to forget them
        except OSError as error:
            raise SpoolUnavailableError(f"{self.path}: {error.strerror or error}") from error
