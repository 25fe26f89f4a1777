"""A whole dashboard, and where its panels are."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from grafana.builder.fields import Json
from grafana.builder.panels import GRID_COLUMNS, Panel
from grafana.builder.variables import Variable

SCHEMA_VERSION: Final = 39
"""Grafana 10.4 takes it as it is; newer ones migrate it upwards."""

TAG: Final = "apsystems"
SHARED_CROSSHAIR: Final = 1

_OTHER_FAMILY: Final = {"prometheus": "influxdb", "influxdb": "prometheus"}
_NAMES: Final = {"prometheus": "Prometheus", "influxdb": "InfluxDB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard; each of `rows` is filled from the left and is as high as its highest panel.

    The order of panels is the one in which they stand below each other on a phone. `family` is the
    kind of data source that all of its queries are for.

    Raises:
        ValueError: for a row wider than the grid, or two panels of one id.
    """

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[tuple[Panel, ...], ...]
    time_from: str
    family: Literal["prometheus", "influxdb"] = "prometheus"

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
            "tags": [TAG, _tag(self.family)],
            "schemaVersion": SCHEMA_VERSION,
            "editable": True,
            "graphTooltip": SHARED_CROSSHAIR,
            "refresh": "1m",
            "timezone": "browser",
            "time": {"from": self.time_from, "to": "now"},
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "annotations": {"list": []},
            "links": [
                _links(self.family, "APsystems", keep_choices=True),
                _links(
                    _OTHER_FAMILY[self.family],
                    f"APsystems, from {_NAMES[_OTHER_FAMILY[self.family]]}",
                    keep_choices=False,
                ),
            ],
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


def _tag(family: str) -> str:
    return f"{TAG}-{family}"


def _links(family: str, title: str, *, keep_choices: bool) -> Json:
    """A menu of the dashboards of a family.

    To the other family nothing that was chosen may go along: it would be asked of the data source
    that was chosen here, which does not understand it.
    """
    return {
        "type": "dashboards",
        "tags": [_tag(family)],
        "title": title,
        "tooltip": f"Dashboards of this roof with what {_NAMES[family]} has",
        "icon": "external link",
        "url": "",
        "asDropdown": True,
        "keepTime": True,
        "includeVars": keep_choices,
        "targetBlank": False,
    }
