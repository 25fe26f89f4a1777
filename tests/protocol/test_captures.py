import pytest

from aps_exporter.ecu.decode import decode
from aps_exporter.ecu.replies import Reply, ReplyAssembler
from aps_exporter.readings import InverterReading, RoundReading
from tests.protocol.captures import CAPTURES, PARTIAL, WHOLE, Capture, capture_named
from tests.protocol.frames import framed
from tests.protocol.shapes import said

ONLINE_AND_OFFLINE = {
    "ecur-qs1x7-night-2020-12-28": (0, 7),
    "ecur-qt2x6-rt-2023-11-21-morning": (1, 5),
    "pro-ds3x8-rt-2022-09-19-night": (0, 8),
    "ecuc-qs1x5-2022-05-17-night": (0, 9),
}
"""How many of each stand in the captures that have offline rows."""

of_any = pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
of_whole = pytest.mark.parametrize("capture", WHOLE, ids=lambda capture: capture.name)
of_partial = pytest.mark.parametrize("capture", PARTIAL, ids=lambda capture: capture.name)


def test_there_are_27_captures_two_of_them_partial() -> None:
    assert (len({capture.name for capture in CAPTURES}), len(WHOLE)) == (27, 25)


@of_any
def test_capture_says_what_is_expected(capture: Capture) -> None:
    assert said(capture.raw) == capture.expected


@of_any
def test_capture_cut_after_any_byte_is_truncated(capture: Capture) -> None:
    cuts = range(len(capture.raw) - 1) if capture in WHOLE else range(len(capture.raw) + 1)
    assert {cut: said(capture.raw[:cut]) for cut in cuts} == {
        cut: {"kind": "error", "error": "truncated"} for cut in cuts
    }


@of_any
def test_nothing_comes_of_a_capture_that_was_cut(capture: Capture) -> None:
    cuts = range(len(capture.raw)) if capture in WHOLE else range(len(capture.raw) + 1)
    assert [cut for cut in cuts if ReplyAssembler().receive(capture.raw[:cut]) is not None] == []


@of_whole
def test_capture_without_its_line_feed_says_the_same(capture: Capture) -> None:
    assert said(capture.raw[:-1]) == capture.expected


@of_whole
def test_capture_without_its_line_feed_waits_for_nothing_else(capture: Capture) -> None:
    lacking = []
    for cut in range(len(capture.raw) + 1):
        assembler = ReplyAssembler()
        assembler.receive(capture.raw[:cut])
        if assembler.lacks_only_line_feed:
            lacking.append(cut)
    assert lacking == [len(capture.raw) - 1]


@of_whole
def test_capture_byte_by_byte_is_whole_with_its_last_byte(capture: Capture) -> None:
    *before, last = _received(capture.raw, piece=1)
    assert (set(before), last) == ({None}, _framed(capture.raw))


@of_whole
def test_capture_in_two_pieces_is_the_same_reply(capture: Capture) -> None:
    whole = _framed(capture.raw)
    different = []
    for position in range(len(capture.raw) + 1):
        assembler = ReplyAssembler()
        first = assembler.receive(capture.raw[:position])
        if (first or assembler.receive(capture.raw[position:])) != whole:
            different.append(position)
    assert different == []


@of_partial
def test_partial_capture_byte_by_byte_is_never_whole(capture: Capture) -> None:
    assert set(_received(capture.raw, piece=1)) == {None}


@of_whole
def test_line_feed_at_any_place_of_the_body_never_moves_the_end(capture: Capture) -> None:
    whole = _framed(capture.raw)
    moved = []
    for position in _body_positions(capture.raw):
        mutated = _with_line_feed(capture.raw, position)
        at_once = _framed(mutated)
        *before, last = _received(mutated, piece=1)
        if set(before) != {None} or last != at_once or _frame_of(at_once) != _frame_of(whole):
            moved.append(position)
    assert moved == []


@of_whole
def test_line_feed_at_any_place_of_the_body_is_no_fault_of_the_frame(capture: Capture) -> None:
    errors = {
        position: said(_with_line_feed(capture.raw, position)).get("error", "none")
        for position in _body_positions(capture.raw)
    }
    assert {
        position: error for position, error in errors.items() if error not in {"none", "malformed"}
    } == {}


@pytest.mark.parametrize(("name", "counts"), ONLINE_AND_OFFLINE.items())
def test_offline_rows_are_counted_apart(name: str, counts: tuple[int, int]) -> None:
    inverters = _inverters(capture_named(name))
    online = sum(inverter.online is True for inverter in inverters)
    assert (online, len(inverters) - online) == counts


def test_no_other_capture_has_offline_rows() -> None:
    assert {
        capture.name
        for capture in WHOLE
        if capture.expected["kind"] == "inverters"
        if any(not row["online"] for row in capture.expected["inverters"])
    } == set(ONLINE_AND_OFFLINE)


@pytest.mark.parametrize("name", ONLINE_AND_OFFLINE)
def test_offline_rows_give_no_measurement(name: str) -> None:
    measured = [
        value
        for inverter in _inverters(capture_named(name))
        if not inverter.online
        for value in (
            inverter.frequency_hertz,
            inverter.temperature_celsius,
            inverter.power_watts,
            *(channel.power_watts for channel in inverter.channels),
            *(phase.voltage_volts for phase in inverter.phases),
        )
    ]
    assert set(measured) == {None}


@pytest.mark.parametrize(
    ("round_name", "info_name"),
    [
        ("ecur-qt2x6-rt-2023-11-20", "ecur-qt2x6-info-2023-11-20"),
        ("ecur-qt2x6-rt-2023-11-21-morning", "ecur-qt2x6-info-2023-11-21-morning"),
        ("pro-qs1ax6-rt-2024-03-25-glitch", "pro-qs1ax6-info-2024-03-25-glitch"),
    ],
)
def test_online_rows_sum_to_the_power_of_the_ecu(round_name: str, info_name: str) -> None:
    powers = [inverter.power_watts or 0 for inverter in _inverters(capture_named(round_name))]
    assert sum(powers) == capture_named(info_name).expected["power_watts"]


def test_frames_of_these_tests_are_those_of_the_captures() -> None:
    empty_list = capture_named("ecuc-empty-list-2026-04-26")
    assert framed("0002", empty_list.raw[13:-4]) == empty_list.raw


def _framed(raw: bytes) -> Reply | None:
    return ReplyAssembler().receive(raw)


def _received(raw: bytes, *, piece: int) -> list[Reply | None]:
    assembler = ReplyAssembler()
    return [assembler.receive(raw[at : at + piece]) for at in range(0, len(raw), piece)]


def _frame_of(reply: Reply | None) -> tuple[object, ...]:
    assert reply is not None
    return reply.group, reply.command, len(reply.body), reply.trailer_missing, reply.trailing_bytes


def _body_positions(raw: bytes) -> range:
    """From behind the header to before the trailer, or to the line feed if there is no trailer."""
    return range(13, len(raw) - 4 if raw.endswith(b"END\n") else len(raw) - 1)


def _with_line_feed(raw: bytes, position: int) -> bytes:
    return raw[:position] + b"\n" + raw[position + 1 :]


def _inverters(capture: Capture) -> tuple[InverterReading, ...]:
    reading = decode(capture.raw)
    assert isinstance(reading, RoundReading)
    return reading.inverters
