import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.console import Start, run, running, status_of
from tests.protocol.captures import CAPTURE_FILE, capture_named

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

FAULTS = {
    "refuse": ("refused", "Something is at this address, but nothing listens on the port."),
    "silent": ("timeout", "No answer came in time."),
    "close": ("closed", "The ECU took the connection and hung up without a word."),
    "truncate": ("truncated", "The reply was cut short."),
}
ON_A_FREE_PORT = ("--listen", "127.0.0.1:0")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of `check` printed, and its exit status."""

    status: object
    printed: str
    progress: str

    @property
    def entry(self) -> dict[str, Any]:
        """What `--json` printed."""
        form: dict[str, Any] = json.loads(self.printed)
        return form

    @property
    def words(self) -> str:
        """All on one line, however it was wrapped."""
        return _words(self.printed)


Check = Callable[..., Outcome]
StartEcu = Callable[..., str]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs `check` on an ECU that is to answer fast."""

    def run_check(*arguments: str, **environment: str) -> Outcome:
        os.environ.update({"APS_ECU_PAUSE": "0", "APS_ECU_TIMEOUT": "0.3", **environment})
        status = status_of("check", *arguments)
        return Outcome(status, *capsys.readouterr())

    return run_check


@pytest.fixture
def simulate(start: Start) -> StartEcu:
    """Starts a simulated ECU; gives its address."""

    def start_simulator(*arguments: str) -> str:
        return start("simulate", *ON_A_FREE_PORT, *arguments).address

    return start_simulator


@pytest.fixture
def replay(simulate: StartEcu) -> StartEcu:
    """Starts an ECU that serves the captures of these names; gives its address."""
    return lambda only: simulate("--replay", str(CAPTURE_FILE), "--only", only)


