"""How far a long job is, on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(total: float, unit: str) -> Iterator[Callable[[float], None]]:
    """A bar that what it gives advances by this many units; nothing where there is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    # Here, so that only a long job in front of somebody pays for it.
    from tqdm import tqdm  # noqa: PLC0415
    from tqdm.contrib.logging import logging_redirect_tqdm  # noqa: PLC0415

    tqdm.monitor_interval = 0  # no thread of its own: what is worth a bar advances often

    def advance(by: float) -> None:
        bar.update(by)

    # What is logged meanwhile gets lines of its own.
    with logging_redirect_tqdm(), tqdm(total=total, unit=f" {unit}", file=sys.stderr) as bar:
        yield advance
