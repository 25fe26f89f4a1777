"""The rows of an inverters reply, those of unknown size included.

A row's type code decides its size. Where the code does not (`05`, or a model from the future), the
size is the one with which the rest of the reply parses to exactly its end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aps_exporter.ecu.records import NO_LAYOUT, ROW_LAYOUTS, MeasuredRow, RowHead
from aps_exporter.errors import MalformedReplyError
from aps_exporter.wire import Cursor, read_record, size_of

_HEAD_SIZE: Final = size_of(RowHead)
_SIZES_OF_UNKNOWN_ROWS: Final = range(_HEAD_SIZE, 65)
"""Bytes. The largest row known has 27; no model measures so much that it needs twice that."""

_MOST_STEPS: Final = 5_000
"""Rows looked at in search of a fit; real replies need hundreds, hostile ones get no more."""

_MOST_UNKNOWN_FAMILIES: Final = 8
"""In one reply; nobody's roof carries more inverter models that nobody knows."""

_FAMILIES_WITH_LONG_ROWS: Final = ("90",)
"""Serial prefixes of type `05` rows that are tried with the longer layout first."""

Family = tuple[str, str]
"""Type code and first two digits of the serial: rows of one family have one size."""


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A row whose layout is known; one of type `00` is nothing but its head."""

    head: RowHead
    measured: MeasuredRow | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class UnknownRow:
    """Rows that cannot be read: `count` of them, of the type code that stands in the first.

    Of their bytes, `raw`, only the head at the start is understood.
    """

    type_code: str
    raw: bytes
    count: int = 1


def read_rows(content: bytes, count: int) -> Iterator[KnownRow | UnknownRow]:
    """The `count` rows that fill `content`; their `raw` bytes, one behind the other, are it.

    When no size of an unknown row makes the rest fit, the rows before it come, and then one
    UnknownRow that counts it and all after it.

    Raises:
        MalformedReplyError: rows of known types do not fill the content exactly.
    """
    if count * _HEAD_SIZE > len(content):
        raise MalformedReplyError(
            "malformed", f"{count} rows were declared, but {len(content)} bytes cannot hold them"
        )
    sizes = _Fit(content, count).sizes()
    cursor = Cursor(content)
    for index in range(count):
        start = cursor.take(_HEAD_SIZE)
        head = _head(start)
        size = _known_size(head) or sizes.get(_family(head))
        if size is None:
            yield UnknownRow(head.type_code, start + cursor.take(cursor.remaining), count - index)
            return
        yield _row(head, start + cursor.take(size - _HEAD_SIZE))
    if cursor.remaining:
        raise MalformedReplyError(
            "malformed",
            f"{count} rows fill {len(content) - cursor.remaining} of {len(content)} bytes",
        )


def checked_serial(digits: str) -> str:
    """An inverter serial.

    Raises:
        MalformedReplyError: a hostile nibble made it something else.
    """
    if not digits.isdecimal():
        raise MalformedReplyError(
            "malformed", f"expected an inverter serial of 12 digits, got {digits}"
        )
    return digits


def _row(head: RowHead, raw: bytes) -> KnownRow | UnknownRow:
    if head.type_code == NO_LAYOUT:
        return KnownRow(head, None, raw)
    measurements = raw[_HEAD_SIZE:]
    for layout in ROW_LAYOUTS.get(head.type_code, ()):
        if size_of(layout) == len(measurements):
            measured: MeasuredRow = read_record(layout, Cursor(measurements))
            return KnownRow(head, measured, raw)
    return UnknownRow(head.type_code, raw)


def _head(content: bytes) -> RowHead:
    head = read_record(RowHead, Cursor(content))
    checked_serial(head.serial)
    if not (head.type_code.isascii() and head.type_code.isalnum()):
        raise MalformedReplyError(
            "malformed", f"expected a type code of two letters or digits, got {head.type_code!r}"
        )
    return head


def _family(head: RowHead) -> Family:
    return head.type_code, head.serial[:2]


def _known_size(head: RowHead) -> int | None:
    """The size of a row whose type code leaves no choice, else None."""
    if head.type_code == NO_LAYOUT:
        return _HEAD_SIZE
    layouts = ROW_LAYOUTS.get(head.type_code, ())
    return _HEAD_SIZE + size_of(layouts[0]) if len(layouts) == 1 else None


def _possible_sizes(family: Family) -> list[int]:
    """The sizes a row of a family without one size may have, the most likely first."""
    type_code, prefix = family
    layouts = ROW_LAYOUTS.get(type_code)
    if layouts is None:
        return list(_SIZES_OF_UNKNOWN_ROWS)
    sizes = sorted(_HEAD_SIZE + size_of(layout) for layout in layouts)
    return sizes[::-1] if prefix in _FAMILIES_WITH_LONG_ROWS else sizes


class _Fit:
    """The search for sizes, one a family, with which the rows fill the content exactly.

    The fit with the fewest unknown families wins: in the zeros of a sleeping row of unknown size
    a row of yet another kind can always be imagined.
    """

    def __init__(self, content: bytes, count: int) -> None:
        self._content = content
        self._count = count
        self._steps = 0

    def sizes(self) -> dict[Family, int]:
        """A size for each family that needs one; empty when none is needed or none fits."""
        for families in range(_MOST_UNKNOWN_FAMILIES + 1):
            found = self._search(0, 0, {}, families)
            if found is not None:
                return found
        return {}

    def _search(
        self, index: int, position: int, sizes: dict[Family, int], families: int
    ) -> dict[Family, int] | None:
        """Walks on from this row; at a family without a size yet, tries each possible one."""
        while index < self._count:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                return None
            try:
                head = _head(self._content[position : position + _HEAD_SIZE])
            except MalformedReplyError:
                return None
            family = _family(head)
            size = _known_size(head) or sizes.get(family)
            if size is None:
                return self._try_each(index, position, sizes, family, families)
            index += 1
            position += size
        return sizes if position == len(self._content) else None

    def _try_each(
        self,
        index: int,
        position: int,
        sizes: dict[Family, int],
        family: Family,
        families: int,
    ) -> dict[Family, int] | None:
        if len(sizes) == families:
            return None
        for size in _possible_sizes(family):
            found = self._search(index, position, {**sizes, family: size}, families)
            if found is not None:
                return found
        return None
