"""APS_PANELS_FILE as its users meet it: at the start, in `config`, and on SIGHUP."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from aps_exporter.cli import main
from aps_exporter.config import PanelsFile
from aps_exporter.panels import Panel
from tests.cli.console import PATIENCE_SECONDS, TRACEBACK, Running, Start, StartEcu, get, run
from tests.cli.variables import configured, only_fault
from tests.test_panels_file import EXAMPLE

LISTEN = ("--web.listen-address", "127.0.0.1:0")
DS3 = "704000000001"
GOOD = f'[panels.{DS3}.1]\nname = "South 1"\nrated_watts = 410\n'
BAD = f'[panels.{DS3}.1]\nname = "South 2"\nrow = "top"\nwidth = 1\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "panels.toml"
    file.write_text(GOOD, encoding="utf-8")
    return file


@pytest.fixture
def ds3(simulate: StartEcu) -> str:
    """The address of an ECU with one inverter."""
    return simulate("--inverters", "ds3:1")


def _panels(running: Running) -> dict[tuple[str, str], str]:
    """The names of panels by inverter and channel, once the ECU has listed them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        _, text = get(running.address, "/metrics")
        samples = [sample for family in parse(text) for sample in family.samples]
        if infos := [s.labels for s in samples if s.name == "aps_channel_info"]:
            return {(labels["inverter"], labels["channel"]): labels["panel"] for labels in infos}
    raise AssertionError(f"no inverters: {running.output}")


def _hang_up(running: Running, answer: str) -> str:
    """Send SIGHUP; the log line with this message that comes of it."""
    running.process.send_signal(signal.SIGHUP)
    return running.wait_for(rf'(.*msg="{answer}.*\n)')


def test_file_is_part_of_the_configuration(file: Path) -> None:
    panels = {(DS3, 1): Panel("South 1", rated_watts=410)}
    assert configured(APS_PANELS_FILE=str(file)).panels_file == PanelsFile(file, panels)


def test_missing_file_is_a_fault() -> None:
    assert only_fault(APS_PANELS_FILE="nowhere.toml") == (
        "APS_PANELS_FILE=nowhere.toml: expected a readable TOML file: No such file or directory"
    )


