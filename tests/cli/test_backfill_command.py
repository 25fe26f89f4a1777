"""`backfill` as a user runs it: what it says, where it ends, and what is at fault."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from aps_exporter.ecu_memory import EcuMemory, memories_to_json
from aps_exporter.round_time import RoundTimesMemory
from aps_exporter.sinks.openmetrics import SampleHistory
from tests.cli.console import TRACEBACK, Start, StartEcu, run, running, status_of
from tests.cli.listeners import listening
from tests.integration.backfilling import Ended, fast_backfill
from tests.integration.remembering import RememberingEcu, fast_clock

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()
TOMORROW = YESTERDAY + timedelta(days=2)
FROM = f"--from={YESTERDAY}"
TO = f"--to={YESTERDAY}"
SECRET = "kT7-never-to-be-seen"  # noqa: S105 - planted, to be looked for

InProcess = Callable[..., tuple[object, str, str]]
"""Runs a command; gives its exit status, standard output and standard error."""


def backfill(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    ended = run("backfill", *arguments, stdout=subprocess.PIPE, APS_TIMEZONE="UTC", **environment)
    assert TRACEBACK not in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr
    return ended


@pytest.fixture
def without_pauses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> InProcess:
    """Runs the command in this very process, where failed queries are tried again at once."""

    def ended(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr("aps_exporter.ecu_history.RETRY_PAUSES", (0.0, 0.0))
        status = status_of("backfill", *arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return ended


FILE = "--openmetrics=history.om"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ([], "the following arguments are required: HOST[:PORT], --from"),
        (["127.0.0.1:1"], "the following arguments are required: --from"),
        (["127.0.0.1:1", FROM], "set APS_INFLUXDB_URL, or give --openmetrics FILE"),
        (["127.0.0.1:1", "--from=3.10.2026", FILE], "--from=3.10.2026: expected a date such as"),
        (["127.0.0.1:1", FROM, "--to=soon", FILE], "--to=soon: expected a date such as 2026-10-03"),
        (["127.0.0.1:1", FROM, f"--to={TOMORROW}", FILE], f"--to={TOMORROW}: expected today, "),
        (["127.0.0.1:1", FROM, "--to=2020-01-01", FILE], "expected --to=2020-01-01, or a day bef"),
        (["127.0.0.1:1", f"--from={TOMORROW}", FILE], f"expected yesterday, {YESTERDAY}, or a day"),
        (["127.0.0.1:1", "--from=2010-01-01", FILE], "expected a day within ten years before"),
        (["a b", FROM, FILE], "a b: expected HOST or HOST:PORT"),
        (["127.0.0.1:1", FROM, "--label=job=a"], "--label: does nothing without --openmetrics"),
        (["127.0.0.1:1", FROM, "--prometheus=http://h"], "--prometheus: does nothing without"),
        (["127.0.0.1:1", FROM, FILE, "--label=job"], "--label=job: expected NAME=VALUE, such as"),
        (["127.0.0.1:1", FROM, FILE, "--label=job=a", "--label=job=b"], "job has a value already"),
        (["127.0.0.1:1", FROM, FILE, "--label=__a=b"], "--label: expected a label name of letters"),
        (["127.0.0.1:1", FROM, FILE, "--label=ecu=1"], "=ecu=1: the exporter's own metrics have"),
        (["127.0.0.1:1", FROM, FILE, "--label=job="], "--label=job=: expected NAME=VALUE, such as"),
        (
            ["127.0.0.1:1", FROM, FILE, "--label=job=\udce9"],
            "--label: expected a value of job in U",
        ),
        (["127.0.0.1:1", FROM, FILE, f"--prometheus=http://u:{SECRET}@h"], "--prometheus: expect"),
        (["127.0.0.1:1", FROM, "--openmetrics=there.om"], "there.om: exists already; choose anoth"),
        (
            ["127.0.0.1:1", FROM, "--openmetrics=no/where.om"],
            "expected a name in a folder to write",
        ),
    ],
)
def test_bad_input_is_told_and_nothing_asked(arguments: list[str], fault: str) -> None:
    Path("there.om").write_text("mine", encoding="utf-8")
    ended = backfill(*arguments)
    assert ended.returncode == 2
    assert fault in ended.stderr
    assert "Asking" not in ended.stderr
    assert ended.stdout == ""
    assert Path("there.om").read_text(encoding="utf-8") == "mine"


def test_state_folder_that_cannot_be_used_is_told() -> None:
    Path("state").write_text("no folder", encoding="utf-8")
    ended = backfill("127.0.0.1:1", FROM, FILE, APS_STATE_DIR="state")
    assert ended.returncode == 2
    assert "APS_STATE_DIR=state: expected a folder to write to" in ended.stderr


@pytest.fixture(scope="module")
def remembering() -> Iterator[str]:
    """The address of a simulated ECU whose sun stands where the clock says."""
    with running("simulate", "--listen=127.0.0.1:0", "--real-sun", "--inverters=ds3:1") as ecu:
        yield ecu.address


def test_file_for_prometheus_has_the_days_asked_for(remembering: str) -> None:
    ended = backfill(remembering, FROM, TO, FILE, "--label=job=aps", "--label=instance=x:1")
    assert ended.returncode == 0, ended.stderr
    day, summary, saved = ended.stdout.splitlines()
    written = int(day.split()[1])
    assert day.startswith(f"{YESTERDAY}  {written} points written, 0 present, ")
    assert day.endswith(" kWh")
    assert summary == f"1 days: {written} points written, 0 present."
    assert saved == "Saved in history.om."
    lines = Path("history.om").read_text(encoding="utf-8").splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert lines[-1] == "# EOF"
    assert len(samples) == written
    assert all('job="aps",instance="x:1"' in line for line in samples)
    last_minute = datetime.combine(YESTERDAY, datetime.min.time(), UTC) + timedelta(minutes=1_439)
    assert samples[-1].startswith("aps_ecu_day_energy_joules{")
    assert samples[-1].endswith(f" {int(last_minute.timestamp())}")
    assert [path.name for path in Path("aps-exporter-state").glob("*.jsonl")] == []


def _state_with_offset(ecu: str, seconds: int) -> str:
    """A state folder of an exporter that has found this offset to fit the ECU's clock."""
    memory = EcuMemory(round_times=RoundTimesMemory(seconds))
    folder = Path("state")
    folder.mkdir()
    (folder / "state.json").write_text(memories_to_json({ecu: memory}), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Europe/Berlin", "Times: Europe/Berlin (APS_TIMEZONE)."),
        ("", "Times: UTC+02:00, as the exporter found; it has no summer time, set APS_TIMEZONE."),
    ],
)
def test_what_the_times_are_reckoned_by_is_told(remembering: str, zone: str, told: str) -> None:
    state = _state_with_offset("216000000001", 7_200)
    dry = (FROM, FILE, "--dry-run")
    ended = run("backfill", remembering, *dry, APS_TIMEZONE=zone, APS_STATE_DIR=state)
    assert told in ended.stderr.splitlines()


