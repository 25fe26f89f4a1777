"""A reply cut into pieces: what names an ECU, an inverter or a network card, and all the rest.

The record tables say where a name stands. `decode` does not do: it leaves out the ECU's own row and
rows of a type nobody can read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.records import (
    MAGIC,
    InfoHead,
    InfoLayout01,
    InfoLayout02,
    RoundHead,
    RowHead,
    SignalRow,
    StatusHead,
)
from aps_exporter.ecu.replies import HEADER_SIZE, Reply, split_replies
from aps_exporter.ecu.rows import UnknownRow, read_rows
from aps_exporter.errors import EcuStatusError, MalformedReplyError
from aps_exporter.wire import Cursor, Filler, codecs_of, read_record, size_of


class Kind(Enum):
    """What a piece is.

    UNREAD could not be read, though it should be; of FILLER nobody knows the meaning.
    """

    PLAIN = auto()
    ECU_ID = auto()
    SERIAL = auto()
    MAC = auto()
    UNREAD = auto()
    FILLER = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a reply."""

    kind: Kind
    content: bytes


_GOOD: Final = "00"
_CENTURY: Final = "20"
"""Years start with it, and no serial does."""

_KINDS_OF_FIELDS: Final = {
    "ecu": Kind.ECU_ID,
    "serial": Kind.SERIAL,
    "ethernet_mac": Kind.MAC,
    "wifi_mac": Kind.MAC,
}


def pieces_of(raw: bytes) -> Iterator[Piece]:
    """The pieces of a reply and of what came behind it; one behind the other they are `raw`."""
    while raw:
        try:
            reply, behind = split_replies(raw)
        except MalformedReplyError:
            start = HEADER_SIZE if _starts_with_header(raw) else 0
            yield Piece(Kind.PLAIN, raw[:start])
            yield from _unread_pieces(raw[start:])
            return
        body_end = HEADER_SIZE + len(reply.body)
        yield Piece(Kind.PLAIN, raw[:HEADER_SIZE])
        yield from _pieces_of_body(reply)
        yield Piece(Kind.PLAIN, raw[body_end : len(raw) - len(behind)])
        raw = behind


def _starts_with_header(raw: bytes) -> bool:
    digits = raw[len(MAGIC) : HEADER_SIZE]
    return len(raw) >= HEADER_SIZE and raw.startswith(MAGIC.encode()) and digits.isdigit()


def _pieces_of_body(reply: Reply) -> Iterator[Piece]:
    try:
        decode_reply(reply)
    except EcuStatusError:
        status = size_of(StatusHead)
        yield Piece(Kind.PLAIN, reply.body[:status])
        yield Piece(Kind.UNREAD, reply.body[status:])
    except MalformedReplyError:
        yield from _unread_pieces(reply.body)
    else:
        cursor = Cursor(reply.body)
        yield from _WALKS.get(reply.command, _nothing)(cursor)
        yield Piece(Kind.PLAIN, cursor.take(cursor.remaining))


def _unread_pieces(content: bytes) -> Iterator[Piece]:
    """The time of a round could be taken for a serial; where it can be told, it is kept."""
    start = size_of(StatusHead) + size_of(RoundHead)
    if len(content) >= start:
        cursor = Cursor(content)
        status = read_record(StatusHead, cursor).status
        time = read_record(RoundHead, cursor).measured_at
        if status == _GOOD and time.isdecimal() and time.startswith(_CENTURY):
            yield Piece(Kind.PLAIN, content[:start])
            content = content[start:]
    yield Piece(Kind.UNREAD, content)


def _info(cursor: Cursor) -> Iterator[Piece]:
    head = read_record(InfoHead, cursor)
    yield from _pieces_of_record(head)
    layout = {"01": InfoLayout01, "02": InfoLayout02}[head.layout]
    yield from _pieces_of_record(read_record(layout, cursor))
    yield Piece(Kind.FILLER, cursor.take(cursor.remaining))


def _inverters(cursor: Cursor) -> Iterator[Piece]:
    yield from _pieces_of_record(read_record(StatusHead, cursor))
    head = read_record(RoundHead, cursor)
    yield from _pieces_of_record(head)
    for row in read_rows(cursor.take(cursor.remaining), head.row_count):
        rest = Cursor(row.raw)
        yield from _pieces_of_record(read_record(RowHead, rest))
        is_unknown = isinstance(row, UnknownRow)
        yield Piece(Kind.UNREAD if is_unknown else Kind.PLAIN, rest.take(rest.remaining))


def _signal(cursor: Cursor) -> Iterator[Piece]:
    yield from _pieces_of_record(read_record(StatusHead, cursor))
    while cursor.remaining:
        yield from _pieces_of_record(read_record(SignalRow, cursor))


def _nothing(_: Cursor) -> Iterator[Piece]:
    """Power and energy lists name nobody."""
    return iter(())


def _pieces_of_record(record: object) -> Iterator[Piece]:
    for name, codec in codecs_of(type(record)):
        kind = Kind.FILLER if isinstance(codec, Filler) else Kind.PLAIN
        yield Piece(_KINDS_OF_FIELDS.get(name, kind), codec.to_bytes(getattr(record, name)))


_WALKS: Final[dict[str, Callable[[Cursor], Iterator[Piece]]]] = {
    "0001": _info,
    "0002": _inverters,
    "0030": _signal,
}