@pytest.fixture(scope="module", params=FAULTS)
def failing(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A fault, and the address of an ECU that has it."""
    with running("simulate", *ON_A_FREE_PORT, "--fault", request.param) as simulator:
        yield request.param, simulator.address


def _words(text: str) -> str:
    return " ".join(text.split())


def test_check_of_a_healthy_ecu_ends_with_status_0(ecu: str, check: Check) -> None:
    outcome = check(ecu)
    assert (outcome.status, outcome.progress) == (0, f"Asking {ecu} ...\n")


def test_check_shows_every_inverter_by_serial_and_model(ecu: str, check: Check) -> None:
    rows = re.findall(r"^(\d{12}) +(\S+) ", check(ecu).printed, re.MULTILINE)
    assert rows == [
        ("802000000001", "QS1"),
        ("704000000002", "DS3"),
        ("408000000003", "YC600"),
        ("501000000004", "YC1000"),
        ("901000000005", "QT2"),
    ]


def test_check_shows_the_power_that_the_inverters_make(ecu: str, check: Check) -> None:
    printed = check(ecu).printed
    said = re.findall(r"power +(\d+) W$", printed, re.MULTILINE)
    rows = re.findall(r"^\d{12} +\S+ +(\d+) ", printed, re.MULTILINE)
    assert len(rows) == 5
    assert [int(power) for power in said] == [sum(map(int, rows))] != [0]


def test_check_shows_what_was_captured(replay: StartEcu) -> None:
    ended = run("check", replay("ecur-qt2x6-*-2023-11-20"), APS_ECU_PAUSE="0")
    lines = [_words(line) for line in ended.stdout.splitlines()]
    expected = [
        "ECU-R 216037308721",
        "firmware ECU_R_1.3.6C",
        "power 654 W",
        "today 0.17 kWh",
        "lifetime 4358.1 kWh",
        "inverters 6, 6 of them online",
        "last round 2023-11-20 15:19:34 UTC",
        "901055612951 QT2 104 26 26 27 25 23 390 391 383 49.9 67%",
    ]
    assert [line for line in expected if line not in lines] == []


def test_check_shows_an_inverter_that_sleeps_as_offline(simulate: StartEcu, check: Check) -> None:
    printed = check(simulate("--sun", "00:30", "--inverters", "qs1:2")).printed
    assert re.findall(r"^(\d{12}) +QS1 +offline$", printed, re.MULTILINE) == [
        "802000000001",
        "802000000002",
    ]


def test_check_names_the_command_to_run(ecu: str, check: Check) -> None:
    assert check(ecu).words.endswith(f" aps-exporter serve {ecu}")


def test_check_of_a_named_host_names_a_command_that_reads_it(ecu: str, check: Check) -> None:
    assert ecu in check(f"roof={ecu}").printed.splitlines()[-1]


def test_check_as_json_is_an_entry_of_the_snapshots(replay: StartEcu, check: Check) -> None:
    host = replay("ecur-qt2x6-*-2023-11-20")
    entry = check(host, "--json", APS_TIMEZONE="Etc/UTC").entry
    next_refresh = entry.pop("next_refresh")
    assert next_refresh is None or RFC_3339.fullmatch(next_refresh)
    info, inverters, signal = (
        capture_named(f"ecur-qt2x6-{query}-2023-11-20").expected for query in ("info", "rt", "sig")
    )
    assert entry == {
        "target": host,
        "ecu": "216037308721",
        "up": True,
        "data_age_seconds": 0,
        "last_error": None,
        "info": info,
        "inverters": {**inverters, "measured_at": "2023-11-20T15:19:34Z"},
        "signal": signal,
    }


def test_check_as_json_prints_one_line_and_its_progress_elsewhere(ecu: str, check: Check) -> None:
    outcome = check(ecu, "--json")
    assert (outcome.status, outcome.progress) == (0, f"Asking {ecu} ...\n")
    assert len(outcome.printed.splitlines()) == 1


def test_check_of_a_failing_ecu_says_what_happened_and_what_to_do(
    failing: tuple[str, str], check: Check
) -> None:
    fault, host = failing
    reason, happened = FAULTS[fault]
    outcome = check(host)
    assert outcome.status == 1
    assert outcome.words.startswith(f"The info query failed: {happened} ({reason}: ")
    assert "The usual causes, and what to do: * " in outcome.words


def test_check_of_a_failing_ecu_as_json_has_the_error_and_nothing_else(
    failing: tuple[str, str], check: Check
) -> None:
    fault, host = failing
    outcome = check(host, "--json")
    entry = outcome.entry
    error = entry.pop("last_error")
    assert outcome.status == 1
    assert {name: value for name, value in entry.items() if value not in {None, False}} == {
        "target": host
    }
    assert (error["query"], error["reason"], bool(error["detail"])) == (
        "info",
        FAULTS[fault][0],
        True,
    )


def test_check_of_a_refusing_ecu_tells_of_wifi_and_of_a_restart(check: Check) -> None:
    words = check("127.0.0.1:1").words
    assert "connect the ECU to your WiFi" in words
    assert "unplug the ECU for ten seconds" in words


def test_check_shows_what_it_got_before_a_failure(replay: StartEcu, check: Check) -> None:
    outcome = check(replay("ecub-status02-2024"))
    assert outcome.status == 1
    assert outcome.words.startswith("ECU-R 216000000001")
    assert "The inverters query failed: " in outcome.words
    assert "status 02" in outcome.words
    assert "All well" not in outcome.words


def test_check_of_a_name_that_nobody_knows_says_so(check: Check) -> None:
    outcome = check("nosuch.invalid")
    assert outcome.status == 1
    assert "Check the spelling" in outcome.words


@pytest.mark.parametrize(
    "host", ["http://192.168.1.20", "", "999.1.1.1", "127.0.0.1:99999", "127.0.0.1:0", "a,b"]
)
def test_check_of_what_is_no_host_says_what_is(host: str, check: Check) -> None:
    outcome = check(host)
    assert (outcome.status, outcome.printed) == (2, "")
    assert outcome.progress == (
        f"aps-exporter: {host}: expected HOST or HOST:PORT, such as 192.168.1.20\n"
    )


def test_check_takes_its_port_from_the_environment(ecu: str, check: Check) -> None:
    host, _, port = ecu.rpartition(":")
    assert check(host, APS_ECU_PORT=port).status == 0


def test_check_of_a_bad_configuration_says_so(ecu: str, check: Check) -> None:
    outcome = check(ecu, APS_ECU_TIMEOUT="long")
    assert outcome.status == 2
    assert outcome.progress.startswith("aps-exporter: APS_ECU_TIMEOUT=long: expected ")


def test_check_needs_a_host(check: Check) -> None:
    outcome = check()
    assert outcome.status == 2
    assert "HOST" in outcome.progress
