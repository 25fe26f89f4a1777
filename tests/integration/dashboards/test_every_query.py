"""Each query of each panel and variable finds something in a real server, but not by chance."""

import re
from collections.abc import Mapping
from typing import Any, Final

import pytest

from grafana.promql import names_in
from grafana.published import METRICS
from tests.integration.dashboards.answers import Answer, ask_influxdb, ask_prometheus
from tests.integration.dashboards.questions import (
    DASHBOARDS,
    EVERYTHING,
    Place,
    Question,
    places,
    variable_text,
    variables,
)
from tests.integration.dashboards.seed import ECU, ENDS, OFFLINE, ONE_IS_OFFLINE, Truth
from tests.integration.databases import InfluxDb1
from tests.integration.prometheus import Prometheus

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

RIGHTLY_EMPTY: Final = {
    ("aps-overview", "Alerts now"): "no alert fires at the end of the history",
}
"""Panels that have nothing to show at the end of the history, by uid and title, and why."""

TWO_INVERTERS: Final = {"ecu": (ECU,), "inverter": ("802000000002", "901000000009")}

PROMETHEUS: Final = places("prometheus")
INFLUXDB: Final = places("influxdb")

FIELDS_AND_MEASUREMENTS: Final = {
    name
    for metric in METRICS.values()
    if metric.influxdb is not None
    for name in (metric.influxdb.measurement, metric.influxdb.name)
}

each_choice: Final = pytest.mark.parametrize(
    "chosen", [EVERYTHING, TWO_INVERTERS], ids=["everything", "two inverters"]
)


def each(asked: list[Place]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("place", asked, ids=[place.name for place in asked])


def each_variable(kind: str) -> pytest.MarkDecorator:
    found = variables(kind)
    names = [f"{dashboard['uid']}: ${variable['name']}" for dashboard, variable in found]
    return pytest.mark.parametrize(("dashboard", "variable"), found, ids=names)


def _expect_rows(place: Place, question: Question, answers: list[Answer]) -> None:
    if (place.uid, place.title) in RIGHTLY_EMPTY:
        assert answers == []
        return
    assert answers != [], question.text
    for answer in answers:
        unnamed = [label for label in question.legend_labels if not answer.labels.get(label)]
        assert unnamed == [], f"no such labels on {answer.labels}"


@each(PROMETHEUS)
@each_choice
def test_promql_finds_numbers_and_what_its_legend_names(
    prometheus: Prometheus, place: Place, chosen: Mapping[str, tuple[str, ...]]
) -> None:
    question = place.put(ENDS, chosen)
    _expect_rows(place, question, ask_prometheus(prometheus, question))


@each(PROMETHEUS)
def test_promql_with_misspelt_metrics_finds_nothing(prometheus: Prometheus, place: Place) -> None:
    question = place.put(ENDS)
    named = sorted(names_in(question.text).metrics, key=len, reverse=True)
    assert named
    misspelt = re.sub(rf"\b({'|'.join(map(re.escape, named))})\b", r"\1_misspelt", question.text)
    assert misspelt != question.text
    assert ask_prometheus(prometheus, _with_text(question, misspelt)) == []


@each([place for place in PROMETHEUS if (place.uid, place.title) in RIGHTLY_EMPTY])
def test_what_is_rightly_empty_has_something_to_show_when_it_should(
    prometheus: Prometheus, place: Place
) -> None:
    assert ask_prometheus(prometheus, place.put(ONE_IS_OFFLINE)) != []


def test_every_rightly_empty_panel_is_there() -> None:
    assert {(place.uid, place.title) for place in (*PROMETHEUS, *INFLUXDB)} >= RIGHTLY_EMPTY.keys()


@each(INFLUXDB)
@each_choice
def test_influxql_finds_numbers(
    influxdb: InfluxDb1, place: Place, chosen: Mapping[str, tuple[str, ...]]
) -> None:
    question = place.put(ENDS, chosen)
    _expect_rows(place, question, ask_influxdb(influxdb, question))


@each(INFLUXDB)
def test_influxql_with_misspelt_names_finds_nothing(influxdb: InfluxDb1, place: Place) -> None:
    question = place.put(ENDS)
    misspelt = re.sub(
        r'"(\w+)"',
        lambda name: f'"{name[1]}_misspelt"' if name[1] in FIELDS_AND_MEASUREMENTS else name[0],
        question.text,
    )
    assert misspelt != question.text
    assert ask_influxdb(influxdb, _with_text(question, misspelt)) == []


def _expected_choices(variable: dict[str, Any], truth: Truth) -> set[str]:
    inverters = {inverter.serial for inverter in truth.plant.inverters}
    assert OFFLINE in inverters
    return {"ecu": {ECU}, "inverter": inverters, "target": {"demo"}}[variable["name"]]


@each_variable("prometheus")
def test_variable_lists_what_there_is(
    prometheus: Prometheus, dashboard: dict[str, Any], variable: dict[str, Any], truth: Truth
) -> None:
    text = variable_text(dashboard, variable)
    found = re.fullmatch(r"label_values\((.+), *(\w+)\)", text)
    assert found, f"{text}: expected label_values(metric, label)"
    at = str(ENDS.timestamp())
    listed = prometheus.ask(
        f"label/{found[2]}/values", **{"match[]": found[1], "start": at, "end": at}
    )
    assert set(listed) == _expected_choices(variable, truth)


@each_variable("influxdb")
def test_influxql_variable_lists_what_there_is(
    influxdb: InfluxDb1, dashboard: dict[str, Any], variable: dict[str, Any], truth: Truth
) -> None:
    listed = [
        value
        for series in influxdb.ask(variable_text(dashboard, variable))
        for _, value in series["values"]
    ]
    assert set(listed) == _expected_choices(variable, truth)


def test_there_are_dashboards_of_both_kinds_to_ask_for() -> None:
    assert len(DASHBOARDS) >= 2
    assert len(PROMETHEUS) > 10


def _with_text(question: Question, text: str) -> Question:
    return Question(
        question.panel, question.target, text, question.begins, question.ends, question.step
    )
