"""Files that are there whole or not at all, and replace no other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from aps_exporter.errors import ConfigError


@contextmanager
def new_file(flag: str, path: Path) -> Iterator[TextIO]:
    """A text file to write, at `path` once the context ends well; `flag` asked for it.

    Raises:
        ConfigError: it exists already, or cannot be written.
    """
    refuse_existing(flag, path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with told_when_not_written(flag, path):
        file = partial.open("x", encoding="utf-8", newline="\n")
    try:
        yield file
        with told_when_not_written(flag, path):
            file.close()
            refuse_existing(flag, path)
            partial.rename(path)
    finally:
        with suppress(OSError):  # a full disk was told of above
            file.close()
        partial.unlink(missing_ok=True)


@contextmanager
def told_when_not_written(flag: str, path: Path | str) -> Iterator[None]:
    """Where a disk fails, say which file is not written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{flag}={path}: cannot be written: {error.strerror or error}") from error


def refuse_existing(flag: str, path: Path) -> None:
    """Leave to its owner what has this name.

    Raises:
        ConfigError: something has.
    """
    if os.path.lexists(path):
        raise ConfigError(f"{flag}={path}: exists already; choose another name, or remove it")
