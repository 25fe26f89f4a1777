"""Whose turn it is to ask ECUs: refreshes share it, a back-fill has it alone for each query.

It is a lock on a file, so it holds between processes, and ends with the one that has it.
"""

import fcntl
import logging
import math
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from aps_exporter.clock import Clock
from aps_exporter.errors import StateUnavailableError
from aps_exporter.lock_file import open_lock

logger = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS: Final = 15.0
"""How long a refresh may be held up; then it asks all the same."""

WAIT_TOLD_AFTER_SECONDS: Final = 30.0
"""A back-fill that waits for so long says so."""

POLL_SECONDS: Final = 0.1

_FILE: Final = "asking"

Turn = Callable[[], AbstractAsyncContextManager[None]]
"""A context in which one may ask."""


@asynccontextmanager
async def always() -> AsyncIterator[None]:
    """The turn of somebody who is alone."""
    yield


class Turns:
    """The turns of all who share a state folder."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._file = folder / _FILE
        self._clock = clock

    @asynccontextmanager
    async def of_refresh(self) -> AsyncIterator[None]:
        """Shared with other refreshes, after a wait of `LONGEST_WAIT_SECONDS` at most.

        Without a folder there is no back-fill, and nothing to wait for.
        """
        lock = self._lock_or_none()
        try:
            if lock is not None and not await self._is_shared_in_time(lock):
                logger.warning("a back-fill has not let go of the ECU in time; asking all the same")
            yield
        finally:
            if lock is not None:
                os.close(lock)

    @asynccontextmanager
    async def of_backfill(self) -> AsyncIterator[None]:
        """Alone; waits for refreshes under way, however long they take, and tells of a long wait.

        Raises:
            StateUnavailableError: there can be no lock in this folder.
        """
        lock = open_lock(self._file)
        try:
            if not await self._taken(lock, fcntl.LOCK_EX, WAIT_TOLD_AFTER_SECONDS):
                logger.warning(
                    "waiting for the exporter to end its refresh, or whoever else holds this lock",
                    extra={"file": str(self._file)},
                )
                await self._taken(lock, fcntl.LOCK_EX, math.inf)
            yield
        finally:
            os.close(lock)

    def _lock_or_none(self) -> int | None:
        try:
            return os.open(self._file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            return None

    async def _is_shared_in_time(self, lock: int) -> bool:
        try:
            return await self._taken(lock, fcntl.LOCK_SH, LONGEST_WAIT_SECONDS)
        except StateUnavailableError:  # a file system without locks has no back-fill either
            return True

    async def _taken(self, lock: int, operation: int, within: float) -> bool:
        until = self._clock.monotonic() + within
        while not self._is_taken(lock, operation):
            if self._clock.monotonic() >= until:
                return False
            await self._clock.sleep(POLL_SECONDS)
        return True

    def _is_taken(self, lock: int, operation: int) -> bool:
        try:
            fcntl.flock(lock, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StateUnavailableError(f"{self._file}: {error.strerror or error}") from error
        return True
