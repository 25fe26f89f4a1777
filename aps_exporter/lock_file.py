"""Files that are there to be locked, by whichever user of the machine."""

import os
from pathlib import Path

from aps_exporter.errors import StateUnavailableError


def open_lock(file: Path) -> int:
    """A descriptor of this file, which is made where there is none, and its folder with it.

    Raises:
        StateUnavailableError: neither made nor opened.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateUnavailableError(f"{file.parent}: {error.strerror or error}") from error
    try:
        return _opened(file)
    except OSError as error:
        raise StateUnavailableError(f"{file}: {error.strerror or error}") from error


def _opened(file: Path) -> int:
    flags = os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(file, os.O_RDWR | flags, 0o644)  # NFS wants to write where one has it alone
    except PermissionError:  # made by another user; elsewhere to read it is enough
        return os.open(file, os.O_RDONLY | flags, 0o644)
