"""Bytes nobody thought of. An example over its deadline fails, so time is bounded too."""

from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import timedelta
from itertools import islice, product
from time import process_time
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aps_exporter.ecu import records
from aps_exporter.ecu.decode import decode
from aps_exporter.ecu.replies import ReplyAssembler
from aps_exporter.errors import EcuStatusError, MalformedReplyError
from aps_exporter.wire import (
    Codec,
    CountedText,
    Cursor,
    Filler,
    PackedDigits,
    Text,
    Unsigned,
    codecs_of,
    read_record,
    to_bytes,
)
from tests.protocol.captures import WHOLE, Capture
from tests.protocol.frames import framed, round_reply

COMMANDS: Final = ("0001", "0002", "0003", "0004", "0030")
GROUPS: Final = ("11", "12")

RECORD_TYPES: Final = tuple(
    kind
    for kind in vars(records).values()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == records.__name__
)

bounded = settings(max_examples=60, deadline=timedelta(seconds=1))

hostile_bytes = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.sampled_from([b"\x00", b"\n", b"END", b"APS11", b"00", b"01", b"09", b"zz", b"\xff"]),
        max_size=80,
    ).map(b"".join),
)


def _decode_or_refuse(raw: bytes) -> None:
    with suppress(MalformedReplyError, EcuStatusError):
        decode(raw)


@settings(bounded, max_examples=200)
@given(hostile_bytes)
def test_any_bytes_are_decoded_or_refused(raw: bytes) -> None:
    _decode_or_refuse(raw)


@bounded
@given(st.sampled_from([b"", b"APS110040"]), st.lists(st.binary(max_size=40), max_size=8))
def test_any_pieces_are_a_reply_or_refused(start: bytes, pieces: list[bytes]) -> None:
    assembler = ReplyAssembler()
    with suppress(MalformedReplyError):
        assembler.receive(start)
        for piece in pieces:
            assembler.receive(piece)
        assembler.finish()


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("command", COMMANDS)
@bounded
@given(body=hostile_bytes, status=st.sampled_from([b"", b"00", b"0001"]))
def test_any_body_is_decoded_or_refused(
    command: str, group: str, body: bytes, status: bytes
) -> None:
    _decode_or_refuse(framed(command, status + body, group=group))


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("command", COMMANDS)
@bounded
@given(rest=hostile_bytes)
def test_anything_behind_a_header_is_decoded_or_refused(
    command: str, group: str, rest: bytes
) -> None:
    _decode_or_refuse(f"APS{group}0040{command}".encode() + rest)


@pytest.mark.parametrize("capture", WHOLE, ids=lambda capture: capture.name)
@settings(bounded, max_examples=25)
@given(draw=st.data())
def test_mutated_body_of_a_capture_is_decoded_or_refused_for_its_content(
    capture: Capture, draw: st.DataObject
) -> None:
    raw = bytearray(capture.raw)
    places = st.integers(13, len(raw) - 2)
    for place, byte in draw.draw(st.dictionaries(places, st.integers(0, 255), max_size=8)).items():
        raw[place] = byte
    try:
        decode(bytes(raw))
    except EcuStatusError:
        pass
    except MalformedReplyError as error:
        assert error.reason == "malformed"  # noqa: PT017 -- not every mutation is refused


@pytest.mark.parametrize("capture", WHOLE, ids=lambda capture: capture.name)
@settings(bounded, max_examples=15)
@given(cut=st.data(), put_in=st.binary(max_size=30))
def test_body_of_a_capture_with_bytes_cut_out_and_put_in_is_decoded_or_refused(
    capture: Capture, cut: st.DataObject, put_in: bytes
) -> None:
    body = capture.raw[13:-4]
    start = cut.draw(st.integers(0, len(body)))
    end = cut.draw(st.integers(start, len(body)))
    raw = framed(
        capture.raw[9:13].decode(),
        body[:start] + put_in + body[end:],
        group=capture.raw[3:5].decode(),
    )
    _decode_or_refuse(raw)


digit_bytes = st.sampled_from(b"0123456789")
hostile_rows = st.lists(
    st.builds(
        lambda serial, online, type_code, rest: serial + online + type_code + rest,
        st.lists(digit_bytes, min_size=6, max_size=6).map(bytes),
        st.sampled_from([b"\x00", b"\x01", b"1"]),
        st.lists(digit_bytes, min_size=2, max_size=2).map(bytes),
        st.one_of(
            st.lists(digit_bytes, max_size=60).map(bytes),
            st.integers(0, 55).map(bytes),
        ),
    ),
    max_size=40,
)


@bounded
@given(hostile_rows, st.integers(-2, 2) | st.just(60_000))
def test_rows_of_many_unknown_types_are_decoded_or_refused_in_time(
    rows: list[bytes], surplus: int
) -> None:
    _decode_or_refuse(round_reply(*rows, count=max(0, len(rows) + surplus)))


