"""Replies made wrong: each fault is a pure function from the bytes of a reply to other bytes."""

from collections.abc import Callable, Container, Mapping
from typing import Final

from aps_exporter.ecu.records import LINE_FEED, TRAILER
from aps_exporter.ecu.replies import HEADER_SIZE, LONGEST_REPLY, build_status
from aps_exporter.simulator.faults import Fault

STRAY_BYTES: Final = b"\r\n\0"
BYTES_NEVER_SENT: Final = 50

_LENGTH: Final = slice(5, 9)
_COMMAND: Final = slice(9, HEADER_SIZE)
_INFO: Final = b"0001"
_FOREIGN_COMMANDS: Final = {b"0001": b"0002", b"0002": b"0030"}
_ANY_FOREIGN_COMMAND: Final = b"0001"


def without_end(reply: bytes) -> bytes:
    """The reply without its trailer; its length fits."""
    content = reply.removesuffix(LINE_FEED)
    if not content.endswith(TRAILER):
        return reply
    content = content.removesuffix(TRAILER)
    return _declaring(len(content), content) + LINE_FEED


def declaring_too_much(reply: bytes) -> bytes:
    """A reply whose length promises more than there is."""
    return _declaring(min(len(reply) + BYTES_NEVER_SENT, LONGEST_REPLY - 1), reply)


def of_foreign_command(reply: bytes) -> bytes:
    """The reply under the digits of a command that was not asked."""
    foreign = _FOREIGN_COMMANDS.get(reply[_COMMAND], _ANY_FOREIGN_COMMAND)
    return reply[: _COMMAND.start] + foreign + reply[_COMMAND.stop :]


def as_status(status: str) -> Callable[[bytes], bytes]:
    """Makes of a reply to any query with an ECU id in it a status; info stays as it is."""

    def change(reply: bytes) -> bytes:
        command = reply[_COMMAND]
        if command == _INFO:
            return reply
        return build_status(command.decode("latin-1"), status)

    return change


REPLY_FAULTS: Final[Mapping[Fault, Callable[[bytes], bytes]]] = {
    "status01": as_status("01"),
    "status02": as_status("02"),
    "foreign-command": of_foreign_command,
    "no-end": without_end,
    "glue": lambda reply: reply + reply,
    "trailing-bytes": lambda reply: reply + STRAY_BYTES,
    "wrong-length": declaring_too_much,
    "truncate": lambda reply: reply[: len(reply) // 2],
}
"""In the order in which they are made when several are on."""

HANG_UP_AFTER: Final[frozenset[Fault]] = frozenset({"truncate", "wrong-length"})
"""With these nothing more comes behind the reply; else the ECU waits for its client to hang up."""


def spoiled(reply: bytes, faults: Container[Fault]) -> bytes:
    """The reply with all of these faults that are faults of a reply."""
    for fault, change in REPLY_FAULTS.items():
        if fault in faults:
            reply = change(reply)
    return reply


def _declaring(length: int, reply: bytes) -> bytes:
    return reply[: _LENGTH.start] + f"{length:04}".encode() + reply[_LENGTH.stop :]
