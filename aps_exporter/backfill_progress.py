"""How far a back-fill has come: a file of JSON lines, one a day, that the next run goes on from."""

import fcntl
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from aps_exporter.errors import ConfigError, StateUnavailableError
from aps_exporter.history import DayPoints, PowerPoint
from aps_exporter.lock_file import open_lock

logger = logging.getLogger(__name__)

VERSION: Final = 1

_LOCK: Final = "backfill.lock"

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class BackfillTask:
    """What is to be filled.

    Attributes:
        destination: its name, without secrets.
        last: None by default.
        times: the zone or offset by which the ECU's times are reckoned.
    """

    ecu: str
    destination: str
    first: date
    last: date | None
    times: str


@dataclass(frozen=True, slots=True)
class DayDone:
    """One day and what came of it; a point of power counts as one, so does the day's energy.

    Attributes:
        energy_joules: what the day made, written or present; None where it is not known.
        kept: what was written, for a destination that is made at the end; else None.
        is_left_out: the ECU does not answer for this day, though for others.
    """

    day: date
    written: int
    present: int
    refused: int
    energy_joules: float | None
    kept: DayPoints | None = None
    is_left_out: bool = False


class BackfillFolder:
    """The state folder, locked against a second back-fill until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be, and lock it.

        Raises:
            StateUnavailableError: it cannot be made, or not be written to.
            ConfigError: another back-fill has it.
        """
        self._folder = folder
        self._lock = open_lock(folder / _LOCK)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise ConfigError(
                f"APS_STATE_DIR={folder}: another back-fill is at work; wait until it has ended"
            ) from error

    def progress(self, task: BackfillTask) -> "BackfillProgress":
        """How far this very task has come, be it nowhere; what was known of another is forgotten.

        Raises:
            StateUnavailableError: the file cannot be read or written.
        """
        return BackfillProgress(self._folder / f"backfill-{task.ecu}.jsonl", task)

    def close(self) -> None:
        """Let another back-fill have it."""
        os.close(self._lock)


class BackfillProgress:
    """The days of one task that are done; each is on disk before `add` returns."""

    def __init__(self, file: Path, task: BackfillTask) -> None:
        self._file = file
        self._task = task
        self.done: Sequence[DayDone] = _on_disk(file, self._read)
        """What earlier runs have done."""
        self._is_begun = bool(self.done)

    def add(self, day: DayDone) -> None:
        """One more day is done.

        Raises:
            StateUnavailableError: that cannot be written.
        """
        if not self._is_begun:
            _on_disk(self._file, lambda: self._rewrite([]))
            self._is_begun = True
        _on_disk(self._file, lambda: self._append(day))

    def remove(self) -> None:
        """The task is done.

        Raises:
            StateUnavailableError: the file cannot be removed.
        """
        _on_disk(self._file, lambda: self._file.unlink(missing_ok=True))

    def _read(self) -> list[DayDone]:
        try:
            head, *lines = self._file.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return []
        except UnicodeDecodeError as error:
            return self._damaged(error)
        try:
            if json.loads(head) != _head(self._task):
                return []
            *whole, cut = lines
            done = [_day_from_json(line) for line in whole]
        except (ValueError, LookupError, TypeError) as error:
            return self._damaged(error)
        if cut and done:
            self._rewrite(done)
        return done

    def _damaged(self, error: Exception) -> list[DayDone]:
        logger.warning(
            "the file of how far the back-fill has come is damaged; it starts anew",
            extra={"file": str(self._file), "detail": str(error)},
        )
        return []

    def _rewrite(self, done: list[DayDone]) -> None:
        fresh = self._file.with_name(f"{self._file.name}.new")
        forms = (_head(self._task), *map(_day_to_json, done))
        with fresh.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(form)}\n" for form in forms)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)

    def _append(self, day: DayDone) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(_day_to_json(day))}\n")
            file.flush()
            os.fsync(file.fileno())


def _on_disk(path: Path, work: Callable[[], _Result]) -> _Result:
    try:
        return work()
    except OSError as error:
        raise StateUnavailableError(f"{path}: {error.strerror or error}") from error


def _head(task: BackfillTask) -> dict[str, Any]:
    return {
        "version": VERSION,
        "ecu": task.ecu,
        "destination": task.destination,
        "from": task.first.isoformat(),
        "to": None if task.last is None else task.last.isoformat(),
        "times": task.times,
    }


def _day_to_json(done: DayDone) -> dict[str, Any]:
    form = {
        "day": done.day.isoformat(),
        "written": done.written,
        "present": done.present,
        "refused": done.refused,
        "energy_joules": done.energy_joules,
    }
    if done.is_left_out:
        form["is_left_out"] = True
    if done.kept is not None:
        form["kept_power"] = [[point.at.timestamp(), point.watts] for point in done.kept.power]
        form["kept_energy_joules"] = done.kept.energy_joules
    return form


def _day_from_json(line: str) -> DayDone:
    form = json.loads(line)
    kept = None
    if "kept_power" in form:
        power = tuple(
            PowerPoint(datetime.fromtimestamp(seconds, UTC), watts)
            for seconds, watts in form["kept_power"]
        )
        kept = DayPoints(power, form["kept_energy_joules"])
    return DayDone(
        date.fromisoformat(form["day"]),
        int(form["written"]),
        int(form["present"]),
        int(form["refused"]),
        form["energy_joules"],
        kept,
        bool(form.get("is_left_out")),
    )
