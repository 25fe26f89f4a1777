"""The transformations that have kept their form in every Grafana we serve, and no others."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from grafana.builder.fields import Json

TRANSFORMATIONS: Final[frozenset[str]] = frozenset(
    json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
)
"""By their ids in Grafana; a list in JSON, as `grafana/checks` reads it too."""


@dataclass(frozen=True, slots=True)
class Transformation:
    """One step between the answers and the picture; `options` are Grafana's.

    Raises:
        ValueError: for one that may change or go with the next Grafana.
    """

    id: str
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.id not in TRANSFORMATIONS:
            allowed = ", ".join(sorted(TRANSFORMATIONS))
            raise ValueError(f"transformation {self.id!r}: expected one of {allowed}")

    def to_json(self) -> Json:
        return {"id": self.id, "options": dict(self.options)}


def sort_by(field: str, *, descending: bool = False) -> Transformation:
    """Rows in the order of this field."""
    return Transformation("sortBy", {"sort": [{"field": field, "desc": descending}]})


def organize(
    shown: Sequence[str], names: Mapping[str, str] | None = None, hidden: Sequence[str] = ()
) -> Transformation:
    """Columns in this order, some under another name, some left out."""
    return Transformation(
        "organize",
        {
            "indexByName": {field: index for index, field in enumerate(shown)},
            "renameByName": dict(names or {}),
            "excludeByName": dict.fromkeys(hidden, True),
        },
    )


def merge() -> Transformation:
    """One table of several: rows that agree in what they share become one."""
    return Transformation("merge", {})


def limit(rows: int) -> Transformation:
    """The first so many rows."""
    return Transformation("limit", {"limitField": rows})


def grouping_to_matrix(column: str, row: str, value: str) -> Transformation:
    """A table with a column for each value of one field and a row for each of another."""
    return Transformation(
        "groupingToMatrix",
        {"columnField": column, "rowField": row, "valueField": value, "emptyValue": "null"},
    )


def reduce_to_rows(calculation: str) -> Transformation:
    """A row for each series: its name in `Field`, and one figure of it."""
    return Transformation("reduce", {"mode": "seriesToRows", "reducers": [calculation]})
