"""What a panel asks, in PromQL or InfluxQL, always of the data source that was chosen."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from grafana.builder.fields import Json, without_nulls

DATASOURCE_UID: Final = "${datasource}"


def datasource(kind: str) -> Json:
    """The data source of the dashboard's variable, of this kind."""
    return {"type": kind, "uid": DATASOURCE_UID}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(ABC):
    """One query of a panel."""

    datasource_kind: ClassVar[str]

    @property
    def asks_once(self) -> bool:
        """Whether it asks for the end of the time range only."""
        return False

    @abstractmethod
    def to_json(self, ref_id: str) -> Json:
        """The target as Grafana wants it, under this letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promql(Target):
    """A query in PromQL; `instant` asks once, at the end of the time range.

    `min_step` is the shortest distance of points, such as `1d`; `legend` names a series from its
    labels; `shape` is "table" for one row a series, with a column a label.
    """

    datasource_kind: ClassVar[str] = "prometheus"

    expr: str
    legend: str = "__auto"
    instant: bool = False
    min_step: str | None = None
    shape: Literal["time_series", "table"] = "time_series"

    @property
    def asks_once(self) -> bool:
        return self.instant

    def to_json(self, ref_id: str) -> Json:
        return without_nulls(
            {
                "refId": ref_id,
                "datasource": datasource(self.datasource_kind),
                "editorMode": "code",
                "expr": self.expr,
                "legendFormat": self.legend,
                "instant": self.instant,
                "range": not self.instant,
                "format": self.shape,
                "interval": self.min_step,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Influxql(Target):
    """A query in InfluxQL; `alias` names a series from its tags, as `$tag_inverter`."""

    datasource_kind: ClassVar[str] = "influxdb"

    query: str
    alias: str | None = None
    shape: Literal["time_series", "table"] = "time_series"

    def to_json(self, ref_id: str) -> Json:
        return without_nulls(
            {
                "refId": ref_id,
                "datasource": datasource(self.datasource_kind),
                "rawQuery": True,
                "query": self.query,
                "alias": self.alias,
                "resultFormat": self.shape,
            }
        )
