"""What real servers answer to the questions of dashboards."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.integration.dashboards.questions import Question
from tests.integration.databases import InfluxDb1
from tests.integration.prometheus import Prometheus

_REDUCE: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "lastNotNull": lambda values: values[-1],
    "max": max,
    "min": min,
    "sum": sum,
    "mean": lambda values: sum(values) / len(values),
}
"""Grafana's calculations of a stat."""

_FIELD_OF_TIMES: Final = "/^Time$/"


@dataclass(frozen=True, slots=True)
class Answer:
    """One series: its labels, and the numbers it has, by Unix seconds."""

    labels: Mapping[str, str]
    points: Mapping[float, float]


def ask_prometheus(prometheus: Prometheus, question: Question) -> list[Answer]:
    """The series with at least one number."""
    if question.step is None:
        found = prometheus.ask("query", query=question.text, time=str(question.ends))
        series = [(one["metric"], [one["value"]]) for one in found["result"]]
    else:
        found = prometheus.ask(
            "query_range",
            query=question.text,
            start=str(question.begins),
            end=str(question.ends),
            step=str(question.step),
        )
        series = [(one["metric"], one["values"]) for one in found["result"]]
    return _with_numbers(
        Answer(labels, {float(at): float(value) for at, value in values})
        for labels, values in series
    )


def ask_influxdb(database: InfluxDb1, question: Question) -> list[Answer]:
    """The series with at least one number: one for each column of each set of tags."""
    return _with_numbers(
        Answer(
            {**series.get("tags", {}), "column": column},
            {row[0]: row[index] for row in series["values"] if isinstance(row[index], int | float)},
        )
        for series in database.ask(question.text)
        for index, column in enumerate(series["columns"])
        if column != "time"
    )


def shown(question: Question, answers: list[Answer]) -> Any:
    """What a stat says: its number or its name; by column, where it shows several."""
    if question.panel["options"]["textMode"] == "name":
        (answer,) = answers
        name: str = question.target["legendFormat"]
        for label, value in answer.labels.items():
            name = name.replace(f"{{{{{label}}}}}", value)
        return name
    reduce = question.panel["options"]["reduceOptions"]
    (calculation,) = reduce["calcs"]
    numbers = [
        _REDUCE[calculation](
            sorted(answer.points)
            if reduce["fields"] == _FIELD_OF_TIMES
            else [answer.points[at] for at in sorted(answer.points)]
        )
        for answer in answers
    ]
    if len(answers) > 1:
        names = [answer.labels["column"] for answer in answers]
        return dict(zip(names, numbers, strict=True))
    return numbers[0]


def _with_numbers(answers: Iterable[Answer]) -> list[Answer]:
    kept = []
    for answer in answers:
        numbers = {at: value for at, value in answer.points.items() if math.isfinite(value)}
        if numbers:
            kept.append(Answer(answer.labels, numbers))
    return kept
