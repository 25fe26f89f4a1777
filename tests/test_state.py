import asyncio
import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from aps_exporter.ecu_memory import EcuMemory, memories_from_json, memories_to_json
from aps_exporter.energy import EnergyDay, EnergyIntegral, EnergyMemory, EnergyReached
from aps_exporter.errors import StateUnavailableError
from aps_exporter.plausibility import LifetimeMemory
from aps_exporter.readings import LocalTime
from aps_exporter.round_time import RoundTimesMemory
from aps_exporter.schedule import ScheduleMemory
from aps_exporter.state import MOST_ECUS_REMEMBERED, State, StateFolder, open_state

ECU = "216200000001"
NOON = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
STAMP = LocalTime(datetime.fromisoformat("2026-06-01T14:00:00"))
REACHED = EnergyReached(NOON, 3_600_000, 1_234.5, 250.0)

WHOLE = EcuMemory(
    lifetime=LifetimeMemory(9_000, 5_000, NOON, (360, 720), "lifetime_fell"),
    energy=EnergyMemory(
        EnergyIntegral(1_234.5, NOON, 250.0),
        {"704000000001/1": EnergyIntegral(600.25, NOON, 125.0)},
        EnergyDay(date(2026, 6, 1), is_whole=True, midnight=REACHED, newest=REACHED),
    ),
    last_seen={"704000000001": NOON},
    round_times=RoundTimesMemory(7_200.0, STAMP, {STAMP: NOON}),
    schedule=ScheduleMemory(STAMP, NOON, NOON, (300.0, 301.5)),
)
WRITTEN = memories_to_json({ECU: WHOLE})


def test_whole_memory_survives_as_json() -> None:
    assert memories_from_json(WRITTEN) == {ECU: WHOLE}


def test_memory_of_an_ecu_just_met_survives_as_json() -> None:
    assert memories_from_json(memories_to_json({ECU: EcuMemory()})) == {ECU: EcuMemory()}


def test_json_names_its_version() -> None:
    assert json.loads(WRITTEN)["version"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 4_096,
        "null",
        "[]",
        "[" * 100_000,
        '{"version": 1}',
        '{"version": 1, "ecus": []}',
        '{"version": 1, "ecus": {"216200000001": 3}}',
        WRITTEN.replace('"version": 1', '"version": 2'),
        WRITTEN.replace("1234.5", "NaN"),
        WRITTEN.replace("1234.5", '"1234.5"'),
        WRITTEN.replace("1234.5", "true"),
        WRITTEN.replace('"is_whole": true', '"is_whole": 1'),
        WRITTEN.replace("+00:00", ""),
        WRITTEN.replace('"2026-06-01T14:00:00"', '"2026-06-01T14:00:00Z"'),
        WRITTEN.replace("lifetime_fell", "no_such_reason"),
        WRITTEN.replace('"lifetime"', '"no_such_field"'),
    ],
    ids=lambda text: text[:40],
)
def test_text_that_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        memories_from_json(text)


@pytest.mark.parametrize("length", range(0, len(WRITTEN), 37))
def test_json_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        memories_from_json(WRITTEN[:length])


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    folder, memories = open_state(tmp_path / "new" / "state")
    assert memories == {}
    folder.write({ECU: WHOLE})
    folder.close()
    folder, memories = open_state(tmp_path / "new" / "state")
    folder.close()
    assert memories == {ECU: WHOLE}


def test_damaged_file_is_set_aside_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "state.json"
    file.write_text('{"version": 1, "ec', encoding="utf-8")
    os.utime(file, (1_780_000_000, 1_780_000_000))
    folder, memories = open_state(tmp_path)
    folder.close()
    assert memories == {}
    (aside,) = tmp_path.glob("state.json.damaged-*")
    assert aside.name == "state.json.damaged-20260528T202640Z"
    assert aside.read_text(encoding="utf-8") == '{"version": 1, "ec'
    (record,) = caplog.records
    assert (record.levelno, record.__dict__["set_aside"]) == (logging.WARNING, str(aside))


def test_bytes_that_are_no_text_are_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(b"\xff\xfe\x00")
    folder, memories = open_state(tmp_path)
    folder.close()
    assert (memories, len([*tmp_path.glob("state.json.damaged-*")])) == ({}, 1)


def test_damaged_file_that_cannot_be_set_aside_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state.json").write_text("?", encoding="utf-8")

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(self), None, str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StateUnavailableError, match="Permission denied"):
        open_state(tmp_path)
    assert (tmp_path / "state.json").read_text(encoding="utf-8") == "?"


def test_file_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    with pytest.raises(StateUnavailableError, match=r"state\.json"):
        open_state(tmp_path)


@pytest.mark.parametrize("blocker", ["state", "state/lock/x"])
def test_folder_that_cannot_be_used_says_why(tmp_path: Path, blocker: str) -> None:
    if blocker == "state":
        (tmp_path / "state").write_text("a file", encoding="utf-8")
    else:
        (tmp_path / blocker).mkdir(parents=True)
    with pytest.raises(StateUnavailableError, match="state: "):
        open_state(tmp_path / "state")


def test_folder_belongs_to_one_exporter_at_a_time(tmp_path: Path) -> None:
    first, _ = open_state(tmp_path)
    with pytest.raises(StateUnavailableError, match="another exporter uses it"):
        open_state(tmp_path)
    first.close()
    open_state(tmp_path)[0].close()


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = open_state(tmp_path)
    folder.write({ECU: WHOLE})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateUnavailableError, match="No space left on device"):
        folder.write({})
    folder.close()
    folder, memories = open_state(tmp_path)
    folder.close()
    assert memories == {ECU: WHOLE}


def test_what_is_remembered_is_recalled() -> None:
    state = State({ECU: WHOLE})
    state.remember("216200000002", EcuMemory())
    assert state.recall(ECU) == WHOLE
    assert state.recall("216200000002") == EcuMemory()
    assert state.recall("216200000003") is None


def test_ecu_not_heard_for_the_longest_is_forgotten_first() -> None:
    state = State()
    for number in range(MOST_ECUS_REMEMBERED):
        state.remember(f"{number:012}", EcuMemory())
    state.remember(f"{0:012}", EcuMemory())
    state.remember("999999999999", EcuMemory())
    assert state.recall(f"{0:012}") is not None
    assert state.recall(f"{1:012}") is None


class Folder(StateFolder):
    """A folder that notes what is written, and can be full."""

    def __init__(self) -> None:
        self.written: list[Mapping[str, EcuMemory]] = []
        self.is_full = False

    def write(self, memories: Mapping[str, EcuMemory]) -> None:
        if self.is_full:
            raise StateUnavailableError("state.json: No space left on device")
        self.written.append(memories)


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.005)


async def test_every_change_is_written_and_nothing_without_one() -> None:
    state, folder = State(), Folder()
    writing = asyncio.create_task(state.keep_writing(folder))
    await _settle()
    assert folder.written == []
    for number in (1, 2):
        state.remember(f"{number:012}", EcuMemory())
        await _settle()
    writing.cancel()
    assert [len(memories) for memories in folder.written] == [1, 2]


async def test_full_disk_is_said_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    state, folder = State(), Folder()
    folder.is_full = True
    writing = asyncio.create_task(state.keep_writing(folder))
    state.remember(ECU, WHOLE)
    await _settle()
    (record,) = caplog.records
    assert "No space left on device" in record.getMessage()
    folder.is_full = False
    state.remember(ECU, WHOLE)
    await _settle()
    writing.cancel()
    assert folder.written == [{ECU: WHOLE}]
