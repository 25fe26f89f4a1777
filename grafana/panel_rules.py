"""What must hold for each panel of a dashboard, whatever it asks."""

from collections.abc import Iterator
from typing import Any, Final

from grafana.builder import TRANSFORMATIONS, Json
from grafana.builder.panels import GRID_COLUMNS
from grafana.builder.series_panels import LONGEST_GAP_JOINED_MILLISECONDS
from grafana.query_rules import datasource_faults

_ASKS_NOTHING: Final = frozenset({"text", "row"})
_UNITS_OFTEN_MISREAD: Final = frozenset({"kwatth", "kwatt"})
"""They are right only for numbers that are in thousands already."""


def panel_faults(panel: Json) -> Iterator[str]:
    """Everything that is wrong with one panel, save for its queries and the panels in it."""
    for rule in (_words, _unit, _place, _source, _transformations, _gaps):
        yield from rule(panel)


def _words(panel: Json) -> Iterator[str]:
    for key in ("title", "description"):
        if not panel.get(key) and panel.get("type") != "row":
            yield f"has no {key}"


def _unit(panel: Json) -> Iterator[str]:
    if panel.get("type") in _ASKS_NOTHING:
        return
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
    if not unit:
        yield "has no unit"
    for misread in sorted({unit, *_overridden(panel, "unit")} & _UNITS_OFTEN_MISREAD):
        yield f"has the unit {misread}: expected watt or watth, which Grafana scales by itself"


def _place(panel: Json) -> Iterator[str]:
    place = panel.get("gridPos")
    if place is None:
        yield "has no place in the grid"
    elif place["w"] < 1 or place["h"] < 1 or place["x"] < 0 or place["y"] < 0:
        yield f"has no room in the grid: {place}"
    elif place["x"] + place["w"] > GRID_COLUMNS:
        yield f"reaches past column {GRID_COLUMNS}"


def _source(panel: Json) -> Iterator[str]:
    if "libraryPanel" in panel:
        yield "is a library panel: whoever imports the file has no such library"
    if panel.get("type") not in _ASKS_NOTHING:
        yield from datasource_faults(panel)
        if not panel.get("targets"):
            yield "asks nothing"


def _transformations(panel: Json) -> Iterator[str]:
    for step in panel.get("transformations", []):
        if step["id"] not in TRANSFORMATIONS:
            yield f"transformation {step['id']!r}: expected one of {sorted(TRANSFORMATIONS)}"


def _gaps(panel: Json) -> Iterator[str]:
    custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
    for joined in (custom.get("spanNulls"), *_overridden(panel, "custom.spanNulls")):
        if joined is True or (joined or 0) > LONGEST_GAP_JOINED_MILLISECONDS:
            yield f"joins gaps of {joined} ms: expected at most {LONGEST_GAP_JOINED_MILLISECONDS}"


def _overridden(panel: Json, property_id: str) -> list[Any]:
    """What overrides put in place of this property."""
    return [
        changed["value"]
        for override in panel.get("fieldConfig", {}).get("overrides", [])
        for changed in override.get("properties", [])
        if changed["id"] == property_id
    ]
