"""How far a back-fill has come, on disk."""

import logging
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from aps_exporter.backfill_progress import BackfillFolder, BackfillTask, DayDone
from aps_exporter.errors import StateUnavailableError
from aps_exporter.history import DayPoints, PowerPoint

MAY = BackfillTask("216200000001", "db", date(2026, 5, 1), date(2026, 5, 31), "UTC")
NOON = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
FIRST = DayDone(date(2026, 5, 1), 112, 3, 1, 30_240_000)
SECOND = DayDone(
    date(2026, 5, 2), 2, 0, 0, None, DayPoints((PowerPoint(NOON, 600),), energy_joules=36_000.5)
)


def _written(folder: Path) -> Path:
    """A file with both days."""
    opened = BackfillFolder(folder)
    progress = opened.progress(MAY)
    progress.add(FIRST)
    progress.add(SECOND)
    opened.close()
    return folder / "backfill-216200000001.jsonl"


def _read(folder: Path, task: BackfillTask = MAY) -> list[DayDone]:
    opened = BackfillFolder(folder)
    try:
        return [*opened.progress(task).done]
    finally:
        opened.close()


def test_days_come_back_as_they_were(tmp_path: Path) -> None:
    _written(tmp_path)
    assert _read(tmp_path) == [FIRST, SECOND]


@pytest.mark.parametrize("cut", [1, 10, 50])
def test_day_that_was_cut_off_while_it_was_written_is_not_done(tmp_path: Path, cut: int) -> None:
    file = _written(tmp_path)
    file.write_bytes(file.read_bytes()[:-cut])
    assert _read(tmp_path) == [FIRST]
    opened = BackfillFolder(tmp_path)
    opened.progress(MAY).add(SECOND)
    opened.close()
    assert _read(tmp_path) == [FIRST, SECOND]


@pytest.mark.parametrize(
    "damage", [b"", b"\n", b"[]", b"no JSON\n", b"\xff\xfe\n", b"[1, 2]\n{}\n", b'{"version": 1}\n']
)
def test_file_that_is_none_of_ours_starts_anew(tmp_path: Path, damage: bytes) -> None:
    _written(tmp_path).write_bytes(damage)
    assert _read(tmp_path) == []
    _written(tmp_path)
    assert _read(tmp_path) == [FIRST, SECOND]


def test_damaged_day_starts_anew_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = _written(tmp_path)
    file.write_bytes(file.read_bytes().replace(b'"written": 112', b'"wrote": 112'))
    with caplog.at_level(logging.WARNING):
        assert _read(tmp_path) == []
    assert "is damaged; it starts anew" in caplog.text


@pytest.mark.parametrize(
    "other",
    [
        BackfillTask("216200000001", "other db", MAY.first, MAY.last, "UTC"),
        BackfillTask("216200000001", "db", date(2026, 4, 30), MAY.last, "UTC"),
        BackfillTask("216200000001", "db", MAY.first, None, "UTC"),
        BackfillTask("216200000002", "db", MAY.first, MAY.last, "UTC"),
        BackfillTask("216200000001", "db", MAY.first, MAY.last, "Europe/Berlin"),
    ],
)
def test_what_is_known_of_another_task_does_not_count(tmp_path: Path, other: BackfillTask) -> None:
    _written(tmp_path)
    assert _read(tmp_path, other) == []


def test_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StateUnavailableError, match="File exists"):
        BackfillFolder(tmp_path / "state")
