"""Just enough of PNG to look at a screenshot: 8 bits a channel, RGB or RGBA, not interlaced."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_BYTES_A_PIXEL: Final = {2: 3, 6: 4}
_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture; each row holds one `bytes` a pixel."""

    width: int
    height: int
    rows: tuple[tuple[bytes, ...], ...] = field(repr=False)

    def colours(self, left: int = 0) -> set[bytes]:
        """The colours to the right of column `left`."""
        return {pixel for row in self.rows for pixel in row[left:]}


def read_png(path: Path) -> Picture:
    """The picture in a file."""
    content = path.read_bytes()
    assert content.startswith(_SIGNATURE)
    chunks = list(_chunks(content[len(_SIGNATURE) :]))
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0)
    step = _BYTES_A_PIXEL[colour_type]
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    rows = _rows(zlib.decompress(packed), width * step, step)
    pixels = tuple(tuple(row[at : at + step] for at in range(0, len(row), step)) for row in rows)
    return Picture(width, height, pixels)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    while content:
        length, kind = struct.unpack_from(">I4s", content)
        yield kind, content[8 : 8 + length]
        content = content[12 + length :]


def _rows(filtered: bytes, size: int, step: int) -> Iterator[bytes]:
    """The rows, each predicted by its filter from the pixels to the left and above."""
    above = bytes(size)
    for start in range(0, len(filtered), size + 1):
        kind = filtered[start]
        row = bytearray(filtered[start + 1 : start + 1 + size])
        if kind == _UP:
            row = bytearray((here + up) & 0xFF for here, up in zip(row, above, strict=True))
        elif kind != _NONE:
            for at, up in enumerate(above):
                left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
                row[at] = (row[at] + _predicted(kind, left, up, corner)) & 0xFF
        above = bytes(row)
        yield above


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == _SUB:
        return left
    if kind == _AVERAGE:
        return (left + up) // 2
    assert kind == _PAETH
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))
