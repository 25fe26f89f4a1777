"""Files to be locked, made by whichever user."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from aps_exporter.errors import StateUnavailableError
from aps_exporter.lock_file import open_lock

NOBODY = 65_534


@pytest.fixture
def file() -> Iterator[Path]:
    """In a folder that every user may look into."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder, "asking")


@contextmanager
def _as_ordinary_user() -> Iterator[None]:
    """Root may write whatever the mode of a file."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_lock_can_be_read_by_every_user(file: Path) -> None:
    before = os.umask(0o022)
    try:
        os.close(open_lock(file))
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o644


def test_lock_that_another_user_made_can_be_had_alone(file: Path) -> None:
    file.touch()
    file.chmod(0o444)
    with _as_ordinary_user():
        lock = open_lock(file)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)


def test_lock_that_may_not_be_opened_is_named(file: Path) -> None:
    file.touch()
    file.chmod(0)
    with _as_ordinary_user(), pytest.raises(StateUnavailableError, match="asking: Permission den"):
        open_lock(file)
