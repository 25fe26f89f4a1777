"""What all panels have in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from grafana.builder.fields import Fields, Json, without_nulls
from grafana.builder.targets import Target, datasource
from grafana.builder.transformations import Transformation

GRID_COLUMNS: Final = 24

_UP_TO_NOW: Final = "15m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel(ABC):
    """A panel of a dashboard; `width` in columns of 24, `height` in Grafana's rows of 30 pixels.

    `id` is given once and never changes: links and alerts point to it.
    """

    id: int
    title: str
    description: str
    width: int
    height: int = 8

    @abstractmethod
    def to_json(self) -> Json:
        """The panel as Grafana wants it, without its place."""

    def _head(self, kind: str) -> Json:
        return {
            "id": self.id,
            "type": kind,
            "title": self.title,
            "description": self.description,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPanel(Panel):
    """A panel that shows what its targets find.

    `time_from` holds against a relative range of the time picker: `now/d` for today, `now-30d/d`
    for whole days. What asks once without it is asked now: a query is answered for the end of the
    range, and that may be yesterday. Against an absolute range Grafana lets neither hold.
    `least_interval` is the least that `$__interval` stands for, such as `5m`.
    """

    targets: tuple[Target, ...]
    fields: Fields
    transformations: tuple[Transformation, ...] = ()
    time_from: str | None = None
    time_shift: str | None = None
    least_interval: str | None = None

    @property
    @abstractmethod
    def kind(self) -> str:
        """Grafana's name of this kind of panel."""

    @abstractmethod
    def options(self) -> Json:
        """Grafana's options of this kind of panel."""

    def custom(self) -> Json:
        """What this kind of panel adds to each field."""
        return {}

    def to_json(self) -> Json:
        targets = [
            target.to_json(ref_id)
            for ref_id, target in zip(ascii_uppercase, self.targets, strict=False)
        ]
        return {
            **self._head(self.kind),
            "datasource": datasource(self.targets[0].datasource_kind),
            "targets": targets,
            "fieldConfig": self.fields.to_json(self.custom()),
            "options": self.options(),
            "transformations": [step.to_json() for step in self.transformations],
            **without_nulls(
                {
                    **self._time_override(),
                    "timeShift": self.time_shift,
                    "interval": self.least_interval,
                }
            ),
        }

    def _time_override(self) -> Json:
        if self.time_from is None and all(target.asks_once for target in self.targets):
            return {"timeFrom": _UP_TO_NOW, "hideTimeOverride": True}
        return {"timeFrom": self.time_from}


def legend(
    *calculations: str,
    to_the_right: bool = False,
    shown: bool = True,
    sorted_by: str | None = None,
    descending: bool = False,
) -> Json:
    """Grafana's legend: a list below, or a table with these calculations.

    `sorted_by` is the heading of a column, such as "Mean".
    """
    order = {} if sorted_by is None else {"sortBy": sorted_by, "sortDesc": descending}
    return {
        "showLegend": shown,
        "displayMode": "table" if calculations else "list",
        "placement": "right" if to_the_right else "bottom",
        "calcs": list(calculations),
        **order,
    }


def tooltip(*, every_series: bool) -> Json:
    """Grafana's tooltip, for the series under the pointer or for all at that moment."""
    return {"mode": "multi" if every_series else "single", "sort": "desc"}


def newest_value(field: str = "") -> Json:
    """Of each series the newest value there is, or the newest of this field, such as its time."""
    return {"calcs": ["lastNotNull"], "fields": field and f"/^{field}$/", "values": False}