def test_zone_that_the_ecu_says_or_the_host_has_is_told(
    simulate: StartEcu, without_pauses: InProcess
) -> None:
    dry = (FROM, FILE, "--dry-run")
    _, _, err = without_pauses(simulate("--model=ecu-r-pro"), *dry)
    assert "Times: Europe/Amsterdam (as the ECU says)." in err.splitlines()
    _, _, err = without_pauses(simulate("--model=ecu-r"), *dry)
    assert "Times: this host's zone; the ECU does not know its own, set APS_TIMEZONE if it" in err


def test_file_that_another_has_made_meanwhile_is_left_to_it() -> None:
    file, beside = Path("history.om"), Path("history.om.new")
    beside.write_text("mine too", encoding="utf-8")
    clock = fast_clock()
    command = ("--from=2026-11-17", "--to=2026-11-19", FILE)
    with RememberingEcu(clock).served() as ecu:

        def ended() -> Ended:
            state = {"APS_STATE_DIR": "state"}
            return fast_backfill(clock, ecu.address, *command, environment=state)

        with patch.object(SampleHistory, "add", side_effect=lambda *_: file.write_text("mine")):
            refused = ended()
        assert refused.status == 2
        assert "history.om: exists already; choose another name, or remove it" in refused.err
        assert "what was read is kept: then run the same command again" in refused.err
        assert (file.read_text(), beside.read_text()) == ("mine", "mine too")
        file.unlink()
        again = ended()
    assert again.status == 0
    assert "Going on at 2026-11-20" in again.err
    assert file.read_text(encoding="utf-8").endswith("# EOF\n")
    assert sorted(path.name for path in Path().iterdir()) == ["history.om", beside.name, "state"]


def test_dry_run_tells_and_writes_nothing(remembering: str) -> None:
    ended = backfill(remembering, FROM, FILE, "--dry-run")
    assert ended.returncode == 0
    assert " points to write, 0 present" in ended.stdout
    assert "Times: UTC (APS_TIMEZONE)." in ended.stderr
    assert "Saved" not in ended.stdout
    assert not Path("history.om").exists()
    # The lock of turns with the exporter, and no more.
    assert [path.name for path in Path("aps-exporter-state").iterdir()] == ["asking"]


