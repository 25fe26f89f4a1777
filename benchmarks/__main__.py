"""Prints how fast and big the exporter is, and how fresh its numbers: `python -m benchmarks`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import freshness, parts, peer, pushing, serving, starting
from benchmarks.figures import table


def main() -> None:
    """Measure everything, then print one table."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        found = [
            *serving.figures(folder),
            *starting.figures(folder),
            *parts.figures(),
            *pushing.figures(folder),
            *peer.figures(folder),
            *freshness.figures(),
        ]
    sys.stdout.writelines(f"{line}\n" for line in table(found))


if __name__ == "__main__":
    main()
