"""What the owner of a dashboard can choose at its top."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Literal

from grafana.builder.fields import Json
from grafana.builder.targets import datasource

_ALL: Final = {"selected": True, "text": ["All"], "value": ["$__all"]}
_ON_TIME_RANGE_CHANGE: Final = 2
_ALPHABETICAL: Final = 1
_SHOWN: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable(ABC):
    """One choice: `name` as queries use it, `label` as people read it."""

    name: str
    label: str
    description: str

    @abstractmethod
    def to_json(self) -> Json:
        """The variable as Grafana wants it."""

    def _head(self, kind: str) -> Json:
        return {
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "type": kind,
            "hide": _SHOWN,
            "skipUrlSync": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasourceVariable(Variable):
    """Which data source of one kind; Grafana's default one until somebody chooses."""

    kind: Literal["prometheus", "influxdb"]

    def to_json(self) -> Json:
        return {
            **self._head("datasource"),
            "query": self.kind,
            "regex": "",
            "refresh": 1,
            "multi": False,
            "includeAll": False,
            "options": [],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryVariable(Variable):
    """Any number of the values that a query finds, or all of them.

    All stands for whatever has the label, not for those that are listed.
    """

    kind: Literal["prometheus", "influxdb"]
    query: str

    def to_json(self) -> Json:
        return {
            **self._head("query"),
            "datasource": datasource(self.kind),
            "query": self._query(),
            "regex": "",
            "refresh": _ON_TIME_RANGE_CHANGE,
            "sort": _ALPHABETICAL,
            "multi": True,
            "includeAll": True,
            "allValue": ".+",
            "options": [],
            "current": _ALL,
        }

    def _query(self) -> Json | str:
        if self.kind == "influxdb":
            return self.query
        return {"qryType": 1, "query": self.query, "refId": f"PrometheusVariable-{self.name}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextVariable(Variable):
    """A text, or a number, that the owner types in."""

    default: str

    def to_json(self) -> Json:
        chosen = {"selected": True, "text": self.default, "value": self.default}
        return {
            **self._head("textbox"),
            "query": self.default,
            "options": [chosen],
            "current": chosen,
        }
