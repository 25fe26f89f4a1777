import pytest

from aps_exporter.ecu.decode import decode, decode_reply
from aps_exporter.ecu.replies import (
    LONGEST_REPLY,
    Reply,
    ReplyAssembler,
    build_reply,
    build_status,
    split_replies,
)
from aps_exporter.errors import EcuStatusError, MalformedReplyError
from aps_exporter.readings import RoundReading
from tests.protocol.frames import framed, round_reply
from tests.protocol.shapes import said

SIGNAL = b"APS1100250030" + b"00" + b"\x80\x20\x00\x10\x44\x13\xd1" + b"END\n"
SIGNAL_BODY = b"00\x80\x20\x00\x10\x44\x13\xd1"
SIGNAL_WITHOUT_TRAILER = b"APS1100220030" + SIGNAL_BODY + b"\n"
NOTHING_COLLECTED = b"APS110015000202\n"
ID_DOES_NOT_MATCH = b"APS110015003001\n"

QS1_MEASUREMENTS = bytes.fromhex(
    "0257"  # 59.9 Hz
    "0073"  # 15 degC
    "000a"  # 10 W
    "00ec"  # 236 V
    "0009000b000d"  # 9, 11 and 13 W
)
QT2_MEASUREMENTS = bytes.fromhex(
    "01f3"  # 49.9 Hz
    "007b"  # 23 degC
    "000a01860014018700450a0a000a"  # 10 W, 390 V; 20 W, 391 V; 69 W, 2570 V; 10 W
)


def _round(type_code: bytes, prefix: bytes, count: int, measurements: bytes) -> bytes:
    return round_reply(
        *(
            prefix + bytes.fromhex(f"{number:08}") + b"\x01" + type_code + measurements
            for number in range(1, count + 1)
        )
    )


EIGHTY_QS1 = _round(b"03", b"\x80\x20", 80, QS1_MEASUREMENTS)
HUNDRED_QT2 = _round(b"02", b"\x90\x10", 100, QT2_MEASUREMENTS)


def test_frame_is_taken_apart() -> None:
    assert split_replies(SIGNAL) == (Reply(group="11", command="0030", body=SIGNAL_BODY), b"")


def test_group_is_kept() -> None:
    reply, _ = split_replies(b"APS1200160004END\n")
    assert reply.group == "12"


def test_missing_trailer_is_accepted_and_told() -> None:
    reply, _ = split_replies(SIGNAL_WITHOUT_TRAILER)
    assert reply == Reply(group="11", command="0030", body=SIGNAL_BODY, trailer_missing=True)


def test_missing_trailer_and_line_feed_are_accepted() -> None:
    assembler = ReplyAssembler()
    assembler.receive(SIGNAL_WITHOUT_TRAILER[:-1])
    reply = assembler.finish()
    assert (reply.body, reply.trailer_missing) == (SIGNAL_BODY, True)


def test_missing_trailer_does_not_change_what_is_decoded() -> None:
    assert said(SIGNAL_WITHOUT_TRAILER) == {"kind": "signal", "signal": {"802000104413": 0.8196}}


def test_missing_trailer_of_an_inverters_reply_keeps_its_rows() -> None:
    # 13 + 13 + 23 = 49 bytes before the line feed.
    row = b"\x80\x20\x00\x10\x44\x13\x0103" + QS1_MEASUREMENTS
    raw = b"APS1100490002" + b"0001\x00\x01" + bytes.fromhex("20240325120000") + row + b"\n"
    assert [inverter["power_watts"] for inverter in said(raw)["inverters"]] == [[10, 9, 11, 13]]


def test_trailer_inside_the_body_ends_nothing() -> None:
    body = b"00END\nAPS11"
    reply, rest = split_replies(b"APS1100270030" + body + b"END\n")
    assert (reply.body, rest) == (body, b"")


@pytest.mark.parametrize(
    ("behind", "trailing"),
    [
        (b"", 0),
        (b"\n", 1),
        (b"\r\n", 2),
        (b"END\n", 4),
        (b"\x00" * 300, 300),
        (NOTHING_COLLECTED, 16),
        (SIGNAL, 26),
        (SIGNAL + NOTHING_COLLECTED, 42),
    ],
)
def test_what_stands_behind_the_frame_is_counted(behind: bytes, trailing: int) -> None:
    reply = ReplyAssembler().receive(SIGNAL + behind)
    assert reply == Reply("11", "0030", SIGNAL_BODY, trailing_bytes=trailing)