def test_ecu_without_its_lists_is_told_at_the_end(
    simulate: StartEcu, without_pauses: InProcess
) -> None:
    ecu = simulate("--real-sun", "--inverters=ds3:1", "--fault=no-energy-lists")
    status, out, err = without_pauses(ecu, FROM, FILE)
    assert status == 3
    assert "does not answer for its energies by day" in err
    assert "Saved in history.om." in out


def test_day_that_is_not_answered_is_left_out_and_told() -> None:
    clock = fast_clock()
    with RememberingEcu(clock).served() as ecu:
        ecu.lost.add(date(2026, 11, 18))
        ended = fast_backfill(
            clock,
            *(ecu.address, "--from=2026-11-17", "--to=2026-11-19", FILE),
            environment={"APS_STATE_DIR": "state"},
        )
    assert ended.status == 1
    days = [line.partition("  ") for line in ended.out.splitlines()[:3]]
    assert [day for day, *_ in days] == ["2026-11-17", "2026-11-18", "2026-11-19"]
    assert days[1][2] == "left out: the ECU does not answer for this day, though for others"
    assert ended.err.splitlines()[-1] == (
        "Left out, as the ECU does not answer for them, though for other days: 2026-11-18."
    )
    assert Path("history.om").exists()


def test_ecu_without_history_is_told_in_one_line(
    simulate: StartEcu, without_pauses: InProcess
) -> None:
    status, _, err = without_pauses(simulate("--fault=no-history"), FROM, FILE)
    assert status == 3
    last = err.splitlines()[-1]
    assert last.startswith("This ECU does not answer for its history, though it answers otherwise")
    assert last.endswith("Nothing was written.")
    assert not Path("history.om").exists()


def test_interrupt_says_that_the_same_command_goes_on(remembering: str, start: Start) -> None:
    state = str(Path("state").absolute())
    first = YESTERDAY - timedelta(days=9)
    command = ("backfill", remembering, f"--from={first}", f"--openmetrics={state}.om")
    going = start(*command, APS_STATE_DIR=state, APS_TIMEZONE="UTC")
    going.wait_for(rf"({first})  ")
    status, seconds = going.stop(signal.SIGINT)
    assert (status, seconds < 3) == (130, True)
    assert "Interrupted.\nWhat is written stays; the same command goes on" in going.output
    assert TRACEBACK not in going.output
    again = backfill(*command[1:], APS_STATE_DIR=state)
    assert again.returncode == 0
    assert "Going on at " in again.stderr
    assert len(again.stdout.splitlines()) < 12
    assert "10 days: " in again.stdout


@pytest.mark.parametrize("refuses", [True, False])
def test_database_out_of_reach_is_told_with_advice(remembering: str, *, refuses: bool) -> None:
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    with listening(answer) as database:
        url = f"http://{database.host}" if refuses else "http://127.0.0.1:1"
        ended = backfill(
            remembering,
            FROM,
            APS_INFLUXDB_URL=url,
            APS_INFLUXDB_BUCKET="solar",
            APS_INFLUXDB_TOKEN=SECRET,
        )
    assert ended.returncode == 1
    assert f"InfluxDB at {url}: {'unauthorized' if refuses else 'network'} (" in ended.stderr
    assert ("A back-fill reads from the database too" in ended.stderr) is refuses
    assert ("check APS_INFLUXDB_TOKEN" if refuses else "check APS_INFLUXDB_URL") in ended.stderr


def test_second_backfill_at_once_is_refused(remembering: str, start: Start) -> None:
    state = str(Path("state").absolute())
    first = YESTERDAY - timedelta(days=30)
    command = ("backfill", remembering, f"--from={first}", FILE)
    going = start(*command, APS_STATE_DIR=state, APS_TIMEZONE="UTC")
    going.wait_for("(points written)")
    ended = backfill(*command[1:], APS_STATE_DIR=state)
    assert ended.returncode == 2
    assert "another back-fill is at work; wait until it has ended" in ended.stderr


def test_ecu_that_does_not_answer_is_told_by_its_cause(without_pauses: InProcess) -> None:
    status, out, err = without_pauses("127.0.0.1:1", FROM, FILE)
    assert (status, out) == (1, "")
    *_, happened, go_on = err.splitlines()
    assert happened.startswith("The info query failed: Something is at this address, but nothing")
    assert "(refused: 127.0.0.1 port 1: Connection refused)" in happened
    assert go_on == "What is written stays; the same command goes on from there."
    assert not Path("history.om").exists()
