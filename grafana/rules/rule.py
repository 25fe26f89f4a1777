"""What a Prometheus rule is, and how a file of them is written."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import dedent, fill, indent
from typing import Final, Literal

Severity = Literal["critical", "warning", "info"]

TWO_ROUNDS: Final = "10m"
"""The least an alert waits: what one round says may be untrue."""

_WIDTH: Final = 100
_STEP: Final = "  "

_TEMPLATE: Final = re.compile(r"\{\{.*?\}\}")
_HELD: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A series under a name of its own; `about` says in a sentence what it is."""

    record: str
    about: str
    expr: str

    def yaml(self) -> str:
        return f"- record: {self.record}\n" + indent(_expression(self.expr), _STEP)


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """An alert, and its words for the owner of the roof.

    Attributes:
        about: in a sentence, when it fires.
        holds_for: how long `expr` must hold before that; `for` in Prometheus' words.
        keep_firing_for: how long it goes on when `expr` holds no more; None for not at all.
    """

    alert: str
    about: str
    severity: Severity
    expr: str
    summary: str
    description: str
    holds_for: str = TWO_ROUNDS
    keep_firing_for: str | None = None

    def yaml(self) -> str:
        return f"- alert: {self.alert}\n" + indent("".join(self._fields()), _STEP)

    def _fields(self) -> Iterator[str]:
        yield _expression(self.expr)
        yield f"for: {self.holds_for}\n"
        if self.keep_firing_for is not None:
            yield f"keep_firing_for: {self.keep_firing_for}\n"
        yield f"labels:\n{_STEP}severity: {self.severity}\n"
        yield "annotations:\n"
        yield indent(_folded("summary", self.summary), _STEP)
        yield indent(_folded("description", self.description), _STEP)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, one after the other."""

    name: str
    rules: tuple[RecordingRule | AlertingRule, ...]

    def yaml(self) -> str:
        rules = "".join(f"{_comment(rule.about)}{rule.yaml()}" for rule in self.rules)
        return f"- name: {self.name}\n{_STEP}rules:\n" + indent(rules, _STEP * 2)


def rules_yaml(groups: Iterable[Group], head: str) -> str:
    """A rule file; `head` is the comment on top of it."""
    return f"{_comment(head)}groups:\n" + "".join(indent(group.yaml(), _STEP) for group in groups)


def _comment(text: str) -> str:
    return fill(text, _WIDTH - 12, initial_indent="# ", subsequent_indent="# ") + "\n"


def _expression(expr: str) -> str:
    return "expr: |\n" + indent(dedent(expr).strip() + "\n", _STEP)


def _folded(name: str, text: str) -> str:
    """A text over several lines, which YAML joins by single spaces; none ends inside a template."""
    words = _TEMPLATE.sub(lambda found: found[0].replace(" ", _HELD), " ".join(text.split()))
    lines = fill(words, _WIDTH - 12, break_long_words=False, break_on_hyphens=False)
    return f"{name}: >-\n" + indent(lines.replace(_HELD, " ") + "\n", _STEP)
