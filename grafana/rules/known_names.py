"""Rules name only metrics that are published, series that are recorded, and labels they have."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from grafana.published import LABELS_OF_SCRAPES, METRICS
from grafana.rules.rule import AlertingRule, Group, RecordingRule

_SERIES: Final = re.compile(r"\b(?:\w+:)?aps_\w+(?::\w+)?\b")
_LABEL_LIST: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right) *\(([^)]*)\)")
_MATCHERS: Final = re.compile(r"\{([^}]*)\}")
_MATCHED_LABEL: Final = re.compile(r'(\w+) *(?:=~|!~|!=|=) *"')
_MADE_LABEL: Final = re.compile(r'\blabel_replace\((?:[^"]*)"(\w+)"')
_TOLD_LABEL: Final = re.compile(r"\$labels\.(\w+)")


class UnknownNameError(ValueError):
    """A rule names what is not there."""


def check_names(groups: Iterable[Group]) -> None:
    """Raise UnknownNameError for the first rule that names an unknown series or label."""
    rules = [rule for group in groups for rule in group.rules]
    series = {*METRICS, *(rule.record for rule in rules if isinstance(rule, RecordingRule))}
    labels = {label for metric in METRICS.values() for label in metric.labels} | LABELS_OF_SCRAPES
    for rule in rules:
        name = rule.record if isinstance(rule, RecordingRule) else rule.alert
        for found in _SERIES.findall(rule.expr):
            if found not in series:
                raise UnknownNameError(
                    f"{name}: expected a metric of aps_exporter.metrics or a recorded series,"
                    f" got {found!r}; correct its expression"
                )
        for found in _labels(rule):
            if found not in labels | set(_MADE_LABEL.findall(rule.expr)):
                raise UnknownNameError(
                    f"{name}: expected a label of these metrics, got {found!r}; correct the rule"
                )


def _labels(rule: RecordingRule | AlertingRule) -> Iterator[str]:
    for listed in _LABEL_LIST.findall(rule.expr):
        yield from (label.strip() for label in listed.split(",") if label.strip())
    for matchers in _MATCHERS.findall(rule.expr):
        yield from _MATCHED_LABEL.findall(matchers)
    if isinstance(rule, AlertingRule):
        yield from _TOLD_LABEL.findall(rule.summary + rule.description)