def test_glued_replies_without_a_line_feed_between_count_the_rest() -> None:
    reply = ReplyAssembler().receive(SIGNAL[:-1] + NOTHING_COLLECTED)
    assert reply == Reply("11", "0030", SIGNAL_BODY, trailing_bytes=16)


def test_of_glued_replies_the_first_is_decoded() -> None:
    assert said(NOTHING_COLLECTED + SIGNAL) == {
        "kind": "status",
        "command": "0002",
        "status": "02",
    }


@pytest.mark.parametrize(
    ("good", "wrong"),
    [
        (b"", b"H"),
        (b"", b"\n"),
        (b"", b"\x00"),
        (b"", b"a"),
        (b"", b"\xef"),
        (b"A", b"S"),
        (b"AP", b"5"),
        (b"APS", b"X"),
        (b"APS1", b" "),
        (b"APS11", b"-"),
        (b"APS11", b"\xb2"),
        (b"APS11001", b"x"),
        (b"APS110015", b"\n"),
        (b"APS110015000", b"A"),
    ],
)
def test_wrong_header_is_framing_with_its_first_wrong_byte(good: bytes, wrong: bytes) -> None:
    assembler = ReplyAssembler()
    assert assembler.receive(good) is None
    with pytest.raises(MalformedReplyError) as caught:
        assembler.receive(wrong)
    assert caught.value.reason == "framing"


@pytest.mark.parametrize("length", ["0000", "0001", "0012"])
def test_length_below_the_header_is_framing(length: str) -> None:
    with pytest.raises(MalformedReplyError) as caught:
        ReplyAssembler().receive(f"APS11{length}0002".encode())
    assert caught.value.reason == "framing"


def test_shortest_frame_is_nothing_but_a_header() -> None:
    assert split_replies(b"APS1100130003\n") == (
        Reply("11", "0003", b"", trailer_missing=True),
        b"",
    )


def test_longest_frame_is_ten_thousand_bytes() -> None:
    longest = b"APS1199990030" + b"\n" * 9_983 + b"END\n"
    assembler = ReplyAssembler()
    before = assembler.receive(longest[:-1])
    reply = assembler.receive(longest[-1:])
    assert (len(longest), before, reply and len(reply.body)) == (LONGEST_REPLY, None, 9_983)


def test_no_reply_is_built_longer_than_its_length_can_say() -> None:
    with pytest.raises(ValueError, match="10000 bytes does not fit"):
        build_reply("11", "0030", b"\n" * 9_984)


def test_built_reply_is_the_frame_of_the_notes() -> None:
    assert build_reply("11", "0030", SIGNAL_BODY) == SIGNAL


def test_built_status_is_the_frame_of_the_notes() -> None:
    assert build_status("0002", "02") == NOTHING_COLLECTED


@pytest.mark.parametrize("received", [b"", b"A", b"APS110025003", SIGNAL[:13], SIGNAL[:-2]])
def test_reply_that_ends_early_is_truncated(received: bytes) -> None:
    assembler = ReplyAssembler()
    assembler.receive(received)
    with pytest.raises(MalformedReplyError) as caught:
        assembler.finish()
    assert caught.value.reason == "truncated"


def test_reply_of_no_bytes_is_empty() -> None:
    assembler = ReplyAssembler()
    assembler.receive(b"")
    assert assembler.is_empty


def test_reply_of_one_byte_is_not_empty() -> None:
    assembler = ReplyAssembler()
    assembler.receive(b"A")
    assert not assembler.is_empty


@pytest.mark.parametrize(
    ("raw", "command", "status"),
    [(ID_DOES_NOT_MATCH, "0030", "01"), (NOTHING_COLLECTED, "0002", "02")],
)
def test_status_reply_is_its_own_error(raw: bytes, command: str, status: str) -> None:
    with pytest.raises(EcuStatusError) as caught:
        decode(raw)
    error = caught.value
    assert (error.reason, error.command, error.status) == ("status", command, status)


@pytest.mark.parametrize(
    ("raw", "meaning"), [(ID_DOES_NOT_MATCH, "id"), (NOTHING_COLLECTED, "booted")]
)
def test_status_error_says_what_the_status_means(raw: bytes, meaning: str) -> None:
    with pytest.raises(EcuStatusError) as caught:
        decode(raw)
    assert meaning in caught.value.meaning
    assert caught.value.meaning in str(caught.value)


@pytest.mark.parametrize("command", ["0001", "0002", "0003", "0004", "0030"])
def test_status_comes_before_the_body_of_any_command(command: str) -> None:
    assert said(f"APS110015{command}01\n".encode()) == {
        "kind": "status",
        "command": command,
        "status": "01",
    }


