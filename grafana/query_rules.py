"""What must hold for each query of a dashboard: its data source, and the names in it."""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Final

from grafana.builder import Json
from grafana.builder.targets import DATASOURCE_UID
from grafana.promql import PromqlNames, names_in
from grafana.published import INFLUXDB_NAMES, LABELS_OF_SCRAPES, METRICS

_OF_PROMETHEUS: Final[Mapping[str, Set[str]]] = {
    "ALERTS": {
        "alertname",
        "alertstate",
        "severity",
        *(n for m in METRICS.values() for n in m.labels),
    },
    "up": set(),
    "scrape_duration_seconds": set(),
    "scrape_samples_scraped": set(),
}
_OF_THE_CLIENT_LIBRARY: Final = ("process_", "python_")

_LABEL_VALUES: Final = re.compile(r"^label_values\((?:(?P<series>.*),)?\s*(?P<label>\w+)\s*\)$")
_LEGEND_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_QUOTED_NAME: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ALIAS: Final = re.compile(r'\bAS\s+"(\w+)"', re.IGNORECASE)
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+))")
_GRAFANAS_OWN: Final = re.compile(r"__\w+|timeFilter|\d+")


def datasource_faults(asking: Json) -> Iterator[str]:
    """For a target, a panel or a variable: it asks what the owner chose, nothing fixed."""
    source = asking.get("datasource")
    if not isinstance(source, dict) or source.get("uid") != DATASOURCE_UID:
        yield f"data source {source!r}: expected the uid {DATASOURCE_UID}"


def asks_influxdb(asking: Json) -> bool:
    """Whether a target asks in InfluxQL; else it is PromQL."""
    source = asking.get("datasource")
    return isinstance(source, dict) and source.get("type") == "influxdb"


def query_faults(target: Json, variables: Set[str]) -> Iterator[str]:
    """What is wrong with the query of a panel's target."""
    if asks_influxdb(target):
        text = target.get("query", "")
        yield from influxql_faults(text)
    else:
        text = target.get("expr", "")
        yield from promql_faults(text, legend=target.get("legendFormat", ""))
    if not text:
        yield "asks nothing"
    yield from variable_faults(text, variables)


def variable_query_faults(variable: Json) -> Iterator[str]:
    """What is wrong with the query of a variable."""
    query = variable["query"]
    if not isinstance(query, dict):
        yield from influxql_faults(query)
        return
    found = _LABEL_VALUES.match(query["query"])
    if found is None:
        yield f"{query['query']!r}: expected label_values(metric, label)"
        return
    names = names_in(found["series"] or "")
    names.labels.add(found["label"])
    yield from _name_faults(names)


def promql_faults(expr: str, *, legend: str = "") -> Iterator[str]:
    """Unknown names in an expression and its legend, and what makes numbers of nothing."""
    names = names_in(expr)
    if "vector" in names.functions:
        yield "vector() makes a number of nothing: an absent number must stay absent"
    names.labels.update(_LEGEND_LABEL.findall(legend))
    yield from _name_faults(names)


def influxql_faults(query: str) -> Iterator[str]:
    """Names in double quotes that are no measurement, field, tag or alias."""
    known = INFLUXDB_NAMES | set(_ALIAS.findall(query))
    for name in _QUOTED_NAME.findall(query):
        if name not in known:
            yield f"unknown name {name!r}: expected a measurement, field or tag of the exporter"


def variable_faults(text: str, variables: Set[str]) -> Iterator[str]:
    """Variables that are neither the dashboard's nor Grafana's own."""
    for braced, bare in _VARIABLE.findall(text):
        name = braced or bare
        if name not in variables and not _GRAFANAS_OWN.fullmatch(name):
            yield f"unknown variable ${name}: expected one of {', '.join(sorted(variables))}"


def _name_faults(names: PromqlNames) -> Iterator[str]:
    unknown = [metric for metric in names.metrics if _labels_of(metric) is None]
    for metric in unknown:
        yield f"unknown metric {metric!r}: expected one that the exporter publishes"
    if unknown:
        return  # nobody knows which labels it is meant to have
    known: set[str] = {*LABELS_OF_SCRAPES, *names.made_labels}
    for metric, matched in names.metrics.items():
        labels = _labels_of(metric) or set()
        for label in sorted(matched - labels - LABELS_OF_SCRAPES):
            yield f"{metric} has no label {label!r}"
        known |= labels
    for label in sorted(names.labels - known):
        yield f"no metric of this query has a label {label!r}"


def _labels_of(metric: str) -> Set[str] | None:
    if metric in METRICS:
        return set(METRICS[metric].labels)
    if metric.startswith(_OF_THE_CLIENT_LIBRARY):
        return set()
    return _OF_PROMETHEUS.get(metric)