@pytest.mark.parametrize("size", [9, 10, 30, 64])
@pytest.mark.parametrize("filling", [b"\x00", b"0", b"1", b"\x11"], ids=repr)
@pytest.mark.parametrize("behind", [b"", b"\x00"], ids=["fitting", "not fitting"])
def test_rows_of_a_hundred_unknown_types_end_in_time(
    size: int, filling: bytes, behind: bytes
) -> None:
    codes = islice(product(b"abcdefghijk", repeat=2), 100)
    rows = [b"\x11" * 6 + b"\x01" + bytes(code) + filling * (size - 9) for code in codes]
    assert _seconds_for(round_reply(*rows, behind, count=100)) < 1


@pytest.mark.parametrize("how_many", [9, 100, 1_000])
def test_rows_of_a_thousand_unknown_families_end_in_time(how_many: int) -> None:
    families = islice(product(range(10), b"abcdefghij", b"abcdefghij"), how_many)
    rows = [bytes([ten, 0, 0, 0, 0, 0, 1, *code]) for ten, *code in families]
    assert _seconds_for(round_reply(*rows)) < 1


@pytest.mark.parametrize("count", [150, 300, 1_000, 65_535])
def test_longest_reply_of_nothing_but_type_codes_ends_in_time(count: int) -> None:
    body = bytes(byte for codes in product(b"123456789", repeat=4) for byte in codes)[:9_900]
    assert _seconds_for(round_reply(body, count=count)) < 1


def _seconds_for(raw: bytes) -> float:
    """What it takes to decode or refuse the bytes, on the processor's own clock."""
    start = process_time()
    _decode_or_refuse(raw)
    return process_time() - start


def _values_of(codec: Codec) -> st.SearchStrategy[Any]:
    """Everything a field of this codec can hold."""
    match codec:
        case Unsigned(size):
            return st.integers(0, 256**size - 1)
        case PackedDigits(size):
            return st.binary(min_size=size, max_size=size).map(bytes.hex)
        case Text(size):
            return st.text(_latin_1, min_size=size, max_size=size)
        case CountedText(size):
            return st.text(_latin_1, max_size=min(10**size - 1, 999))
        case Filler(size):
            return st.binary(min_size=size, max_size=size)
    raise NotImplementedError(codec)


def _bytes_of(codec: Codec) -> st.SearchStrategy[bytes]:
    """Everything that can stand on the wire for a field of this codec."""
    if isinstance(codec, CountedText):
        size = codec.size
        return st.binary(max_size=99).map(lambda text: f"{len(text):0{size}}".encode() + text)
    return st.binary(min_size=codec.size, max_size=codec.size)


_latin_1 = st.characters(max_codepoint=255)


def test_there_are_records_to_test() -> None:
    assert len(RECORD_TYPES) >= 15


@pytest.mark.parametrize("record_type", RECORD_TYPES, ids=lambda kind: kind.__name__)
def test_every_field_of_a_record_is_on_the_wire(record_type: type[Any]) -> None:
    assert [name for name, _ in codecs_of(record_type)] == [f.name for f in fields(record_type)]


@pytest.mark.parametrize("record_type", RECORD_TYPES, ids=lambda kind: kind.__name__)
@settings(bounded, max_examples=30)
@given(draw=st.data())
def test_record_that_is_written_reads_back(record_type: type[Any], draw: st.DataObject) -> None:
    values = {name: draw.draw(_values_of(codec)) for name, codec in codecs_of(record_type)}
    record = record_type(**values)
    cursor = Cursor(to_bytes(record))
    assert (read_record(record_type, cursor), cursor.remaining) == (record, 0)


@pytest.mark.parametrize("record_type", RECORD_TYPES, ids=lambda kind: kind.__name__)
@settings(bounded, max_examples=30)
@given(draw=st.data())
def test_record_that_is_read_is_written_back(record_type: type[Any], draw: st.DataObject) -> None:
    content = b"".join(draw.draw(_bytes_of(codec)) for _, codec in codecs_of(record_type))
    assert to_bytes(read_record(record_type, Cursor(content))) == content


@pytest.mark.parametrize("record_type", RECORD_TYPES, ids=lambda kind: kind.__name__)
@settings(bounded, max_examples=15)
@given(draw=st.data())
def test_record_cut_anywhere_is_malformed(record_type: type[Any], draw: st.DataObject) -> None:
    content = b"".join(draw.draw(_bytes_of(codec)) for _, codec in codecs_of(record_type))
    cut = draw.draw(st.integers(0, len(content) - 1))
    with pytest.raises(MalformedReplyError) as caught:
        read_record(record_type, Cursor(content[:cut]))
    assert caught.value.reason == "malformed"
