"""Queries of the dashboards' JSON, answered by promtool."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from grafana.every import FOLDER
from tests.promtool import promtool_says

Input = tuple[str, str, str]
"""A series: its name, its labels, and its values in promtool's short form."""

ALL: Final = {"$ecu": ".+", "$inverter": ".+"}


def expr(uid: str, title: str, ref_id: str = "A", **chosen: str) -> str:
    """A query of a panel, for all ECUs and inverters, with the variables in `chosen`.

    It asks for the day before instead of the day after: promtool knows nothing of later times.
    """
    panels = json.loads((FOLDER / f"{uid}.json").read_text(encoding="utf-8"))["panels"]
    (panel,) = (panel for panel in panels if panel["title"] == title)
    (query,) = (target["expr"] for target in panel["targets"] if target["refId"] == ref_id)
    values = {**ALL, **{f"${name}": value for name, value in chosen.items()}, " offset -1d": ""}
    for variable, value in values.items():
        query = query.replace(variable, value)
    return str(query)


@dataclass(frozen=True, slots=True)
class Seeded:
    """A promtool with these series; each one's first value is of 1970-01-01 00:00 UTC."""

    folder: Path
    series: Iterable[Input]
    interval: str

    def says(self, query: str, expected: Mapping[str, float], at: str) -> tuple[int, str]:
        """Its exit status and words on whether this is what the query finds at this age."""
        test: dict[str, Any] = {
            "interval": self.interval,
            "input_series": [
                {"series": f"{name}{{{labels}}}", "values": values}
                for name, labels, values in self.series
            ],
            "promql_expr_test": [
                {
                    "expr": query,
                    "eval_time": at,
                    "exp_samples": [
                        {"labels": labels, "value": value} for labels, value in expected.items()
                    ],
                }
            ],
        }
        file = self.folder / "figures.yml"
        file.write_text(json.dumps({"rule_files": [], "tests": [test]}), encoding="utf-8")
        return promtool_says("test", "rules", file)
