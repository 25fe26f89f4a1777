"""A whole dashboard, and where its panels are."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from grafana.builder.fields import Json
from grafana.builder.panels import GRID_COLUMNS, Panel
from grafana.builder.variables import Variable

SCHEMA_VERSION: Final = 39
"""Grafana 10.4 takes it as it is; newer ones migrate it upwards."""

TAG: Final = "apsystems"
SHARED_CROSSHAIR: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard; each of `rows` is filled from the left and is as high as its highest panel.

    The order of panels is the one in which they stand below each other on a phone.

    Raises:
        ValueError: for a row wider than the grid, or two panels of one id.
    """

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[tuple[Panel, ...], ...]
    time_from: str

    def __post_init__(self) -> None:
        for row in self.rows:
            width = sum(panel.width for panel in row)
            if width > GRID_COLUMNS:
                raise ValueError(
                    f"{self.uid}: the row of {row[0].title!r} is {width} columns wide, expected at "
                    f"most {GRID_COLUMNS}; make its panels narrower or begin a new row"
                )
        ids = [panel.id for row in self.rows for panel in row]
        for panel_id in ids:
            if ids.count(panel_id) > 1:
                raise ValueError(f"{self.uid}: two panels have id {panel_id}; give one a new id")

    def to_json(self) -> Json:
        """The dashboard as Grafana wants it."""
        return {
            "id": None,
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "editable": True,
            "graphTooltip": SHARED_CROSSHAIR,
            "refresh": "1m",
            "timezone": "browser",
            "time": {"from": self.time_from, "to": "now"},
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "annotations": {"list": []},
            "links": [_links_to_the_others()],
            "templating": {"list": [variable.to_json() for variable in self.variables]},
            "panels": [*self._placed()],
        }

    def to_text(self) -> str:
        """The same as it stands in a file."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"

    def _placed(self) -> Iterator[Json]:
        y = 0
        for row in self.rows:
            x = 0
            for panel in row:
                place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
                yield {**panel.to_json(), "gridPos": place}
                x += panel.width
            y += max(panel.height for panel in row)


def _links_to_the_others() -> Json:
    return {
        "type": "dashboards",
        "tags": [TAG],
        "title": "APsystems",
        "tooltip": "The other dashboards of this roof",
        "icon": "external link",
        "url": "",
        "asDropdown": True,
        "keepTime": True,
        "includeVars": True,
        "targetBlank": False,
    }
