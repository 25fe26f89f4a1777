"""A capture file: a JSON list of objects with `name` and `hex`; other keys are ignored."""

import json
from dataclasses import dataclass
from typing import Final

EXPECTED: Final = 'expected a JSON list of objects with "name" and "hex"'


@dataclass(frozen=True, slots=True)
class Capture:
    """One captured reply."""

    name: str
    raw: bytes


def captures_in(content: bytes) -> list[Capture]:
    """The captures of a file's content, in its order.

    Raises:
        ValueError: it is no capture file; says what was expected and which entry is at fault.
    """
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{EXPECTED}; it is no JSON: {error}") from error
    if not isinstance(entries, list):
        raise ValueError(f"{EXPECTED}, got {type(entries).__name__}")  # noqa: TRY004 - of the content
    captures = []
    for number, entry in enumerate(entries, start=1):
        try:
            captures.append(Capture(str(entry["name"]), bytes.fromhex(entry["hex"])))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"entry {number}: {EXPECTED} ({error!r})") from error
    return captures
