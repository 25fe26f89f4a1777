import io
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aps_exporter.cli import main
from tests.protocol.captures import CAPTURES, PARTIAL, WHOLE, Capture, capture_named
from tests.protocol.frames import bare_row, framed, online_row, round_reply

STATUS = b"APS110015000202\n"
POWER_OF_DAY = framed("0003", b"00" + bytes.fromhex("06550003" + "17000142"))
SECONDS_FOR_A_MEGABYTE = 5.0
"""Of the processor: several times what it takes, and far less than if each reply cost the rest."""

A_DAY_THAT_IS_NONE = round_reply(measured_at="20231320151934")

YC600 = "01f3" + "0070" + "0014" + "00e4" + "0015" + "00e4"
"""49.9 Hz, 12 degC, 20 W, 228 V, 21 W, 228 V."""

INFO_OF_THE_CONTRACT = (
    '{"kind": "info", "ecu": "216037308721", "lifetime_energy_kwh": 4358.1, "power_watts": 654, '
    '"today_energy_kwh": 0.17, "inverters": 6, "inverters_online": 6, "firmware": "ECU_R_1.3.6C", '
    '"timezone": "Etc/GMT-8", "ethernet_mac": "80:97:1b:5d:2c:04", "wifi_mac": null, '
    '"last_ema_contact": null}'
)
INVERTERS_OF_THE_CONTRACT = (
    '{"kind": "inverters", "measured_at": "2023-11-20T15:19:34", "inverters": '
    '[{"inverter": "901055612951", "type_code": "02", "model": "QT2", "online": true, '
    '"frequency_hertz": 49.9, "temperature_celsius": 23, "voltage_volts": [390, 391, 383], '
    '"power_watts": [26, 26, 27, 25]}'
)

