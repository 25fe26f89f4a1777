"""What must survive a restart: one small file under `APS_STATE_DIR`, always replaced as a whole."""

import asyncio
import fcntl
import logging
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aps_exporter.ecu_memory import EcuMemory, memories_from_json, memories_to_json
from aps_exporter.errors import StateUnavailableError

logger = logging.getLogger(__name__)

MOST_ECUS_REMEMBERED: Final = 200
"""Beyond that the one not heard for the longest is forgotten: any peer can call itself an ECU."""

_FILE: Final = "state.json"
_LOCK: Final = "lock"


class State:
    """What is remembered of each ECU by its id, and when that was last changed."""

    def __init__(self, memories: Mapping[str, EcuMemory] | None = None) -> None:
        self._memories = dict(memories or {})
        self._changed = asyncio.Event()

    def recall(self, ecu: str) -> EcuMemory | None:
        """What is remembered of this ECU; None if it was never met."""
        return self._memories.get(ecu)

    def remember(self, ecu: str, memory: EcuMemory) -> None:
        """Remember this of an ECU, instead of what was remembered before."""
        self._memories.pop(ecu, None)
        self._memories[ecu] = memory
        if len(self._memories) > MOST_ECUS_REMEMBERED:
            del self._memories[next(iter(self._memories))]
        self._changed.set()

    async def keep_writing(self, folder: "StateFolder") -> None:
        """Write whatever is remembered, whenever it changes."""
        while True:
            await self._changed.wait()
            await self.write(folder)

    async def write(self, folder: "StateFolder") -> None:
        """Write all that is remembered, in a thread. What could not be written is said."""
        self._changed.clear()
        memories = dict(self._memories)
        try:
            await asyncio.to_thread(folder.write, memories)
        except StateUnavailableError as error:
            logger.warning("state not written; trying again at the next round: %s", error)


class StateFolder:
    """The folder the state lives in, locked against another exporter until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be, and lock it.

        Raises:
            StateUnavailableError: it cannot be made or written to, or another exporter has it.
        """
        self._file = folder / _FILE
        self._one_write = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unavailable(folder, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StateUnavailableError(f"{folder}: another exporter uses it") from error

    def read(self) -> dict[str, EcuMemory]:
        """What was written last, by ECU id; a damaged file is set aside, and a warning says so.

        Raises:
            StateUnavailableError: there is a file that cannot be read.
        """
        try:
            return memories_from_json(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unavailable(self._file, error) from error
        except ValueError as error:
            self._set_aside(error)
            return {}

    def _set_aside(self, damage: ValueError) -> None:
        try:
            written = datetime.fromtimestamp(self._file.stat().st_mtime, UTC)
            aside = self._file.with_name(f"{_FILE}.damaged-{written:%Y%m%dT%H%M%SZ}")
            self._file.replace(aside)
        except OSError as error:
            raise _unavailable(self._file, error) from error
        logger.warning(
            "the state file is damaged; it is set aside, and counters start anew",
            extra={"set_aside": str(aside), "detail": str(damage)},
        )

    def write(self, memories: Mapping[str, EcuMemory]) -> None:
        """Replace the file: whatever happens meanwhile, either the old or the new one is there.

        Raises:
            StateUnavailableError: the old one stays.
        """
        fresh = self._file.with_name(f"{_FILE}.new")
        try:
            with self._one_write, fresh.open("w", encoding="utf-8") as file:
                file.write(memories_to_json(memories))
                file.flush()
                os.fsync(file.fileno())
                fresh.replace(self._file)
        except OSError as error:
            raise _unavailable(self._file, error) from error

    def close(self) -> None:
        """Let another exporter have it."""
        os.close(self._lock)


def remembered(folder: Path) -> dict[str, EcuMemory]:
    """What was written last, by ECU id, without a lock and without changing anything.

    Raises:
        StateUnavailableError: there is a file that cannot be read.
    """
    file = folder / _FILE
    try:
        return memories_from_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unavailable(file, error) from error
    except ValueError as error:
        logger.warning("the state file is damaged; nothing is recalled: %s", error)
        return {}


def open_state(folder: Path) -> tuple[StateFolder, dict[str, EcuMemory]]:
    """The folder, opened, and what is in it.

    Raises:
        StateUnavailableError: it cannot be used.
    """
    opened = StateFolder(folder)
    try:
        return opened, opened.read()
    except StateUnavailableError:
        opened.close()
        raise


def _unavailable(path: Path, error: OSError) -> StateUnavailableError:
    return StateUnavailableError(f"{path}: {error.strerror or error}")
