"""`decode`: reply bytes to JSON, one object per line."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aps_exporter.capture_file import captures_in
from aps_exporter.cli import EXIT_FAILED, EXIT_OK
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.records import MAGIC
from aps_exporter.ecu.replies import LONGEST_REPLY, Reply, split_replies
from aps_exporter.errors import ConfigError, EcuStatusError, QueryError
from aps_exporter.json_forms import JsonObject, error_as_json, reading_as_json

_SHOWN_OF_A_BAD_LINE: Final = 40


def decode_command(options: argparse.Namespace) -> int:
    """Print each reply as JSON; the exit status is 1 when one could not be decoded."""
    content = _read(options.file)
    if not content.strip():
        raise ConfigError(
            "expected hex lines, bytes that start with APS, or a capture; the input is empty"
        )
    if content.startswith(MAGIC.encode()):
        decoded = _decode_raw(content)
    elif content.lstrip().startswith(b"["):
        decoded = _decode_captures(content)
    else:
        decoded = _decode_lines(content)
    all_good = True
    for form, good in decoded:
        print(json.dumps(form))
        all_good = all_good and good
    return EXIT_OK if all_good else EXIT_FAILED


def _read(file: str | None) -> bytes:
    if file is None and sys.stdin is None:
        raise ConfigError("expected a FILE, or replies on standard input; that is closed")
    if file is None:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error


def _decode_captures(content: bytes) -> Iterator[tuple[JsonObject, bool]]:
    try:
        captures = captures_in(content)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for capture in captures:
        yield _decode_first(capture.raw)[:2]


def _decode_lines(content: bytes) -> Iterator[tuple[JsonObject, bool]]:
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            raw = bytes.fromhex(line.decode("ascii"))
        except ValueError:
            sys.stdout.flush()
            shown = line[:_SHOWN_OF_A_BAD_LINE].decode("ascii", errors="replace")
            raise ConfigError(
                f"line {number}: expected the hex digits of one reply, two a byte; got {shown!r}"
            ) from None
        yield _decode_first(raw)[:2]


def _decode_raw(content: bytes) -> Iterator[tuple[JsonObject, bool]]:
    """Replies one behind the other; what is no reply ends the reading, as no one knows its end."""
    position = 0
    while position < len(content):
        if content[position : position + 1].isspace():
            position += 1
            continue
        window = content[position : position + LONGEST_REPLY]
        form, good, behind = _decode_first(window)
        yield form, good
        position = len(content) if behind is None else position + len(window) - len(behind)


def _decode_first(content: bytes) -> tuple[JsonObject, bool, bytes | None]:
    """The first reply, whether it could be decoded, and what stands behind it.

    None stands behind what is no reply.
    """
    try:
        reply, behind = split_replies(content)
    except QueryError as error:
        return error_as_json(error), False, None
    form, good = _decode_reply(reply)
    return form, good, behind


def _decode_reply(reply: Reply) -> tuple[JsonObject, bool]:
    try:
        return reading_as_json(decode_reply(reply)), True
    except QueryError as error:
        return error_as_json(error), isinstance(error, EcuStatusError)
