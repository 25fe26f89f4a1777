import json
import os
import re
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.console import TRACEBACK, ReplayRaw, Start, StartEcu, run, status_of
from tests.cli.listeners import listening
from tests.protocol.captures import capture_named
from tests.protocol.frames import framed, round_reply
from tests.protocol.rows import QS1
from tests.protocol.shapes import said

CAPTURED: Final = "ecur-qt2x6-*-2023-11-20"
ECU: Final = "216037308721"
INFO, ROWS, SIGNAL = (
    capture_named(f"ecur-qt2x6-{query}-2023-11-20").raw for query in ("info", "rt", "sig")
)
SERIALS: Final = [row["inverter"] for row in said(ROWS)["inverters"]]
NAMES: Final = [*SERIALS, ECU, "80971b5d2c04"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of `capture` printed for programs and for people, and its exit status."""

    status: object
    printed: str
    told: str

    @property
    def entries(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = json.loads(self.printed)
        return entries

    @property
    def replies(self) -> list[bytes]:
        return [bytes.fromhex(entry["hex"]) for entry in self.entries]

    @property
    def words(self) -> str:
        return " ".join(self.told.split())


Capture = Callable[..., Outcome]


@pytest.fixture
def capture(capsys: pytest.CaptureFixture[str]) -> Capture:
    """Runs `capture` on an ECU that is to answer fast."""

    def run_capture(*arguments: str, **environment: str) -> Outcome:
        os.environ.update({"APS_ECU_PAUSE": "0", "APS_ECU_TIMEOUT": "0.3", **environment})
        status = status_of("capture", *arguments)
        return Outcome(status, *capsys.readouterr())

    return run_capture


def test_capture_saves_the_three_replies(replay: StartEcu, capture: Capture) -> None:
    outcome = capture(replay(CAPTURED), "--no-mask")
    assert (outcome.status, outcome.replies) == (0, [INFO, ROWS, SIGNAL])
    assert [entry["query"] for entry in outcome.entries] == ["info", "inverters", "signal"]


def test_captures_are_named_by_model_query_and_date(replay: StartEcu, capture: Capture) -> None:
    names = [entry["name"] for entry in capture(replay("pro-ds3x8-*")).entries]
    assert len(names) == 3
    for name, query in zip(names, ("info", "inverters", "signal"), strict=True):
        assert re.fullmatch(rf"ecu-r-pro-{query}-\d{{4}}-\d\d-\d\d", name)


def test_capture_masks_every_name(replay: StartEcu, capture: Capture) -> None:
    outcome = capture(replay(CAPTURED))
    assert outcome.status == 0
    assert [name for name in NAMES if name in outcome.printed] == []
    assert ECU.encode().hex() not in outcome.printed
    masked = [f"9010{number:08}" for number in range(2, 8)]
    assert [row["inverter"] for row in said(outcome.replies[1])["inverters"]] == masked
    assert "Serials and MAC addresses are masked." in outcome.words
    assert "by guess" not in outcome.words


def test_capture_without_masks_says_so(replay: StartEcu, capture: Capture) -> None:
    outcome = capture(replay(CAPTURED), "--no-mask")
    assert "Serials and MAC addresses are in it as they are." in outcome.words
    assert [entry["masked"] for entry in outcome.entries] == [False] * 3


def test_capture_asks_the_three_queries_and_nothing_else(capture: Capture) -> None:
    with listening(INFO, ROWS, SIGNAL) as ecu:
        assert capture(ecu.host).status == 0
    assert ecu.received == [
        b"APS1100160001END\n",
        b"APS1100280002216037308721END\n",
        b"APS1100280030216037308721END\n",
    ]


def test_capture_can_be_replayed_and_captured_again(
    replay: StartEcu, simulate: StartEcu, capture: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "capture.json"
    assert capture(replay(CAPTURED), "--output", str(file)).status == 0
    replayed = capture(simulate("--replay", str(file)), "--no-mask")
    saved = json.loads(file.read_text(encoding="utf-8"))
    assert replayed.status == 0
    assert [e["hex"] for e in replayed.entries] == [e["hex"] for e in saved]


def test_capture_can_be_decoded(
    replay: StartEcu, capture: Capture, capsys: pytest.CaptureFixture[str]
) -> None:
    capture(replay(CAPTURED), "--output", "capture.json")
    assert status_of("decode", "capture.json") == 0
    kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["info", "inverters", "signal"]


def test_capture_in_a_file_prints_nothing(replay: StartEcu, capture: Capture) -> None:
    outcome = capture(replay(CAPTURED), "--output", "capture.json")
    assert (outcome.status, outcome.printed) == (0, "")
    assert "Saved in capture.json: info, inverters, signal." in outcome.words


def test_capture_overwrites_no_file_and_asks_nothing_then(capture: Capture) -> None:
    Path("there.json").write_text("mine", encoding="utf-8")
    with listening(INFO) as ecu:
        outcome = capture(ecu.host, "--output", "there.json")
    assert (outcome.status, outcome.printed, ecu.received) == (2, "", [])
    assert outcome.told == (
        "aps-exporter: --output=there.json: exists already; choose another name, or remove it\n"
    )
    assert Path("there.json").read_text(encoding="utf-8") == "mine"


def test_capture_where_nothing_can_be_written_asks_nothing(capture: Capture) -> None:
    with listening(INFO) as ecu:
        outcome = capture(ecu.host, "--output", "nowhere/capture.json")
    assert (outcome.status, ecu.received) == (2, [])
    assert outcome.told == (
        "aps-exporter: --output=nowhere/capture.json: cannot be written: "
        "No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        (ROWS[:60], "truncated", "the reply ended after 60 bytes, 192 declared"),
        (INFO, "framing", "expected a reply to command 0002, got one to 0001"),
        (round_reply(QS1, count=9), "malformed", "9 rows were declared, but"),
        (b"HTTP/1.1 400 Bad Request\r\n", "framing", "expected APS and ten digits"),
        (b"APS110015000202\n", "status", "the ECU answered with status 02"),
    ],
)
def test_bad_reply_is_saved_with_what_is_wrong_with_it(
    bad: bytes, reason: str, detail: str, capture: Capture
) -> None:
    with listening(INFO, bad, SIGNAL) as ecu:
        outcome = capture(ecu.host, "--no-mask")
    info, rows, signal = outcome.entries
    assert (outcome.status, outcome.replies) == (1, [INFO, bad, SIGNAL])
    assert ("error" in info, "error" in signal) == (False, False)
    assert rows["error"]["reason"] == reason
    assert rows["error"]["detail"].startswith(detail)
    assert "The inverters query failed: " in outcome.words
    assert f"({reason}: {detail}" in outcome.words
    assert "The usual causes, and what to do: * " in outcome.words


def test_what_came_before_the_time_was_up_is_saved(replay: StartEcu, capture: Capture) -> None:
    outcome = capture(replay("pro-info-2.0.4-PARTIAL-stopped-at-LF"), "--no-mask")
    (entry,) = outcome.entries
    assert outcome.replies == [capture_named("pro-info-2.0.4-PARTIAL-stopped-at-LF").raw]
    assert entry["error"] == {
        "reason": "timeout",
        "detail": "connected, but only 48 bytes came within 0.3 s",
    }


def test_without_an_id_what_came_is_saved_and_nothing_else_asked(capture: Capture) -> None:
    bad = framed("0001", b"21603730872")
    with listening(bad) as ecu:
        outcome = capture(ecu.host)
    assert (outcome.status, len(ecu.received)) == (1, 1)
    assert [(e["query"], e["error"]["reason"]) for e in outcome.entries] == [("info", "malformed")]
    assert re.fullmatch(r"ecu-info-\d{4}-\d\d-\d\d", outcome.entries[0]["name"])
    assert "nothing else can be asked" in outcome.words


def test_parts_masked_by_guess_are_told_of(capture: Capture) -> None:
    with listening(INFO, ROWS[:60], SIGNAL) as ecu:
        outcome = capture(ecu.host)
    assert "Parts of inverters cannot be read: " in outcome.words
    assert "Use --no-mask if" in outcome.words
    assert [name for name in NAMES if name in outcome.printed] == []


def test_what_is_wrong_is_told_without_a_name(capture: Capture) -> None:
    unframed = ECU.encode() + b"END\n"
    with listening(unframed) as ecu:
        outcome = capture(ecu.host)
    (entry,) = outcome.entries
    assert entry["error"]["detail"] == (
        "expected APS and ten digits at the start of a reply, got b'216000000001E'"
    )


def test_causes_of_one_reason_are_told_once(capture: Capture) -> None:
    with listening(INFO, ROWS[:60], SIGNAL[:20]) as ecu:
        words = capture(ecu.host).words
    assert words.count("query failed: The reply was cut short.") == 2
    assert words.count("The usual causes, and what to do:") == 1


@pytest.mark.parametrize("output", [(), ("--output", "capture.json")])
def test_where_nothing_came_nothing_is_saved(output: tuple[str, ...], capture: Capture) -> None:
    outcome = capture("127.0.0.1:1", *output)
    assert (outcome.status, outcome.printed, Path("capture.json").exists()) == (1, "", False)
    assert "The info query failed: " in outcome.words
    assert "Not one byte came: there is nothing to save." in outcome.words


def test_malformed_reply_is_to_be_reported_with_a_capture(capture: Capture) -> None:
    with listening(INFO, round_reply(QS1, count=9), SIGNAL) as ecu:
        assert "open an issue with the output of aps-exporter capture HOST" in (
            capture(ecu.host).words
        )


@pytest.mark.parametrize("host", ["http://192.168.1.20", "", "127.0.0.1:0"])
def test_capture_of_what_is_no_host_says_what_is(host: str, capture: Capture) -> None:
    outcome = capture(host, "--output", "capture.json")
    assert (outcome.status, Path("capture.json").exists()) == (2, False)
    assert outcome.told == (
        f"aps-exporter: {host}: expected HOST or HOST:PORT, such as 192.168.1.20\n"
    )


def test_capture_of_a_bad_configuration_says_so(capture: Capture) -> None:
    outcome = capture("127.0.0.1:1", APS_ECU_TIMEOUT="long")
    assert (outcome.status, outcome.printed) == (2, "")


def test_standard_output_is_the_capture_and_nothing_else(replay: StartEcu) -> None:
    ended = run("capture", replay(CAPTURED), APS_ECU_PAUSE="0", APS_ECU_TIMOUT="3")
    assert (ended.returncode, len(json.loads(ended.stdout))) == (0, 3)
    assert "did you mean APS_ECU_TIMEOUT?" in ended.stderr


def test_capture_that_is_interrupted_leaves_no_file(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "capture.json"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        command = start("capture", host, "--output", str(file))
        with silent.accept()[0]:
            existed = file.exists()
            status, seconds = command.stop(signal.SIGINT)
    assert (status, existed, file.exists()) == (130, True, False)
    assert seconds < 3
    assert TRACEBACK not in command.output


@pytest.mark.parametrize("content", ["[", "[1]", "[{}]", '[{"hex": "zz"}]', '[{"hex": 1}]'])
def test_decode_of_what_is_no_capture_says_what_is(
    content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("no.json").write_text(content, encoding="utf-8")
    assert status_of("decode", "no.json") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("aps-exporter: ")
    assert 'expected a JSON list of objects with "name" and "hex"' in printed.err


def test_replies_of_a_capture_that_are_bad_make_decode_fail(replay_raw: ReplayRaw) -> None:
    replay_raw(INFO, ROWS[:60])  # leaves replies.json
    ended = run("decode", "replies.json")
    kinds = [json.loads(line)["kind"] for line in ended.stdout.splitlines()]
    assert (ended.returncode, kinds) == (1, ["info", "error"])