of_any = pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
of_whole = pytest.mark.parametrize("capture", WHOLE, ids=lambda capture: capture.name)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of `decode` printed, and its exit status."""

    status: int
    printed: str
    complaint: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.printed.splitlines()]

    @property
    def kinds(self) -> list[str]:
        return [form["kind"] for form in self.objects]


Decode = Callable[..., Outcome]


@pytest.fixture
def decode(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Decode:
    """Runs `decode` on what comes through standard input."""

    def run(content: bytes = b"", *arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        status = main(["decode", *arguments])
        return Outcome(status, *capsys.readouterr())

    return run


def _hex(*replies: bytes) -> bytes:
    return b"".join(reply.hex().encode() + b"\n" for reply in replies)


def _as_expected(form: dict[str, Any]) -> dict[str, Any]:
    """Without the free text, which no capture foretells."""
    return {name: value for name, value in form.items() if name not in {"meaning", "detail"}}


@of_any
def test_capture_as_a_hex_line_prints_what_is_expected(capture: Capture, decode: Decode) -> None:
    (form,) = decode(_hex(capture.raw)).objects
    assert _as_expected(form) == capture.expected


@of_any
def test_capture_as_raw_bytes_prints_what_is_expected(capture: Capture, decode: Decode) -> None:
    (form,) = decode(capture.raw).objects
    assert _as_expected(form) == capture.expected


@pytest.mark.parametrize(
    "capture",
    [capture for capture in WHOLE if capture.expected["kind"] != "status"],
    ids=lambda capture: capture.name,
)
def test_reading_is_printed_in_the_order_and_digits_of_the_capture_file(
    capture: Capture, decode: Decode
) -> None:
    assert decode(capture.raw).printed == json.dumps(capture.expected) + "\n"


@of_any
def test_exit_status_of_a_capture_is_1_only_if_it_is_cut(capture: Capture, decode: Decode) -> None:
    assert decode(capture.raw).status == (1 if capture in PARTIAL else 0)


@of_whole
def test_nothing_is_complained_of_a_good_reply(capture: Capture, decode: Decode) -> None:
    assert decode(capture.raw).complaint == ""


def test_info_looks_as_in_the_contract(decode: Decode) -> None:
    raw = capture_named("ecur-qt2x6-info-2023-11-20").raw
    assert decode(raw).printed == INFO_OF_THE_CONTRACT + "\n"


def test_inverters_look_as_in_the_contract(decode: Decode) -> None:
    raw = capture_named("ecur-qt2x6-rt-2023-11-20").raw
    assert decode(raw).printed.startswith(INVERTERS_OF_THE_CONTRACT)


def test_signal_looks_as_in_the_contract(decode: Decode) -> None:
    raw = framed("0030", b"00" + bytes.fromhex("901055612951" + "ab"))
    assert decode(raw).printed == '{"kind": "signal", "signal": {"901055612951": 0.6706}}\n'


def test_power_of_day_looks_as_in_the_contract(decode: Decode) -> None:
    expected = '{"kind": "power_of_day", "power_watts": {"06:55": 3, "17:00": 322}}\n'
    assert decode(POWER_OF_DAY).printed == expected


def test_energy_of_period_looks_as_in_the_contract(decode: Decode) -> None:
    raw = framed("0004", b"00" + b"01" + bytes.fromhex("20230902" + "023d"))
    assert decode(raw).printed == (
        '{"kind": "energy_of_period", "period": "month", "energy_kwh": {"2023-09-02": 5.73}}\n'
    )


def test_status_is_no_failure(decode: Decode) -> None:
    outcome = decode(STATUS)
    (form,) = outcome.objects
    assert (outcome.status, list(form)) == (0, ["kind", "command", "status", "meaning"])
    assert (form["command"], form["status"]) == ("0002", "02")
    assert len(form["meaning"]) > 10


def test_offline_row_has_null_for_every_measurement(decode: Decode) -> None:
    offline = online_row("408000094016", "01", YC600).replace(b"\x0101", b"\x0001")
    (form,) = decode(round_reply(offline)).objects
    assert form["inverters"] == [
        {
            "inverter": "408000094016",
            "type_code": "01",
            "model": "YC600",
            "online": False,
            "frequency_hertz": None,
            "temperature_celsius": None,
            "voltage_volts": None,
            "power_watts": None,
        }
    ]


def test_row_of_type_00_has_no_model_and_no_measurement(decode: Decode) -> None:
    (form,) = decode(round_reply(bare_row("408000094016"))).objects
    (row,) = form["inverters"]
    known = {name: value for name, value in row.items() if value is not None}
    assert known == {"inverter": "408000094016", "type_code": "00", "online": False}


def test_ecu_itself_is_left_out(decode: Decode) -> None:
    ecu, row = bare_row("216000000001"), online_row("408000094016", "01", YC600)
    (form,) = decode(round_reply(ecu, row)).objects
    assert [row["inverter"] for row in form["inverters"]] == ["408000094016"]
    assert "unknown_rows" not in form


def test_unknown_rows_are_counted(decode: Decode) -> None:
    known = online_row("408000094016", "01", YC600)
    unknown = [online_row(f"72414200000{place}", "07", "01f3" * 6) for place in (1, 2)]
    (form,) = decode(round_reply(known, *unknown)).objects
    assert (len(form["inverters"]), form["unknown_rows"]) == (1, 2)


def test_raw_replies_may_follow_each_other(decode: Decode) -> None:
    outcome = decode(b"".join(capture.raw for capture in WHOLE))
    assert [_as_expected(form) for form in outcome.objects] == [
        capture.expected for capture in WHOLE
    ]
    assert outcome.status == 0


def test_raw_replies_without_line_feeds_may_follow_each_other(decode: Decode) -> None:
    glued = b"".join(reply.removesuffix(b"\n") for reply in (STATUS, POWER_OF_DAY, STATUS))
    assert decode(glued).kinds == ["status", "power_of_day", "status"]


@pytest.mark.parametrize("space", [b"\n", b"\n\n\n", b"\r\n", b"\r\n\r\n", b" ", b" \t\r\n\v\f"])
def test_white_space_between_and_behind_raw_replies_is_skipped(
    space: bytes, decode: Decode
) -> None:
    outcome = decode(b"".join(reply + space for reply in (STATUS, POWER_OF_DAY, STATUS)))
    assert (outcome.kinds, outcome.status) == (["status", "power_of_day", "status"], 0)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_raw_replies_may_be_lines_of_a_text_file(line_end: bytes, decode: Decode) -> None:
    lines = [reply.removesuffix(b"\n") + line_end for reply in (STATUS, POWER_OF_DAY, STATUS)]
    outcome = decode(b"".join(lines))
    assert (outcome.kinds, outcome.status) == (["status", "power_of_day", "status"], 0)


@pytest.mark.parametrize("status", [STATUS, STATUS.rstrip()], ids=["line fed", "glued"])
def test_megabyte_of_raw_replies_is_decoded_to_the_last_in_little_time(
    status: bytes, decode: Decode
) -> None:
    count = 1_000_000 // len(status)
    began = time.process_time()
    outcome = decode(status * count)
    assert time.process_time() - began < SECONDS_FOR_A_MEGABYTE
    assert (len(outcome.printed.splitlines()), outcome.status) == (count, 0)


def test_raw_replies_before_a_cut_one_are_printed(decode: Decode) -> None:
    outcome = decode(STATUS + POWER_OF_DAY + STATUS[:-3])
    assert (outcome.kinds, outcome.status) == (["status", "power_of_day", "error"], 1)
    assert outcome.objects[-1]["error"] == "truncated"


def test_raw_bytes_that_are_no_reply_end_the_reading(decode: Decode) -> None:
    outcome = decode(STATUS + b"HTTP/1.1 400 Bad Request\r\n" + STATUS)
    assert (outcome.kinds, outcome.status) == (["status", "error"], 1)
    assert outcome.objects[-1]["error"] == "framing"


@pytest.mark.parametrize(
    "garbage",
    [b"\x00", b"rubbish", b"\r\n\r\nrubbish\n", b"APS", b"APX110015000202\n", b"rubbish" * 5_000],
    ids=["zero", "text", "lines", "cut", "other magic", "much"],
)
def test_garbage_behind_raw_replies_is_one_error(garbage: bytes, decode: Decode) -> None:
    outcome = decode(STATUS + POWER_OF_DAY + garbage)
    assert (outcome.kinds, outcome.status) == (["status", "power_of_day", "error"], 1)


def test_malformed_raw_reply_does_not_end_the_reading(decode: Decode) -> None:
    outcome = decode(A_DAY_THAT_IS_NONE + STATUS)
    assert (outcome.kinds, outcome.status) == (["error", "status"], 1)


def test_hex_lines_are_a_reply_each(decode: Decode) -> None:
    outcome = decode(_hex(STATUS, POWER_OF_DAY, A_DAY_THAT_IS_NONE, STATUS))
    assert (outcome.kinds, outcome.status) == (["status", "power_of_day", "error", "status"], 1)


def test_blank_lines_between_hex_lines_are_skipped(decode: Decode) -> None:
    content = b"\n" + _hex(STATUS) + b"   \n\n" + _hex(STATUS) + b"\n"
    assert decode(content).kinds == ["status", "status"]


@pytest.mark.parametrize(
    "content",
    [
        _hex(STATUS).upper(),
        _hex(STATUS).replace(b"\n", b"\r\n"),
        _hex(STATUS).rstrip(),
        b"  " + _hex(STATUS).rstrip() + b"  \n",
        STATUS.hex(" ").encode(),
    ],
    ids=["upper case", "CRLF", "no line end", "indented", "spaced"],
)
def test_hex_may_be_written_in_these_ways(content: bytes, decode: Decode) -> None:
    assert decode(content).kinds == ["status"]


def test_what_follows_the_first_frame_of_a_hex_line_is_ignored(decode: Decode) -> None:
    outcome = decode(_hex(STATUS + POWER_OF_DAY, POWER_OF_DAY + b"rubbish"))
    assert (outcome.kinds, outcome.status) == (["status", "power_of_day"], 0)


@pytest.mark.parametrize(
    "content",
    [
        *(_hex(POWER_OF_DAY[:cut]) for cut in (1, 2, 3, 4, 12, 13, 14, len(POWER_OF_DAY) - 2)),
        *(POWER_OF_DAY[:cut] for cut in (3, 4, 12, 13, 14, len(POWER_OF_DAY) - 2)),
    ],
)
def test_reply_cut_anywhere_is_truncated(content: bytes, decode: Decode) -> None:
    outcome = decode(content)
    (printed,) = outcome.objects
    assert list(printed) == ["kind", "error", "detail"]
    assert (printed["error"], outcome.status) == ("truncated", 1)


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 400 Bad Request", b"\x00", b"APX", b"APS11001x0002", b"APS110012000202\n"],
)
def test_what_has_no_header_of_a_reply_is_a_framing_error(raw: bytes, decode: Decode) -> None:
    outcome = decode(_hex(raw))
    assert (outcome.objects[0]["error"], outcome.status) == ("framing", 1)


@pytest.mark.parametrize(
    "raw",
    [
        A_DAY_THAT_IS_NONE,
        round_reply(count=1),
        framed("0001", b"216000000001"),
        framed("0030", b"00" + b"\x90\x10"),
        framed("0009", b"00"),
    ],
    ids=["no such day", "a row is missing", "info is short", "half a row", "unknown command"],
)
def test_body_that_makes_no_sense_is_malformed(raw: bytes, decode: Decode) -> None:
    outcome = decode(raw)
    (printed,) = outcome.objects
    assert (printed["kind"], printed["error"], outcome.status) == ("error", "malformed", 1)
    assert printed["detail"]


@pytest.mark.parametrize(
    "line",
    [b"zz", b"415", b"0x415053", b"4150 5", b"APS", b"4150,53", b"\xff\xfe4\x001\x00", b"\x00\x01"],
)
def test_line_that_is_no_hex_is_named(line: bytes, decode: Decode) -> None:
    outcome = decode(_hex(STATUS) + b"\n" + line + b"\n" + _hex(STATUS))
    assert (outcome.status, outcome.kinds) == (2, ["status"])
    assert outcome.complaint.startswith("aps-exporter: line 3: expected the hex digits")
    assert len(outcome.complaint.splitlines()) == 1


def test_line_that_is_no_hex_is_not_repeated_at_length(decode: Decode) -> None:
    complaint = decode(b"z" * 100_000).complaint
    assert "line 1" in complaint
    assert len(complaint) < 300


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n"])
def test_empty_input_is_refused(content: bytes, decode: Decode) -> None:
    outcome = decode(content)
    assert (outcome.status, outcome.printed) == (2, "")
    assert "empty" in outcome.complaint


@pytest.mark.parametrize("raw", [STATUS, _hex(STATUS)], ids=["raw", "hex"])
def test_file_is_read_like_standard_input(raw: bytes, decode: Decode) -> None:
    Path("reply").write_bytes(raw)
    assert decode(b"", "reply").kinds == ["status"]


def test_file_wins_over_standard_input(decode: Decode) -> None:
    Path("reply").write_bytes(POWER_OF_DAY)
    assert decode(STATUS, "reply").kinds == ["power_of_day"]


def test_empty_file_is_refused(decode: Decode) -> None:
    Path("reply").touch()
    assert decode(STATUS, "reply").status == 2


@pytest.mark.parametrize("name", ["missing", "folder", "file/below", "n" * 300])
def test_file_that_cannot_be_read_is_named(name: str, decode: Decode) -> None:
    Path("folder").mkdir()
    Path("file").touch()
    outcome = decode(STATUS, name)
    assert (outcome.status, outcome.printed) == (2, "")
    assert outcome.complaint.startswith(f"aps-exporter: {name}: cannot be read: ")
    assert len(outcome.complaint.splitlines()) == 1


def test_closed_standard_input_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # what Python makes of a closed descriptor 0
    assert main(["decode"]) == 2
    assert capsys.readouterr().err.startswith("aps-exporter: ")
