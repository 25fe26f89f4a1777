"""Where a reply ends, and what its frame says. No sockets: bytes in, a reply out.

The declared length decides. A line feed, and even `END`, may stand anywhere in a binary body (ten
inverters, ten watts, ten o'clock), so nothing else is a safe end.
"""

from dataclasses import dataclass, field
from typing import Final

from aps_exporter.ecu.records import LINE_FEED, MAGIC, TRAILER, Header
from aps_exporter.errors import MalformedReplyError
from aps_exporter.wire import Cursor, read_record, size_of, to_bytes

HEADER_SIZE: Final = size_of(Header)
LONGEST_REPLY: Final = 10_000
"""Bytes; the four-digit length cannot say more. A hundred inverters make 2,730."""

_STATUS_SIZE: Final = 2


@dataclass(frozen=True, slots=True)
class Reply:
    """One framed reply; `body` is what stands between header and trailer.

    `trailing_bytes` counts what came behind the frame: it is not looked at. `raw` is all that came,
    that included.
    """

    group: str
    command: str
    body: bytes
    trailer_missing: bool = False
    trailing_bytes: int = 0
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def status(self) -> str | None:
        """The status of a reply that is nothing but a status, which has no trailer; else None."""
        if self.trailer_missing and len(self.body) == _STATUS_SIZE and self.body.isdigit():
            return self.body.decode()
        return None


class ReplyAssembler:
    """Collects bytes as they come; `receive` gives the reply once it is whole."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._length: int | None = None

    @property
    def lacks_only_line_feed(self) -> bool:
        """Whether all that was declared is there, but not the line feed that should follow."""
        return self._length is not None and len(self._received) == self._length

    @property
    def is_empty(self) -> bool:
        """Whether not one byte has come."""
        return not self._received

    @property
    def received(self) -> bytes:
        """All that has come so far."""
        return bytes(self._received)

    def receive(self, received: bytes) -> Reply | None:
        """The reply if these bytes complete it, else None.

        Raises:
            MalformedReplyError: reason `framing` as soon as this cannot be a reply.
        """
        self._received += received
        if self._length is None:
            self._length = _declared_length(self._received)
        if self._length is None or len(self._received) <= self._length:
            return None
        return self._reply(self._length)

    def finish(self) -> Reply:
        """The reply, now that no more bytes will come; a missing line feed is forgiven.

        Raises:
            MalformedReplyError: reason `truncated`.
        """
        if self._length is None or not self.lacks_only_line_feed:
            declared = "no length yet" if self._length is None else f"{self._length + 1} declared"
            raise MalformedReplyError(
                "truncated",
                f"the reply ended after {len(self._received)} bytes, {declared}",
                received=self.received,
            )
        return self._reply(self._length)

    def _reply(self, length: int) -> Reply:
        content = bytes(self._received[:length])
        behind = bytes(self._received[length:])
        header = read_record(Header, Cursor(content))
        body = content[HEADER_SIZE:]
        return Reply(
            group=header.group,
            command=header.command,
            body=body.removesuffix(TRAILER),
            trailer_missing=not body.endswith(TRAILER),
            trailing_bytes=len(behind.removeprefix(LINE_FEED)),
            raw=self.received,
        )


def _declared_length(received: bytearray) -> int | None:
    """The length a reply's header declares, or None while the header is not whole."""
    start = bytes(received[:HEADER_SIZE])
    magic = MAGIC.encode()
    digits = start[len(magic) :]
    if start[: len(magic)] != magic[: len(start)] or (digits and not digits.isdigit()):
        raise MalformedReplyError(
            "framing",
            f"expected {MAGIC} and ten digits at the start of a reply, got {start!r}",
            received=bytes(received),
        )
    if len(start) < HEADER_SIZE:
        return None
    length = int(read_record(Header, Cursor(start)).length)
    if length < HEADER_SIZE:
        raise MalformedReplyError(
            "framing",
            f"expected a length of at least {HEADER_SIZE}, got {length}",
            received=bytes(received),
        )
    return length


def split_replies(content: bytes) -> tuple[Reply, bytes]:
    """The first reply in these bytes, and what stands behind it.

    Raises:
        MalformedReplyError: reason `framing` or `truncated`.
    """
    assembler = ReplyAssembler()
    reply = assembler.receive(content) or assembler.finish()
    return reply, content[len(content) - reply.trailing_bytes :]


def build_reply(group: str, command: str, body: bytes) -> bytes:
    """A reply as an ECU sends it, with its trailer."""
    return _framed(group, command, body + TRAILER)


def build_status(command: str, status: str) -> bytes:
    """The 16-byte reply of an ECU that has nothing but a status to say."""
    return _framed("11", command, status.encode())


def _framed(group: str, command: str, content: bytes) -> bytes:
    length = HEADER_SIZE + len(content)
    if length >= LONGEST_REPLY:
        raise ValueError(f"a reply of {length} bytes does not fit the four digits of its length")
    header = Header(magic=MAGIC, group=group, length=f"{length:04}", command=command)
    return to_bytes(header) + content + LINE_FEED
