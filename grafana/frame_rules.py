"""What must hold for a dashboard around its panels: frame, links, variables, annotations, grid."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from grafana.builder import Json
from grafana.builder.dashboard import SCHEMA_VERSION, SHARED_CROSSHAIR, TAG
from grafana.query_rules import datasource_faults, query_faults, variable_query_faults

_EXPECTED: Final[Json] = {
    "id": None,
    "schemaVersion": SCHEMA_VERSION,
    "editable": True,
    "timezone": "browser",
    "refresh": "1m",
    "graphTooltip": SHARED_CROSSHAIR,
}


def frame_faults(dashboard: Json) -> Iterator[str]:
    """Everything that is wrong with a dashboard, save for what is wrong with one panel."""
    for rule in (_frame, _links, _ids, _grid, _variables, _annotations):
        yield from rule(dashboard)


def every_panel(holder: Json) -> Iterator[Json]:
    """The panels of a dashboard, and those in its rows."""
    for panel in holder.get("panels", []):
        yield panel
        yield from every_panel(panel)


def variable_names(dashboard: Json) -> set[str]:
    """What its queries may use."""
    return {variable["name"] for variable in _variables_of(dashboard)}


def _frame(dashboard: Json) -> Iterator[str]:
    for key, value in _EXPECTED.items():
        if dashboard.get(key, "absent") != value:
            yield f"{key} is {dashboard.get(key, 'absent')!r}, expected {value!r}"
    for key in ("uid", "title", "description"):
        if not dashboard.get(key):
            yield f"has no {key}"
    if TAG not in dashboard.get("tags", []):
        yield f"has not the tag {TAG}"
    if "__inputs" in dashboard:
        yield "has __inputs: provisioning does not fill them in"


def _links(dashboard: Json) -> Iterator[str]:
    """Choices go along to those of a tag of its own; others may know other ones by that name."""
    own_tags = set(dashboard.get("tags", []))
    links = [link for link in dashboard.get("links", []) if link.get("type") == "dashboards"]
    tags_of_links = [set(link.get("tags", [])) for link in links]
    if not any(tags and tags <= own_tags for tags in tags_of_links):
        yield "has no link to the dashboards of a tag of its own"
    for link, tags in zip(links, tags_of_links, strict=True):
        for key, expected in (("keepTime", True), ("includeVars", tags <= own_tags)):
            if link.get(key) is not expected:
                yield f"link to {sorted(tags)}: {key} is {link.get(key)!r}, expected {expected}"


def _ids(dashboard: Json) -> Iterator[str]:
    ids = [panel.get("id") for panel in every_panel(dashboard)]
    if None in ids:
        yield "a panel has no id"
    for panel_id in sorted({i for i in ids if i is not None and ids.count(i) > 1}):
        yield f"two panels have the id {panel_id}"


def _grid(dashboard: Json) -> Iterator[str]:
    """Panels in a row overlap among themselves only: what stands below gives way to them."""
    for holder in (dashboard, *every_panel(dashboard)):
        placed = [panel for panel in holder.get("panels", []) if "gridPos" in panel]
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


def _variables_of(dashboard: Json) -> Sequence[Json]:
    variables: Sequence[Json] = dashboard.get("templating", {}).get("list", [])
    return variables


def _variables(dashboard: Json) -> Iterator[str]:
    variables = _variables_of(dashboard)
    if not any(v["name"] == "datasource" and v["type"] == "datasource" for v in variables):
        yield "has no variable datasource"
    for variable in variables:
        if variable["type"] == "query":
            for fault in _variable_faults(variable):
                yield f"variable {variable['name']}: {fault}"


def _variable_faults(variable: Json) -> Iterator[str]:
    yield from datasource_faults(variable)
    yield from variable_query_faults(variable)
    if variable.get("includeAll") is not True:
        yield f"includeAll is {variable.get('includeAll')!r}, expected True: else one is shown"


def _annotations(dashboard: Json) -> Iterator[str]:
    """Annotations that people make by hand are Grafana's own, `builtIn`."""
    for annotation in dashboard.get("annotations", {}).get("list", []):
        if not annotation.get("builtIn"):
            # Older Grafanas have the query in the annotation itself, newer ones in its target.
            target = {**annotation, **annotation.get("target", {})}
            asked = {**target, "datasource": annotation.get("datasource")}
            words = (annotation.get(key, "") for key in ("titleFormat", "textFormat"))
            asked["legendFormat"] = " ".join(words)
            faults = (*datasource_faults(asked), *query_faults(asked, variable_names(dashboard)))
            for fault in faults:
                yield f"annotation {annotation.get('name', '')!r}: {fault}"
