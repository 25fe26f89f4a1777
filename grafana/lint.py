"""Checks the committed dashboards: `python -m grafana.lint [FILE...]`, also in `make check`.

It reads JSON, not the code that makes it: whatever comes by another way is held to the same.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Final

from grafana.builder import TRANSFORMATIONS, Json
from grafana.builder.dashboard import SCHEMA_VERSION, TAG
from grafana.builder.panels import GRID_COLUMNS
from grafana.builder.series_panels import LONGEST_GAP_JOINED_MILLISECONDS
from grafana.every import FOLDER
from grafana.query_rules import datasource_faults, query_faults, variable_query_faults

_WITHOUT_UNIT: Final = frozenset({"text", "row"})
_UNITS_OFTEN_MISREAD: Final = frozenset({"kwatth", "kwatt"})
"""They are right only for numbers that are in thousands already."""


def dashboard_faults(dashboard: Json) -> Iterator[str]:
    """Everything that is wrong with one dashboard."""
    for rule in _DASHBOARD_RULES:
        yield from rule(dashboard)
    for panel in dashboard.get("panels", []):
        for panel_rule in _PANEL_RULES:
            for fault in panel_rule(panel):
                yield f"panel {panel.get('id')} {panel.get('title', '')!r}: {fault}"


def faults_between(dashboards: Sequence[Json]) -> Iterator[str]:
    """What is wrong only because there is another dashboard."""
    uids = [dashboard.get("uid") for dashboard in dashboards]
    for uid in sorted({str(uid) for uid in uids if uids.count(uid) > 1}):
        yield f"two dashboards have the uid {uid}"


def _frame(dashboard: Json) -> Iterator[str]:
    expected = {
        "id": None,
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "timezone": "browser",
        "refresh": "1m",
    }
    for key, value in expected.items():
        if dashboard.get(key, "absent") != value:
            yield f"{key} is {dashboard.get(key, 'absent')!r}, expected {value!r}"
    for key in ("uid", "title", "description"):
        if not dashboard.get(key):
            yield f"has no {key}"
    if TAG not in dashboard.get("tags", []):
        yield f"has not the tag {TAG}"
    if "__inputs" in dashboard:
        yield "has __inputs: provisioning does not fill them in"


def _ids(dashboard: Json) -> Iterator[str]:
    ids = [panel.get("id") for panel in dashboard.get("panels", [])]
    if None in ids:
        yield "a panel has no id"
    for panel_id in sorted({i for i in ids if i is not None and ids.count(i) > 1}):
        yield f"two panels have the id {panel_id}"


def _grid(dashboard: Json) -> Iterator[str]:
    placed = [panel for panel in dashboard.get("panels", []) if "gridPos" in panel]
    for one, other in combinations(placed, 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"panels {one.get('id')} and {other.get('id')} overlap"


def _overlap(one: Json, other: Json) -> bool:
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def _variables(dashboard: Json) -> Iterator[str]:
    variables = dashboard.get("templating", {}).get("list", [])
    if not any(v["name"] == "datasource" and v["type"] == "datasource" for v in variables):
        yield "has no variable datasource"
    for variable in variables:
        if variable["type"] == "query":
            for fault in (*datasource_faults(variable), *variable_query_faults(variable)):
                yield f"variable {variable['name']}: {fault}"


def _queries(dashboard: Json) -> Iterator[str]:
    names = {v["name"] for v in dashboard.get("templating", {}).get("list", [])}
    for panel in dashboard.get("panels", []):
        for target in panel.get("targets", []):
            for fault in (*datasource_faults(target), *query_faults(target, names)):
                yield f"panel {panel.get('id')} {target.get('refId')}: {fault}"


def _words(panel: Json) -> Iterator[str]:
    for key in ("title", "description"):
        if not panel.get(key) and panel.get("type") != "row":
            yield f"has no {key}"


def _unit(panel: Json) -> Iterator[str]:
    if panel.get("type") in _WITHOUT_UNIT:
        return
    config = panel.get("fieldConfig", {})
    overridden = [
        override_property["value"]
        for override in config.get("overrides", [])
        for override_property in override.get("properties", [])
        if override_property["id"] == "unit"
    ]
    unit = config.get("defaults", {}).get("unit")
    if not unit:
        yield "has no unit"
    for misread in sorted({unit, *overridden} & _UNITS_OFTEN_MISREAD):
        yield f"has the unit {misread}: expected watt or watth, which Grafana scales by itself"


def _place(panel: Json) -> Iterator[str]:
    place = panel.get("gridPos")
    if place is None:
        yield "has no place in the grid"
    elif place["w"] < 1 or place["h"] < 1 or place["x"] < 0 or place["y"] < 0:
        yield f"has no room in the grid: {place}"
    elif place["x"] + place["w"] > GRID_COLUMNS:
        yield f"reaches past column {GRID_COLUMNS}"


def _panel_source(panel: Json) -> Iterator[str]:
    if "libraryPanel" in panel:
        yield "is a library panel: whoever imports the file has no such library"
    if panel.get("type") not in _WITHOUT_UNIT:
        yield from datasource_faults(panel)
        if not panel.get("targets"):
            yield "asks nothing"


def _transformations(panel: Json) -> Iterator[str]:
    for step in panel.get("transformations", []):
        if step["id"] not in TRANSFORMATIONS:
            yield f"transformation {step['id']!r}: expected one of {sorted(TRANSFORMATIONS)}"


def _nights(panel: Json) -> Iterator[str]:
    joined = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {}).get("spanNulls")
    if joined is True or (joined or 0) > LONGEST_GAP_JOINED_MILLISECONDS:
        yield f"joins gaps of {joined} ms: expected at most {LONGEST_GAP_JOINED_MILLISECONDS}"


_DASHBOARD_RULES: Final[tuple[Callable[[Json], Iterator[str]], ...]] = (
    _frame,
    _ids,
    _grid,
    _variables,
    _queries,
)
_PANEL_RULES: Final[tuple[Callable[[Json], Iterator[str]], ...]] = (
    _words,
    _unit,
    _place,
    _panel_source,
    _transformations,
    _nights,
)


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong with these files, or with all that are committed; 1 if anything is."""
    paths = [Path(name) for name in arguments] or sorted(FOLDER.glob("*.json"))
    if not paths:
        sys.stderr.write(f"no dashboards in {FOLDER}; make dashboards writes them\n")
        return 1
    dashboards = {path: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    found = [f"{path.name}: {f}" for path, one in dashboards.items() for f in dashboard_faults(one)]
    found += faults_between(list(dashboards.values()))
    sys.stderr.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
