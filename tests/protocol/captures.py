"""Real replies, each with what it says; `expected` has the shape that `decode` prints."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

CAPTURE_FILE: Final = Path(__file__).parents[1] / "captures" / "ecu-8899.json"


@dataclass(frozen=True, slots=True)
class Capture:
    """One reply as somebody's ECU sent it. A status has no `meaning` in `expected`."""

    name: str
    raw: bytes = field(repr=False)
    expected: dict[str, Any] = field(repr=False)

    @property
    def is_partial(self) -> bool:
        return self.expected.get("error") == "truncated"


def _load() -> tuple[Capture, ...]:
    captures = json.loads(CAPTURE_FILE.read_text(encoding="utf-8"))
    return tuple(
        Capture(capture["name"], bytes.fromhex(capture["hex"]), capture["expected"])
        for capture in captures
    )


CAPTURES: Final = _load()
WHOLE: Final = tuple(capture for capture in CAPTURES if not capture.is_partial)
PARTIAL: Final = tuple(capture for capture in CAPTURES if capture.is_partial)


def capture_named(name: str) -> Capture:
    return next(capture for capture in CAPTURES if capture.name == name)
