"""On which line of a TOML text each key stands: Python's parser does not tell."""

import re
import tomllib
from collections.abc import Mapping
from typing import Final

KeyPath = tuple[str, ...]

_TOKEN: Final = re.compile(
    r"""
    \"{3} (?: \\. | [^\\] )*? \"{3,5}   # a text that ends in quotes of its own has up to five
    | '{3} .*? '{3,5}
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
    | \# [^\n]*
    | [^\s"'\#\[\]{}=,.]+               # bare keys, numbers, times
    | [\[\]{}=,.\n]
    """,
    re.VERBOSE | re.DOTALL,
)


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, on which each table and each value is first named.

    `text` must be good TOML, as `tomllib` takes it, with bare line feeds. Keys within an array have
    the path of the array.
    """
    walk = _Walk()
    line = 1
    for token in _TOKEN.finditer(text):
        walk.take(token[0], line)
        line += token[0].count("\n")
    return walk.lines


class _Walk:
    """Follows the tokens of a good TOML text, and knows at each whose key or value it is."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._table: KeyPath = ()
        self._path: KeyPath = ()
        self._is_in_value = False
        self._open: list[KeyPath | None] = []  # inline tables, and arrays as None

    def take(self, token: str, line: int) -> None:
        """The next token, which begins on this line."""
        match token[0]:
            case "#":
                pass
            case "\n":
                self._end_line()
            case _ if self._is_in_value:
                self._take_in_value(token)
            case _:
                self._take_in_key(token, line)

    def _end_line(self) -> None:
        if not self._open:
            self._is_in_value = False
            self._path = self._table

    def _take_in_key(self, token: str, line: int) -> None:
        match token:
            case "[":
                self._path = ()
            case "]":
                self._table = self._path
            case "=":
                self._is_in_value = True
            case "}":
                self._close()
            case "." | ",":
                pass
            case _:
                self._path = (*self._path, _name(token))
                self.lines.setdefault(self._path, line)

    def _take_in_value(self, token: str) -> None:
        match token:
            case "{":
                self._open.append(self._path)
                self._is_in_value = False
            case "[":
                self._open.append(None)
            case "]" | "}":
                self._close()
            case ",":
                self._next_in_container()
            case _:
                pass

    def _close(self) -> None:
        """The innermost inline table or array ends, and with it a value."""
        path = self._open.pop()
        self._path = self._path if path is None else path
        self._is_in_value = True

    def _next_in_container(self) -> None:
        """Behind a comma: another key of an inline table, another value of an array."""
        path = self._open[-1]
        if path is not None:
            self._path = path
            self._is_in_value = False


def _name(token: str) -> str:
    """What a part of a key says, which may be quoted."""
    if token[0] not in "\"'":
        return token
    (name,) = tomllib.loads(f"{token} = 0")
    return name
