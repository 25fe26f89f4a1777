"""`serve` and its state directory, as separate processes."""

import json
import re
import signal
import time
from pathlib import Path

import pytest

from tests.cli.console import PATIENCE_SECONDS, Running, Start, get

LIFETIME = r"aps_ecu_lifetime_energy_joules_total\{\S+ (\S+)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def _serve(start: Start, ecu: str, folder: Path) -> Running:
    return start(
        *("serve", ecu, "--web.listen-address", "127.0.0.1:0"),
        APS_STATE_DIR=str(folder),
        APS_ECU_PAUSE="0",
    )


def _lifetime(exporter: Running) -> float:
    found = re.search(LIFETIME, get(exporter.address, "/metrics")[1])
    assert found is not None
    return float(found[1])


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_state_is_there_after_the_first_round_and_at_the_end(
    start: Start, ecu: str, folder: Path
) -> None:
    exporter = _serve(start, ecu, folder)
    _lifetime(exporter)
    status, seconds = exporter.stop()
    assert (status, seconds < 3) == (0, True)
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    assert state["version"] == 1
    assert state["ecus"]["216000000001"]["last_seen"].keys() >= {"802000000001"}
    assert {path.name for path in folder.iterdir()} == {"asking", "lock", "state.json"}


def test_exporter_that_was_killed_goes_on_from_its_last_round(
    start: Start, ecu: str, folder: Path
) -> None:
    exporter = _serve(start, ecu, folder)
    before = _lifetime(exporter)
    _wait_for(folder / "state.json")
    exporter.process.send_signal(signal.SIGKILL)
    exporter.process.wait()
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    lifetime = state["ecus"]["216000000001"]["lifetime"]
    assert lifetime["joules"] == before
    lifetime["joules"] += 5_000_000_000  # what a counter has gained over a re-base
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    assert _lifetime(_serve(start, ecu, folder)) >= before + 5_000_000_000


def test_damaged_state_is_set_aside_and_the_exporter_runs(
    start: Start, ecu: str, folder: Path
) -> None:
    folder.mkdir()
    (folder / "state.json").write_bytes(b"\0" * 100)
    exporter = _serve(start, ecu, folder)
    assert _lifetime(exporter) > 0
    assert "the state file is damaged" in exporter.output
    assert len([*folder.glob("state.json.damaged-*")]) == 1


def test_folder_that_cannot_be_made_is_a_warning_and_the_exporter_runs(
    start: Start, ecu: str
) -> None:
    exporter = _serve(start, ecu, Path("/dev/null/state"))
    assert _lifetime(exporter) > 0
    (warning,) = [line for line in exporter.output.splitlines() if "level=warn" in line]
    assert "APS_STATE_DIR cannot be used" in warning
    assert "/dev/null/state: Not a directory" in warning


def test_second_exporter_on_the_same_folder_keeps_its_hands_off(
    start: Start, ecu: str, folder: Path
) -> None:
    _lifetime(_serve(start, ecu, folder))
    second = _serve(start, ecu, folder)
    assert _lifetime(second) > 0
    assert "another exporter uses it" in second.output


def test_demo_and_check_leave_no_state_behind(start: Start, ecu: str, folder: Path) -> None:
    demo = start("demo", "--web.listen-address", "127.0.0.1:0", APS_STATE_DIR=str(folder))
    _lifetime(demo)
    demo.stop()
    check = start("check", ecu, APS_STATE_DIR=str(folder))
    assert check.process.wait(20) == 0
    assert not folder.exists()
