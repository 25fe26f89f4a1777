"""The panels file: TOML to panels, every fault with its line."""

import difflib
import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aps_exporter.config.toml_lines import KeyPath, key_lines
from aps_exporter.errors import ConfigError
from aps_exporter.inverter_types import INVERTER_TYPES
from aps_exporter.panels import Panel, Panels

MOST_BYTES: Final = 2**20
"""Some five thousand panels with all that can be said of them."""

MOST_CHARACTERS: Final = 64
"""Of a name, which is a label of time series."""

LAST_PLACE: Final = 999
MOST_WATTS: Final = 2_000
"""Two large panels in parallel on one channel."""

_TABLE: Final = "panels"
_SERIAL: Final = re.compile("[0-9]{12}")
_CHANNELS: Final = tuple(
    str(channel + 1) for channel in range(max(known.channels for known in INVERTER_TYPES))
)
_MOST_CHARACTERS_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class _Field:
    accepts: str
    is_good: Callable[[Any], bool]


def _is_label(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= MOST_CHARACTERS
        and value.isprintable()
        and value == value.strip()
    )


def _is_place(value: object) -> bool:
    return type(value) is int and 0 <= value <= LAST_PLACE


def _is_power(value: object) -> bool:
    return type(value) in (int, float) and 0 < value <= MOST_WATTS  # type: ignore[operator]


_LABEL: Final = _Field(
    f"text of 1 to {MOST_CHARACTERS} printable characters, without space at its ends", _is_label
)
_PLACE: Final = _Field(f"a whole number from 0 to {LAST_PLACE}", _is_place)
_FIELDS: Final[Mapping[str, _Field]] = {
    "name": _LABEL,
    "array": _LABEL,
    "row": _PLACE,
    "column": _PLACE,
    "rated_watts": _Field(f"watts, a number above 0 and up to {MOST_WATTS}", _is_power),
    "unused": _Field("true or false", lambda value: isinstance(value, bool)),
}


def read_panels(path: Path) -> Panels:
    """What this file says of the panels.

    Raises:
        ConfigError: with every fault, each with its line where it has one.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe could keep us waiting for ever
            raise ConfigError("expected a readable TOML file: it is no file of its own")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"expected a readable TOML file: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise ConfigError(f"expected a TOML file of up to {MOST_BYTES} bytes; it is larger")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"line {line}: expected UTF-8 text; save the file as such") from error
    return panels_from_toml(text)


def panels_from_toml(text: str) -> Panels:
    """What this text says of the panels.

    Raises:
        ConfigError: with every fault, each with its line where it has one.
    """
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigError("expected tables of panels; values are nested too deep") from None
    except ValueError as error:
        raise ConfigError(_fault_of_syntax(str(error))) from error
    reader = _Reader(key_lines(text))
    panels = reader.panels(document)
    if reader.faults:
        raise ConfigError(*reader.faults)
    return panels


def _fault_of_syntax(message: str) -> str:
    """What Python's parser says, with the line first; it tells none at the end of a text."""
    said = re.fullmatch(r"(.*?) \(at line ([0-9]+), column ([0-9]+)\)", message, re.DOTALL)
    if said is None:
        return f"expected good TOML: {message}"
    return f"line {said[2]}: expected good TOML: {said[1]} (column {said[3]})"


class _Reader:
    """Takes panels out of a document, and notes every fault in it."""

    def __init__(self, lines: Mapping[KeyPath, int]) -> None:
        self._lines = lines
        self._faults: list[tuple[int, str]] = []

    @property
    def faults(self) -> list[str]:
        """In the order of their lines."""
        return [f"line {line}: {text}" if line else text for line, text in sorted(self._faults)]

    def panels(self, document: Mapping[str, Any]) -> Panels:
        """The good ones of all panels."""
        for key, value in document.items():
            if key != _TABLE:
                self._refuse((key,), value, "nothing but tables such as " + _example())
        panels = {
            (path[1], int(path[2])): self._panel(path, table)
            for path, table in self._channels(document.get(_TABLE, {}))
        }
        self._refuse_shared_places(panels)
        return panels

    def _channels(self, serials: object) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
        """The tables of all channels, by their paths."""
        for path, channels in self._tables((_TABLE,), serials):
            if not _SERIAL.fullmatch(path[-1]):
                self._refuse(path, None, "an inverter serial of 12 digits, as in " + _example())
                continue
            for place, table in self._tables(path, channels):
                if place[-1] not in _CHANNELS:
                    expected = f"a channel from {_CHANNELS[0]} to {_CHANNELS[-1]}, as in "
                    self._refuse(place, None, expected + _example(path[-1]))
                else:
                    yield from self._table(place, table)

    def _tables(self, path: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
        for above, table in self._table(path, value):
            yield from (((*above, key), inner) for key, inner in table.items())

    def _table(self, path: KeyPath, value: object) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
        if isinstance(value, dict):
            yield path, value
        else:
            self._refuse(path, value, "a table such as " + _example())

    def _panel(self, path: KeyPath, table: Mapping[str, Any]) -> Panel:
        good: dict[str, Any] = {}
        for key, value in table.items():
            field = _FIELDS.get(key)
            if field is None:
                meant = difflib.get_close_matches(key, _FIELDS, n=1)
                hint = f"; did you mean {meant[0]}?" if meant else ""
                self._refuse((*path, key), None, f"one of {', '.join(_FIELDS)}{hint}")
            elif field.is_good(value):
                good[key] = value
            else:
                self._refuse((*path, key), value, field.accepts)
        return Panel(**good)

    def _refuse_shared_places(self, panels: Panels) -> None:
        taken: dict[tuple[str | None, int, int], KeyPath] = {}
        for (inverter, channel), panel in panels.items():
            if panel.row is None or panel.column is None or panel.unused:
                continue
            path = (_TABLE, inverter, str(channel))
            first = taken.setdefault((panel.array, panel.row, panel.column), path)
            if first != path:
                array = "no array" if panel.array is None else f"array {panel.array!r}"
                self._refuse(
                    path,
                    None,
                    f"a place of its own; {array}, row {panel.row}, column {panel.column} "
                    f"is that of {_written(first)} (line {self._line(first)})",
                )

    def _refuse(self, path: KeyPath, value: object, accepts: str) -> None:
        shown = "" if value is None else f" = {_shown(value)}"
        self._faults.append((self._line(path), f"{_written(path)}{shown}: expected {accepts}"))

    def _line(self, path: KeyPath) -> int:
        """The line of this key, or else of the innermost table around it that has one; or 0."""
        known = (self._lines.get(path[:length]) for length in range(len(path), 0, -1))
        return next((line for line in known if line is not None), 0)


def _example(serial: str = "802000104413") -> str:
    return f'[{_TABLE}."{serial}".1]'


def _written(path: KeyPath) -> str:
    """A path as TOML writes it."""
    return ".".join(
        key if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key) else _clipped(repr(key)) for key in path
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return _clipped(repr(value))
    except ValueError:  # hexadecimal may be as long as it likes, but Python writes it as decimal
        return "(a number too long to show)"


def _clipped(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS_SHOWN:
        return text
    return f"{text[:_MOST_CHARACTERS_SHOWN]}..."
