"""Which metrics, labels, functions and windows an expression has; it need not be valid PromQL."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(
    r"""
      (?P<string> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*` )
    | (?P<variable> \$\{[^}]*\} | \$\w+ )
    | (?P<number> \d[\w.]* | \.\d+ )
    | (?P<word> [A-Za-z_:][\w:]* )
    | (?P<matching> =~ | !~ | != | == | = )
    | (?P<comment> \#.* )
    | (?P<sign> \S )
    """,
    re.VERBOSE,
)
_LABEL_LISTS: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS: Final = frozenset({"and", "or", "unless", "atan2", "offset", "bool", "inf", "nan"})
_MAKES_LABELS: Final = frozenset({"label_replace", "label_join", "count_values"})
_LABEL_STRINGS_FROM: Final = 2
"""Of `label_replace` and `label_join` the first string is made; from the third on they are read."""

_Token = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Window:
    """The time that a function looks at, as it is written: `1d`, `1d:5m`; "" for no offset."""

    function: str
    length: str
    offset: str


@dataclass(slots=True)
class PromqlNames:
    """What an expression names: `metrics` with the labels in their braces ("" for braces alone).

    `labels` are those read elsewhere, `made_labels` those that functions make. `within` has each
    function with each metric that stands in its parentheses, however deep.
    """

    metrics: dict[str, set[str]] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    made_labels: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    within: set[tuple[str, str]] = field(default_factory=set)
    windows: list[Window] = field(default_factory=list)


def names_in(expr: str) -> PromqlNames:
    """The names in an expression."""
    reader = _Reader(list(_tokens(expr)))
    reader.read()
    return reader.found


def _tokens(expr: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(expr):
        if match.lastgroup is not None and match.lastgroup != "comment":
            yield match.lastgroup, match[0]


class _Reader:
    """Goes through the tokens once; `_calls` are the open parentheses, with the strings in them."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self.found = PromqlNames()
        self._tokens = tokens
        self._at = 0
        self._calls: list[tuple[str, list[str]]] = []

    def read(self) -> None:
        while self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            self._at += 1
            if kind == "word":
                self._read_word(text)
            elif kind == "string" and self._calls:
                self._calls[-1][1].append(text[1:-1])
            elif text == "[":
                self._read_window()
            elif text == "{":
                self._read_matchers("")
            elif text == "(":
                self._calls.append(("", []))
            elif text == ")" and self._calls:
                self._end_call(*self._calls.pop())

    def _read_word(self, word: str) -> None:
        lower = word.lower()
        if lower in _LABEL_LISTS:
            if self._next() == "(":
                self._at += 1
                self.found.labels.update(self._words_until(")"))
        elif self._next() == "(":
            self._at += 1
            self.found.functions.add(lower)
            self._calls.append((lower, []))
        elif self._next().lower() in {"by", "without"}:
            self.found.functions.add(lower)
        elif self._next() == "{":
            self._at += 1
            self._read_matchers(word)
        elif lower not in _OPERATORS:
            self._found_metric(word)

    def _read_matchers(self, metric: str) -> None:
        self._found_metric(metric).update(self._words_until("}"))

    def _found_metric(self, metric: str) -> set[str]:
        self.found.within.update((function, metric) for function, _ in self._calls if function)
        return self.found.metrics.setdefault(metric, set())

    def _read_window(self) -> None:
        function = self._calls[-1][0] if self._calls else ""
        length = "".join(text for _, text in self._tokens_until("]"))
        offset = ""
        if self._next().lower() == "offset":
            self._at += 1
            offset = self._take()
            if offset in {"+", "-"}:
                offset += self._take()
        self.found.windows.append(Window(function, length, offset))

    def _words_until(self, end: str) -> list[str]:
        """The words up to this sign; the next token is the one behind it."""
        return [text for kind, text in self._tokens_until(end) if kind == "word"]

    def _tokens_until(self, end: str) -> Sequence[_Token]:
        begin = self._at
        while self._at < len(self._tokens) and self._next() != end:
            self._at += 1
        inside = self._tokens[begin : self._at]
        self._at += 1
        return inside

    def _end_call(self, function: str, strings: Sequence[str]) -> None:
        if function in _MAKES_LABELS and strings:
            self.found.made_labels.add(strings[0])
            if function == "label_join":
                self.found.labels.update(strings[_LABEL_STRINGS_FROM:])
            elif function == "label_replace":
                read = strings[_LABEL_STRINGS_FROM : _LABEL_STRINGS_FROM + 1]
                self.found.labels.update(label for label in read if label)  # "" reads none

    def _take(self) -> str:
        taken = self._next()
        self._at += 1
        return taken

    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""