def test_config_shows_the_path_and_every_fault(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(BAD, encoding="utf-8")
    os.environ.update({"APS_ECU_HOSTS": "a", "APS_PANELS_FILE": "panels.toml", "APS_REFRESH": "1"})
    assert main(["config"]) == 2
    printed = capsys.readouterr()
    assert "APS_PANELS_FILE=panels.toml\n" in printed.out
    refresh, row, width = printed.err.splitlines()
    assert refresh.startswith("aps-exporter: APS_REFRESH=1: ")
    here = "aps-exporter: APS_PANELS_FILE=panels.toml: "
    assert row.startswith(f"{here}line 3: panels.{DS3}.1.row = 'top': expected ")
    assert width.startswith(f"{here}line 4: panels.{DS3}.1.width: expected one of name, ")


@pytest.mark.parametrize("command", [["serve", "127.0.0.1:1"], ["demo"], ["check", "127.0.0.1:1"]])
def test_bad_file_ends_a_command_with_status_2(command: list[str], file: Path) -> None:
    file.write_text(BAD, encoding="utf-8")
    ended = run(*command, APS_PANELS_FILE=str(file))
    assert ended.returncode == 2
    assert ended.stderr.count(f"APS_PANELS_FILE={file}: line ") == 2


def test_file_that_went_bad_makes_no_healthy_exporter_ill(exporter: str, file: Path) -> None:
    file.write_text(BAD, encoding="utf-8")
    assert (
        run("healthcheck", APS_LISTEN_ADDRESS=exporter, APS_PANELS_FILE=str(file)).returncode == 0
    )


def test_healthcheck_still_says_what_is_wrong_with_its_address() -> None:
    ended = run("healthcheck", APS_LISTEN_ADDRESS="nowhere")
    assert ended.returncode == 2
    assert ended.stderr.startswith("aps-exporter: APS_LISTEN_ADDRESS=nowhere: expected ")


def test_file_is_read_again_on_sighup(file: Path, ds3: str, start: Start) -> None:
    serve = start("serve", ds3, *LISTEN, APS_PANELS_FILE=str(file))
    assert _panels(serve) == {(DS3, "1"): "South 1", (DS3, "2"): f"{DS3}/2"}
    file.write_text(
        f'panels.{DS3}.1.name = "Süd"\npanels.{DS3}.2.unused = true\n', encoding="utf-8"
    )
    line = _hang_up(serve, "panels file read again")
    assert "level=info" in line
    assert line.endswith(f"file={file} panels=2 unused=1 added=1 removed=0 changed=1\n")
    assert _panels(serve) == {(DS3, "1"): "Süd"}
    assert serve.stop()[0] == 0
    assert TRACEBACK not in serve.output


def test_bad_file_changes_nothing_and_each_sighup_is_answered(
    file: Path, ds3: str, start: Start
) -> None:
    serve = start("serve", ds3, *LISTEN, APS_PANELS_FILE=str(file), APS_LOG_FORMAT="logfmt")
    before = _panels(serve)
    file.write_text(BAD, encoding="utf-8")
    line = _hang_up(serve, "the panels file is not taken")
    assert "level=error" in line
    assert f"line 3: panels.{DS3}.1.row = 'top': expected" in line
    assert f"line 4: panels.{DS3}.1.width: expected" in line
    assert _panels(serve) == before
    _hang_up(serve, "the panels file is not taken.* reload=2")
    file.unlink()
    _hang_up(serve, "the panels file is not taken.*No such file.* reload=3")
    file.write_text(GOOD, encoding="utf-8")
    assert "added=0 removed=0 changed=0" in _hang_up(serve, "panels file read again")
    assert _panels(serve) == before
    assert serve.stop()[0] == 0
    assert TRACEBACK not in serve.output


def test_number_without_end_ends_no_exporter(file: Path, ds3: str, start: Start) -> None:
    serve = start("serve", ds3, *LISTEN, APS_PANELS_FILE=str(file), APS_LOG_FORMAT="logfmt")
    before = _panels(serve)
    file.write_text(f"[panels.{DS3}.1]\nrow = 0x{'f' * 5_000}\n", encoding="utf-8")
    line = _hang_up(serve, "the panels file is not taken")
    assert f"line 2: panels.{DS3}.1.row = (a number too long to show): expected" in line
    assert _panels(serve) == before
    assert serve.stop()[0] == 0
    assert TRACEBACK not in serve.output
    ended = run("serve", ds3, *LISTEN, APS_PANELS_FILE=str(file))
    assert ended.returncode == 2
    assert f"line 2: panels.{DS3}.1.row = (a number too long to show): expected" in ended.stderr


def test_sighup_without_a_file_is_noted_and_nothing_else(start: Start) -> None:
    begun = start("serve", *LISTEN, "127.0.0.1:1")
    address = begun.address
    line = _hang_up(begun, "SIGHUP: there is nothing to read again")
    assert "APS_PANELS_FILE is not set" in line
    assert get(address, "/-/healthy")[0] == 200
    assert begun.stop()[0] == 0
    assert TRACEBACK not in begun.output


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_sighup_during_the_start_ends_nothing(start: Start) -> None:
    begun = start("serve", *LISTEN, "127.0.0.1:1")
    begun.wait_until_it_takes_sigterm()
    while "address=" not in begun.output:
        begun.process.send_signal(signal.SIGHUP)
        time.sleep(0.001)
        assert begun.process.poll() is None
    assert get(begun.address, "/-/healthy")[0] == 200


@pytest.fixture
def with_a_terminal() -> Iterator[None]:
    """Whoever runs the tests in the background may have had them ignore SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("with_a_terminal")
def test_the_demo_ends_with_its_terminal(start: Start) -> None:
    demo = start("demo", *LISTEN)
    assert get(demo.address, "/-/healthy")[0] == 200
    demo.process.send_signal(signal.SIGHUP)
    assert demo.process.wait(timeout=5) == -signal.SIGHUP


def test_entries_that_no_ecu_lists_are_named_after_each_reading(
    file: Path, ds3: str, start: Start
) -> None:
    file.write_text(
        f"{GOOD}[panels.{DS3}.3]\nrow = 1\n[panels.802000000099.1]\nrow = 1\n", encoding="utf-8"
    )
    serve = start("serve", ds3, *LISTEN, APS_PANELS_FILE=str(file))
    line = serve.wait_for(r"(.*channels that no ECU lists.*\n)")
    assert "level=warn" in line
    assert f'entries=2 channels="{DS3}/3 802000000099/1"' in line
    _hang_up(serve, "panels file read again")
    serve.wait_for(r"(no ECU lists.* reload=1\n)")
    file.write_text(GOOD, encoding="utf-8")
    _hang_up(serve, "panels file read again.* removed=2")
    assert serve.stop()[0] == 0
    assert serve.output.count("no ECU lists") == 2


def test_demo_takes_the_example(start: Start) -> None:
    demo = start("demo", *LISTEN, APS_PANELS_FILE=str(EXAMPLE))
    panels = _panels(demo)
    assert len(panels) == 27
    assert panels["802000000001", "1"] == "South 1-1"
    assert panels["901000000009", "4"] == "Garage 2-4"
    assert ("408000000007", "2") not in panels
    _, text = get(demo.address, "/metrics")
    rated = [s.value for f in parse(text) for s in f.samples if s.name == "aps_channel_rated_watts"]
    assert rated == [400] * 27
    assert demo.stop()[0] == 0
    assert "no ECU lists" not in demo.output
