"""What stands on the pages of an SQLite file that SQLite itself refuses to read.

Where the path from the root of a table to a page is damaged, the page still holds its rows: here
each page is read by itself. Written after https://www.sqlite.org/fileformat2.html.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

PAGE_BYTES: Final = 4096

Value = None | int | str | bytes

_FILE_HEADER_BYTES: Final = 100
_PAGE_HEAD: Final = struct.Struct(">BHHHB")
_PAGE_NUMBER: Final = struct.Struct(">I")
_CELL_OFFSET: Final = struct.Struct(">H")

_WAL_MAGIC: Final = 0x377F0682
"""With its lowest bit set the words of the checksums are big-endian."""
_WAL_HEADER: Final = struct.Struct(">IIIIIIII")
_FRAME_HEADER: Final = struct.Struct(">IIIIII")
_CHECKSUM_BYTES: Final = 8
_FRAME_CHECKED_BYTES: Final = 8


class _Layout(NamedTuple):
    """How the cells of one kind of page look."""

    head_bytes: int
    left_child_bytes: int
    has_row_id: bool
    most_local_bytes: int


_LEAST_LOCAL_BYTES: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
_INDEX_LOCAL_BYTES: Final = (PAGE_BYTES - 12) * 64 // 255 - 23
_LAYOUTS: Final = {
    0x02: _Layout(12, _PAGE_NUMBER.size, has_row_id=False, most_local_bytes=_INDEX_LOCAL_BYTES),
    0x0A: _Layout(8, 0, has_row_id=False, most_local_bytes=_INDEX_LOCAL_BYTES),
    0x0D: _Layout(8, 0, has_row_id=True, most_local_bytes=PAGE_BYTES - 35),
}
"""By the first byte of a page: inside of an index, leaf of an index, leaf of a table."""

_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_CONSTANTS: Final[dict[int, int | None]] = {0: None, 8: 0, 9: 1}
_FIRST_LENGTH: Final = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a table, or one entry of an index (these have no row id)."""

    row_id: int | None
    values: tuple[Value, ...]


class Pages:
    """The pages of a database as what was committed to its WAL leaves them."""

    def __init__(self, database: BinaryIO, wal: BinaryIO | None) -> None:
        self._database = database
        self._wal = wal
        self._frames = dict(_committed_frames(wal)) if wal else {}
        in_file = Path(database.name).stat().st_size // PAGE_BYTES
        self._count = max(in_file, *self._frames, 0)

    def cells(self) -> Iterator[Cell]:
        """Every row and index entry that can be made out; damaged ones may be among them."""
        for number in range(1, self._count + 1):
            page = self._page(number)
            start = _FILE_HEADER_BYTES if number == 1 else 0
            layout = _LAYOUTS.get(page[start]) if page else None
            if layout is None:
                continue
            _, _, count, _, _ = _PAGE_HEAD.unpack_from(page, start)
            offsets = page[start + layout.head_bytes :][: count * _CELL_OFFSET.size]
            for (offset,) in _CELL_OFFSET.iter_unpack(offsets):
                try:
                    yield self._cell(page, offset, layout)
                except (IndexError, ValueError):
                    continue

    def _page(self, number: int) -> bytes:
        """The page, or nothing where it cannot be read."""
        file, offset = self._database, (number - 1) * PAGE_BYTES
        if self._wal and number in self._frames:
            file, offset = self._wal, self._frames[number]
        try:
            file.seek(offset)
            page = file.read(PAGE_BYTES)
        except OSError:
            return b""
        return page if len(page) == PAGE_BYTES else b""

    def _cell(self, page: bytes, offset: int, layout: _Layout) -> Cell:
        length, offset = _varint(page, offset + layout.left_child_bytes)
        row_id = None
        if layout.has_row_id:
            row_id, offset = _varint(page, offset)
        return Cell(row_id, _record(self._payload(page, offset, length, layout.most_local_bytes)))

    def _payload(self, page: bytes, offset: int, length: int, most_local_bytes: int) -> bytes:
        """What a cell holds: on the page itself, and for the rest on a chain of other pages."""
        if length <= most_local_bytes:
            return page[offset : offset + length]
        if length > self._count * PAGE_BYTES:
            raise ValueError("longer than the file")
        per_page = PAGE_BYTES - _PAGE_NUMBER.size
        local = _LEAST_LOCAL_BYTES + (length - _LEAST_LOCAL_BYTES) % per_page
        if local > most_local_bytes:
            local = _LEAST_LOCAL_BYTES
        pieces = [page[offset : offset + local]]
        following = page[offset + local :][: _PAGE_NUMBER.size]
        for _ in range((length - local) // per_page + bool((length - local) % per_page)):
            more = self._page(int.from_bytes(following))
            following, piece = more[: _PAGE_NUMBER.size], more[_PAGE_NUMBER.size :]
            pieces.append(piece)
        return b"".join(pieces)[:length]


def _committed_frames(wal: BinaryIO) -> Iterator[tuple[int, int]]:
    """Page number and offset of each page in a WAL, up to its last whole transaction."""
    header = wal.read(_WAL_HEADER.size)
    if len(header) < _WAL_HEADER.size:
        return
    magic, _, page_bytes, _, *salts, check_1, check_2 = _WAL_HEADER.unpack(header)
    words = struct.Struct(">II" if magic & 1 else "<II")
    checks = _checksum(words, header[:-_CHECKSUM_BYTES], (0, 0))
    if (magic & ~1, page_bytes, checks) != (_WAL_MAGIC, PAGE_BYTES, (check_1, check_2)):
        return
    transaction: list[tuple[int, int]] = []
    while len(frame := wal.read(_FRAME_HEADER.size + PAGE_BYTES)) > _FRAME_HEADER.size:
        number, pages_after_commit, *frame_salts, check_1, check_2 = _FRAME_HEADER.unpack_from(
            frame
        )
        checks = _checksum(words, frame[:_FRAME_CHECKED_BYTES], checks)
        checks = _checksum(words, frame[_FRAME_HEADER.size :], checks)
        if frame_salts != salts or checks != (check_1, check_2):
            return
        transaction.append((number, wal.tell() - PAGE_BYTES))
        if pages_after_commit:
            yield from transaction
            transaction.clear()


def _checksum(words: struct.Struct, checked: bytes, before: tuple[int, int]) -> tuple[int, int]:
    first, second = before
    for one, other in words.iter_unpack(checked[: len(checked) // words.size * words.size]):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _varint(octets: bytes, offset: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends; a number below zero reads as a huge one."""
    number = 0
    for index in range(offset, offset + 8):
        number = number << 7 | octets[index] & 0x7F
        if not octets[index] & 0x80:
            return number, index + 1
    return number << 8 | octets[offset + 8], offset + 9


def _record(payload: bytes) -> tuple[Value, ...]:
    """The values of a record.

    Raises:
        IndexError: it is cut short.
        ValueError: it has a value of no kind that is read here, or text that is not UTF-8.
    """
    header_end, offset = _varint(payload, 0)
    kinds = []
    while offset < header_end:
        kind, offset = _varint(payload, offset)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        if kind in _CONSTANTS:
            values.append(_CONSTANTS[kind])
            continue
        length = _INTEGER_BYTES.get(kind, (kind - _FIRST_LENGTH) // 2)
        octets = payload[offset : offset + length] if length >= 0 else b""
        if len(octets) != length:
            raise ValueError("cut short, or of an unknown kind")
        offset += length
        if kind in _INTEGER_BYTES:
            values.append(int.from_bytes(octets, signed=True))
        else:
            values.append(octets.decode() if kind % 2 else octets)
    return tuple(values)