def test_status_nobody_knows_is_a_status_all_the_same() -> None:
    with pytest.raises(EcuStatusError) as caught:
        decode(b"APS110015000207\n")
    assert caught.value.status == "07"


def test_status_with_a_trailer_is_a_status_too() -> None:
    assert said(b"APS110018003001END\n") == {"kind": "status", "command": "0030", "status": "01"}


def test_two_digits_behind_a_trailer_are_no_lone_status() -> None:
    assert Reply("11", "0030", b"01").status is None


@pytest.mark.parametrize(
    ("raw", "size", "voltages", "powers"),
    [
        (EIGHTY_QS1, 80, [236], [10, 9, 11, 13]),
        (HUNDRED_QT2, 100, [390, 391, 2570], [10, 20, 69, 10]),
    ],
    ids=["80", "100"],
)
def test_large_reply_keeps_every_row(
    raw: bytes, size: int, voltages: list[int], powers: list[int]
) -> None:
    rows = said(raw)["inverters"]
    measured = {(tuple(row["voltage_volts"]), tuple(row["power_watts"])) for row in rows}
    assert (len(rows), measured) == (size, {(tuple(voltages), tuple(powers))})


def test_hundred_inverters_take_2730_bytes() -> None:
    assert len(HUNDRED_QT2) == 2_730


@pytest.mark.parametrize("raw", [EIGHTY_QS1, HUNDRED_QT2], ids=["80", "100"])
def test_large_reply_split_anywhere_is_the_same(raw: bytes) -> None:
    whole = ReplyAssembler().receive(raw)
    different = []
    for position in range(1, len(raw)):
        assembler = ReplyAssembler()
        first = assembler.receive(raw[:position])
        if first is not None or assembler.receive(raw[position:]) != whole:
            different.append(position)
    assert different == []


@pytest.mark.parametrize("piece", [1, 2, 7, 536, 1024, 1460])
def test_large_reply_in_segments_is_the_same(piece: int) -> None:
    assembler = ReplyAssembler()
    *before, last = [
        assembler.receive(HUNDRED_QT2[at : at + piece]) for at in range(0, len(HUNDRED_QT2), piece)
    ]
    assert (set(before), last) == ({None}, ReplyAssembler().receive(HUNDRED_QT2))


def test_replies_that_follow_each_other_are_split_one_by_one() -> None:
    parts = [SIGNAL, NOTHING_COLLECTED, EIGHTY_QS1, SIGNAL_WITHOUT_TRAILER, HUNDRED_QT2[:-1]]
    rest = b"".join(parts)
    commands = []
    while rest:
        reply, rest = split_replies(rest)
        commands.append((reply.command, len(reply.body)))
    assert commands == [("0030", 9), ("0002", 2), ("0002", 1_853), ("0030", 9), ("0002", 2_713)]


def test_replies_without_a_line_feed_between_are_split_too() -> None:
    first, rest = split_replies(SIGNAL[:-1] + NOTHING_COLLECTED)
    second, rest_of_rest = split_replies(rest)
    assert (first.body, second.status, rest_of_rest) == (SIGNAL_BODY, "02", b"")


def test_rest_that_is_no_reply_is_framing() -> None:
    _, rest = split_replies(SIGNAL + b"\r\n")
    with pytest.raises(MalformedReplyError) as caught:
        split_replies(rest)
    assert caught.value.reason == "framing"


def test_decoding_a_reply_looks_at_nothing_behind_it() -> None:
    reply, _ = split_replies(EIGHTY_QS1 + b"rubbish")
    reading = decode_reply(reply)
    assert isinstance(reading, RoundReading)
    assert len(reading.inverters) == 80


@pytest.mark.parametrize("behind", [b"", b"\n", b"more"])
def test_reply_keeps_all_that_came(behind: bytes) -> None:
    reply, _ = split_replies(SIGNAL + behind)
    assert reply.raw == SIGNAL + behind


@pytest.mark.parametrize("raw", [SIGNAL[:-2], SIGNAL[:5], b"HTTP/1.1 400", b"APS1100050030"])
def test_what_is_no_reply_keeps_all_that_came(raw: bytes) -> None:
    with pytest.raises(MalformedReplyError) as caught:
        split_replies(raw)
    assert caught.value.received == raw


def test_reply_that_makes_no_sense_keeps_all_that_came() -> None:
    raw = framed("0030", b"00123") + b"behind"
    with pytest.raises(MalformedReplyError) as caught:
        decode(raw)
    assert (caught.value.reason, caught.value.received) == ("malformed", raw)
