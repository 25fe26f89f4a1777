"""Replies without the names in them: serials, the ECU's id and MAC addresses become numbers.

What a name stands for stays: its length, the model that a serial starts with, the maker that a MAC
address starts with, and that one serial is the same inverter in every reply.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from aps_exporter.ecu.pieces import Kind, Piece, pieces_of
from aps_exporter.ecu.records import RowHead
from aps_exporter.inverter_types import INVERTER_TYPES
from aps_exporter.wire import size_of

ECU_MAKERS: Final = ("80971b", "60c5a8")
"""The first three bytes of the MAC addresses that ECUs have."""

_DIGITS: Final = 12
"""Hex digits of any name: two a byte, or in the text of an info reply one."""

_NO_LETTERS: Final = frozenset("0123456789")
_LETTERS_TOO: Final = frozenset("0123456789abcdef")
_ECU_ID_PREFIX: Final = "2"
_ECU_SERIAL_PREFIX: Final = "21"
_PREFIX: Final = 2
"""Digits of a serial that tell its family."""

_ONLINE: Final = (b"\0", b"\1", b"")
_ROW_HEAD: Final = size_of(RowHead)

SERIAL_PREFIXES: Final = (
    *sorted({known.serial_prefix[:_PREFIX] for known in INVERTER_TYPES if known.serial_prefix}),
    _ECU_SERIAL_PREFIX,
)


@dataclass(frozen=True, slots=True)
class MaskedReply:
    """A reply without its names.

    `is_guessed` tells that a part of it could not be read, so that all that looks like a name was
    masked there: what was no name may have changed, and a name that looks like none has not.
    """

    raw: bytes
    is_guessed: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """How names are written: in so many bytes, of which the first `kept` stay."""

    size: int
    kept: int
    alphabet: frozenset[str]
    blank: bytes
    digits_of: Callable[[bytes], str]
    bytes_of: Callable[[str], bytes]

    @property
    def kept_digits(self) -> int:
        return self.kept * _DIGITS // self.size


def _text(content: bytes) -> str:
    return content.decode("latin-1")


_PACKED: Final = _Form(6, 2, _NO_LETTERS, b"\x00", bytes.hex, bytes.fromhex)
_TEXT: Final = _Form(12, 4, _NO_LETTERS, b"0", _text, str.encode)
_MAC: Final = _Form(6, 3, _LETTERS_TOO, b"\x00", bytes.hex, bytes.fromhex)
_FORMS: Final = {Kind.SERIAL: _PACKED, Kind.ECU_ID: _TEXT, Kind.MAC: _MAC}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a part that cannot be read something looks like a name, or the start of one."""

    offset: int
    form: _Form
    digits: str

    @property
    def span(self) -> range:
        return range(self.offset, self.offset + len(self.digits) * self.form.size // _DIGITS)


def mask(replies: Sequence[bytes]) -> list[MaskedReply]:
    """These replies, each as long as it was, with every name in them replaced.

    Serials, and the ECU's id, keep their first four digits; a number, by order of appearance,
    takes the place of the rest. MAC addresses keep their first three bytes. All zeros stay.
    """
    cut = [[*pieces_of(raw)] for raw in replies]
    names: dict[str, _Form] = {}
    for piece in (piece for pieces in cut for piece in pieces if piece.kind in _FORMS):
        digits = _FORMS[piece.kind].digits_of(piece.content)
        if digits.strip("0"):
            names.setdefault(digits, _FORMS[piece.kind])
    looks = _Looks(names)
    guesses = [
        [looks.places_in(piece.content) if _is_searched(piece) else [] for piece in pieces]
        for pieces in cut
    ]
    for place in (place for of_reply in guesses for places in of_reply for place in places):
        if len(place.digits) == _DIGITS:
            names.setdefault(place.digits, place.form)
    masks = _masks(names)
    return [
        _masked_reply(pieces, places, masks) for pieces, places in zip(cut, guesses, strict=True)
    ]


def _masked_reply(
    pieces: Sequence[Piece], guesses: Sequence[Sequence[_Place]], masks: dict[str, str]
) -> MaskedReply:
    raw = b"".join(
        _masked(piece, places, masks) for piece, places in zip(pieces, guesses, strict=True)
    )
    is_unread = any(piece.kind is Kind.UNREAD and piece.content for piece in pieces)
    if is_unread:
        # Rows of unknown size may have been told apart wrongly: what is left of the names goes too.
        for name, substitute in masks.items():
            raw = raw.replace(bytes.fromhex(name), bytes.fromhex(substitute))
            raw = raw.replace(name.encode(), substitute.encode())
    return MaskedReply(raw, is_guessed=is_unread or any(guesses))


def _is_searched(piece: Piece) -> bool:
    return piece.kind in {Kind.UNREAD, Kind.FILLER}


def _masks(names: dict[str, _Form]) -> dict[str, str]:
    """What stands for each name; never another name, nor what stands for another."""
    taken = {*names}
    masks = {}
    numbers = {form: count(1) for form in (_PACKED, _MAC)}
    for name, form in names.items():
        kept = form.kept_digits
        numbered = (
            f"{name[:kept]}{number:0{_DIGITS - kept}}"
            for number in numbers[_MAC if form is _MAC else _PACKED]
        )
        candidate = next(mask for mask in numbered if mask not in taken)
        taken.add(candidate)
        masks[name] = candidate
    return masks


def _masked(piece: Piece, places: Iterable[_Place], masks: dict[str, str]) -> bytes:
    form = _FORMS.get(piece.kind)
    if form is not None:
        digits = form.digits_of(piece.content)
        return form.bytes_of(masks.get(digits, digits))
    written = bytearray(piece.content)
    settled = bytearray(len(written))
    for place in places:
        form, start, end = place.form, place.span.start, place.span.stop
        if len(place.digits) == _DIGITS and not any(settled[start:end]):
            written[start:end] = form.bytes_of(masks[place.digits])
            settled[start:end] = b"\x01" * form.size
            continue
        # Cut short, or only one of two that overlap is a name, and nobody knows which.
        for position in range(start + form.kept, end):
            if not settled[position]:
                written[position : position + 1] = form.blank
                settled[position] = True
    return bytes(written)


def _is_row_head(head: bytes) -> bool:
    """Whether a row of an inverters reply may start so, of whatever model; it may be cut short."""
    online = head[_PACKED.size : _PACKED.size + 1]
    type_code = head[_PACKED.size + 1 :]
    return online in _ONLINE and (not type_code or type_code.isalnum())


class _Looks:
    """What looks like a name: the names that were read, and whatever starts as names do."""

    def __init__(self, names: dict[str, _Form]) -> None:
        self._names = {*names}
        families = {
            name[:_PREFIX]
            for name, form in names.items()
            if form is _PACKED and not name.startswith("00")
        }
        self._starts = (
            (_PACKED, (*SERIAL_PREFIXES, *sorted(families))),
            (_TEXT, (_ECU_ID_PREFIX,)),
            (_MAC, ECU_MAKERS),
        )

    def places_in(self, content: bytes) -> list[_Place]:
        """In the order in which to mask them: first the names that were read.

        What overlaps with one of those is none.
        """
        places = sorted(self._all_places_in(content), key=lambda place: place.offset)
        read = [place for place in places if place.digits in self._names]
        taken = {position for place in read for position in place.span}
        return read + [place for place in places if taken.isdisjoint(place.span)]

    def _all_places_in(self, content: bytes) -> Iterator[_Place]:
        for form, starts in self._starts:
            for offset in range(len(content) - form.kept):
                digits = form.digits_of(content[offset : offset + form.size])
                if not form.alphabet.issuperset(digits) or not digits.strip("0"):
                    continue
                if (
                    digits.startswith(starts)
                    or self._starts_a_name(digits)
                    or (form is _PACKED and _is_row_head(content[offset : offset + _ROW_HEAD]))
                ):
                    yield _Place(offset, form, digits)

    def _starts_a_name(self, digits: str) -> bool:
        if len(digits) == _DIGITS:
            return digits in self._names
        return any(name.startswith(digits) for name in self._names)
