"""How a record is read from and written to bytes.

A wire format is written once, as a table: a frozen dataclass whose annotations are the fields in
wire order, each with its codec. Records keep exactly what was sent; what it means is for `decode`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, Protocol, TypeVar, get_type_hints

from aps_exporter.errors import MalformedReplyError

Record = TypeVar("Record")


class Cursor:
    """Walks over bytes once, from the front, and never past their end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def remaining(self) -> int:
        """How many bytes have not been taken yet."""
        return len(self._content) - self._position

    def take(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            MalformedReplyError: there are fewer.
        """
        if size > self.remaining:
            raise MalformedReplyError(
                "malformed",
                f"the body ends at byte {len(self._content)}, "
                f"but a field needs {size} bytes from byte {self._position} on",
            )
        taken = self._content[self._position : self._position + size]
        self._position += size
        return taken


class Codec(Protocol):
    """Reads one field, and writes it back as it was; `size` is its bytes on the wire."""

    @property
    def size(self) -> int: ...

    def read(self, cursor: Cursor) -> Any: ...

    def to_bytes(self, value: Any) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A big-endian unsigned integer of `size` bytes."""

    size: int

    def read(self, cursor: Cursor) -> int:
        return int.from_bytes(cursor.take(self.size), "big")

    def to_bytes(self, value: int) -> bytes:
        return value.to_bytes(self.size, "big")


@dataclass(frozen=True, slots=True)
class PackedDigits:
    """`size` bytes with two digits in each; a hostile nibble shows as a letter a to f."""

    size: int

    def read(self, cursor: Cursor) -> str:
        return cursor.take(self.size).hex()

    def to_bytes(self, value: str) -> bytes:
        return bytes.fromhex(value)


@dataclass(frozen=True, slots=True)
class Text:
    """`size` characters. Latin-1 keeps any byte as it came; nothing here trusts it to be ASCII."""

    size: int

    def read(self, cursor: Cursor) -> str:
        return cursor.take(self.size).decode("latin-1")

    def to_bytes(self, value: str) -> bytes:
        return value.encode("latin-1")


@dataclass(frozen=True, slots=True)
class CountedText:
    """Text behind its own length, which is written in `size` ASCII digits."""

    size: int

    def read(self, cursor: Cursor) -> str:
        count = cursor.take(self.size)
        if not count.isdigit():
            raise MalformedReplyError(
                "malformed", f"expected the {self.size} digits of a text length, got {count!r}"
            )
        return cursor.take(int(count)).decode("latin-1")

    def to_bytes(self, value: str) -> bytes:
        return f"{len(value):0{self.size}}".encode() + value.encode("latin-1")


@dataclass(frozen=True, slots=True)
class Filler:
    """`size` bytes whose meaning nobody knows."""

    size: int

    def read(self, cursor: Cursor) -> bytes:
        return cursor.take(self.size)

    def to_bytes(self, value: bytes) -> bytes:
        return value


def _codecs_of(record_type: type) -> tuple[tuple[str, Codec], ...]:
    hints = get_type_hints(record_type, include_extras=True)
    return tuple((field.name, hints[field.name].__metadata__[0]) for field in fields(record_type))


codecs_of: Final[Callable[[type], tuple[tuple[str, Codec], ...]]] = cache(_codecs_of)
"""The table of a record: field names and their codecs, in wire order."""


def size_of(record_type: type) -> int:
    """How many bytes a record without counted text takes."""
    return sum(codec.size for _, codec in codecs_of(record_type))


def read_record(record_type: type[Record], cursor: Cursor) -> Record:
    """The next record of this type.

    Raises:
        MalformedReplyError: the bytes end too early, or a text length is no number.
    """
    return record_type(*[codec.read(cursor) for _, codec in codecs_of(record_type)])


def to_bytes(record: object) -> bytes:
    """The record as it stands on the wire."""
    return b"".join(
        codec.to_bytes(getattr(record, name)) for name, codec in codecs_of(type(record))
    )
