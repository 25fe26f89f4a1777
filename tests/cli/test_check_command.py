import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.console import (
    ON_A_FREE_PORT,
    TRACEBACK,
    ReplayRaw,
    Start,
    StartEcu,
    get,
    run,
    running,
    status_of,
)
from tests.protocol.captures import CAPTURE_FILE, capture_named
from tests.protocol.frames import round_reply
from tests.protocol.rows import QS1, unknown_row

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

FAULTS = {
    "refuse": ("refused", "Something is at this address, but nothing listens on the port."),
    "silent": ("timeout", "No answer came in time."),
    "close": ("closed", "The ECU took the connection and hung up without a word."),
    "truncate": ("truncated", "The reply was cut short."),
}
REPLAY = ("--replay", str(CAPTURE_FILE), "--only")
NIGHT = "no inverter is online."
NOTES = {
    "empty list": ((*REPLAY, "ecuc-empty-list-2026-04-26"), "the list of inverters is empty"),
    "zero glitch": (("--fault", "zero-glitch"), "some values cannot be true and are not believed"),
    "captured night": ((*REPLAY, "ecuc-qs1x5-2022-05-17-night"), NIGHT),
    "simulated night": (("--sun", "00:30"), NIGHT),
}
"""How to start an ECU that answers every query but is not all well, and what is noted of it."""

ENDS_OF_THE_CALENDAR = [
    ("00010101000000", "Pacific/Kiritimati"),
    ("99991231235959", "Pacific/Pago_Pago"),
]
"""Stamps, each with a zone in which its UTC time is one that no calendar has."""


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


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs `check` on an ECU that is to answer fast."""

    def run_check(*arguments: str, **environment: str) -> Outcome:
        of_its_own = {"APS_ECU_PAUSE": "0", "APS_ECU_TIMEOUT": "0.3", "APS_TIMEZONE": "UTC"}
        os.environ.update({**of_its_own, **environment})
        status = status_of("check", *arguments)
        return Outcome(status, *capsys.readouterr())

    return run_check


@pytest.fixture(scope="module", params=NOTES)
def noted(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The address of an ECU that is not all well, and what is to be noted of it."""
    arguments, note = NOTES[request.param]
    with running("simulate", *ON_A_FREE_PORT, *arguments) as simulator:
        yield simulator.address, note


@pytest.fixture(scope="module", params=FAULTS)
def failing(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A fault, and the address of an ECU that has it."""
    with running("simulate", *ON_A_FREE_PORT, "--fault", request.param) as simulator:
        yield request.param, simulator.address


def _words(text: str) -> str:
    return " ".join(text.split())


def _info(*, last_ema_contact: str) -> bytes:
    """A captured info reply, but for the time of the last contact with the EMA."""
    raw = capture_named("ecur-qt2x6-info-2023-11-20").raw
    return raw[:39] + bytes.fromhex(last_ema_contact) + raw[46:]


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


def test_check_of_a_healthy_ecu_says_all_well_and_has_no_note(ecu: str, check: Check) -> None:
    words = check(ecu).words
    assert ("All well. Run the exporter with:" in words, "Note:" in words) == (True, False)


def test_check_notes_what_is_not_as_it_should_be(noted: tuple[str, str], check: Check) -> None:
    host, note = noted
    assert f"Note: {note}" in check(host).words


def test_check_does_not_say_all_well_beside_a_note(noted: tuple[str, str], check: Check) -> None:
    outcome = check(noted[0])
    assert "All well" not in outcome.printed
    assert (outcome.status, outcome.words.count("The ECU answers.")) == (0, 1)


@pytest.mark.parametrize("unreadable", [1, 3])
def test_check_notes_rows_of_a_model_that_nobody_can_read(
    unreadable: int, replay_raw: ReplayRaw, check: Check
) -> None:
    rows = [unknown_row(number) for number in range(unreadable)]
    words = check(replay_raw(round_reply(QS1, *rows))).words
    assert f"Note: rows of a model that cannot be read yet: {unreadable}." in words
    assert "All well" not in words


def test_check_of_which_nothing_is_amiss_notes_nothing_of_unreadable_rows(
    replay_raw: ReplayRaw, check: Check
) -> None:
    assert "model that cannot be read" not in check(replay_raw(round_reply(QS1))).words


def test_check_warns_of_a_misspelt_variable(ecu: str, check: Check) -> None:
    outcome = check(ecu, APS_ECU_TIMOUT="3")
    assert outcome.status == 0
    assert "aps-exporter: warning: APS_ECU_TIMOUT: no such variable" in outcome.progress
    assert "did you mean APS_ECU_TIMEOUT?" in outcome.progress


def test_check_as_json_is_not_mixed_with_warnings(ecu: str, check: Check) -> None:
    outcome = check(ecu, "--json", APS_ECU_TIMOUT="3")
    assert (outcome.entry["up"], "APS_ECU_TIMOUT" in outcome.progress) == (True, True)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)],
    ids=["SIGINT", "SIGTERM"],
)
def test_check_that_is_stopped_while_the_ecu_is_silent_does_not_pass_for_well(
    number: signal.Signals, expected: int, start: Start
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        check_command = start("check", f"127.0.0.1:{silent.getsockname()[1]}")
        with silent.accept()[0]:
            status, seconds = check_command.stop(number)
    assert status == expected
    assert seconds < 3
    assert [word for word in (TRACEBACK, "Warning", "never") if word in check_command.output] == []


@pytest.mark.parametrize(("stamp", "zone"), ENDS_OF_THE_CALENDAR)
def test_check_of_a_round_at_the_end_of_the_calendar_says_it_is_malformed(
    stamp: str, zone: str, replay_raw: ReplayRaw, check: Check
) -> None:
    outcome = check(replay_raw(round_reply(QS1, measured_at=stamp)), APS_TIMEZONE=zone)
    assert outcome.status == 1
    assert "The inverters query failed: " in outcome.words
    assert "(malformed: " in outcome.words


@pytest.mark.parametrize(
    ("stamp", "zone", "contact"),
    [
        *((stamp, zone, None) for stamp, zone in ENDS_OF_THE_CALENDAR),
        ("20000101000000", "Pacific/Kiritimati", "1999-12-31T10:00:00Z"),
        ("20991231235959", "Pacific/Pago_Pago", "2100-01-01T10:59:59Z"),
    ],
)
def test_check_as_json_tells_the_last_ema_contact_of_years_with_ecus_only(
    stamp: str, zone: str, contact: str | None, replay_raw: ReplayRaw, check: Check
) -> None:
    host = replay_raw(_info(last_ema_contact=stamp), round_reply(QS1))
    outcome = check(host, "--json", APS_TIMEZONE=zone)
    assert (outcome.status, outcome.entry["info"]["last_ema_contact"]) == (0, contact)


@pytest.mark.parametrize(("stamp", "zone"), ENDS_OF_THE_CALENDAR)
def test_every_page_answers_whatever_year_the_ecu_stamps(
    stamp: str, zone: str, replay_raw: ReplayRaw, start: Start
) -> None:
    host = replay_raw(_info(last_ema_contact=stamp), round_reply(QS1, measured_at=stamp))
    flags = ("--web.listen-address", "127.0.0.1:0")
    serve = start("serve", host, *flags, APS_ECU_PAUSE="0", APS_TIMEZONE=zone)
    serve.wait_for("(query failed)")
    pages = ("/", "/metrics", "/api/v1/snapshots", "/-/healthy", "/-/ready")
    assert [get(serve.address, page)[0] for page in pages] == [200] * 5
    assert TRACEBACK not in serve.output
