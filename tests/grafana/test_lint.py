"""The linter finds each fault, in a dashboard that has no other."""

from collections.abc import Callable
from typing import Any

import pytest

from grafana.lint import dashboard_faults
from tests.grafana.sound import sound_dashboard

Dashboard = dict[str, Any]
Break = Callable[[Dashboard], object]


def faults(dashboard: Dashboard) -> list[str]:
    return [*dashboard_faults(dashboard)]


def panel(dashboard: Dashboard, index: int = 0) -> Dashboard:
    found: Dashboard = dashboard["panels"][index]
    return found


def target(dashboard: Dashboard, index: int = 0) -> Dashboard:
    found: Dashboard = panel(dashboard, index)["targets"][0]
    return found


def variable(dashboard: Dashboard) -> Dashboard:
    found: Dashboard = dashboard["templating"]["list"][1]
    return found


def test_sound_dashboard_has_no_fault() -> None:
    assert faults(sound_dashboard()) == []


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda d: d.update(id=7), "id is 7, expected None"),
        (lambda d: d.pop("id"), "id is 'absent', expected None"),
        (lambda d: d.update(schemaVersion=41), "schemaVersion is 41, expected 39"),
        (lambda d: d.update(editable=False), "editable is False, expected True"),
        (lambda d: d.update(timezone="utc"), "timezone is 'utc', expected 'browser'"),
        (lambda d: d.update(uid=""), "has no uid"),
        (lambda d: d.pop("title"), "has no title"),
        (lambda d: d.pop("description"), "has no description"),
        (lambda d: d.update(tags=["solar"]), "has not the tag apsystems"),
        (
            lambda d: d.update(__inputs=[]),
            "has __inputs: provisioning does not fill them in",
        ),
        (lambda d: d["templating"]["list"].pop(0), "has no variable datasource"),
    ],
)
def test_frame(spoil: Break, fault: str) -> None:
    dashboard = sound_dashboard()
    spoil(dashboard)
    assert faults(dashboard) == [fault]


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda p: p.pop("title"), "panel 1 '': has no title"),
        (lambda p: p.update(description=""), "panel 1 'Power': has no description"),
        (
            lambda p: p["fieldConfig"]["defaults"].pop("unit"),
            "panel 1 'Power': has no unit",
        ),
        (
            lambda p: p["fieldConfig"]["defaults"].update(unit="kwatth"),
            "panel 1 'Power': has the unit kwatth: expected watt or watth, which Grafana scales "
            "by itself",
        ),
        (
            lambda p: p["fieldConfig"]["overrides"].append(
                {"matcher": {}, "properties": [{"id": "unit", "value": "kwatt"}]}
            ),
            "panel 1 'Power': has the unit kwatt: expected watt or watth, which Grafana scales by "
            "itself",
        ),
        (lambda p: p.pop("gridPos"), "panel 1 'Power': has no place in the grid"),
        (
            lambda p: p["gridPos"].update(w=0),
            "panel 1 'Power': has no room in the grid: {'x': 0, 'y': 0, 'w': 0, 'h': 8}",
        ),
        (
            lambda p: p.update(libraryPanel={"uid": "x"}),
            "panel 1 'Power': is a library panel: whoever imports the file has no such library",
        ),
        (
            lambda p: p.update(datasource={"type": "prometheus", "uid": "P1809F7CD0C75ACF3"}),
            "panel 1 'Power': data source {'type': 'prometheus', 'uid': 'P1809F7CD0C75ACF3'}: "
            "expected the uid ${datasource}",
        ),
        (lambda p: p.update(targets=[]), "panel 1 'Power': asks nothing"),
        (
            lambda p: p["fieldConfig"]["defaults"]["custom"].update(spanNulls=True),
            "panel 1 'Power': joins gaps of True ms: expected at most 900000",
        ),
        (
            lambda p: p["fieldConfig"]["defaults"]["custom"].update(spanNulls=3_600_000),
            "panel 1 'Power': joins gaps of 3600000 ms: expected at most 900000",
        ),
    ],
)
def test_panel(spoil: Break, fault: str) -> None:
    dashboard = sound_dashboard()
    spoil(panel(dashboard))
    assert faults(dashboard) == [fault]


def test_panel_past_the_last_column() -> None:
    dashboard = sound_dashboard()
    panel(dashboard, 1)["gridPos"]["w"] = 13
    assert faults(dashboard) == ["panel 2 'Energy': reaches past column 24"]


def test_forbidden_transformation() -> None:
    dashboard = sound_dashboard()
    panel(dashboard)["transformations"].append({"id": "heatmap", "options": {}})
    (fault,) = faults(dashboard)
    assert fault.startswith("panel 1 'Power': transformation 'heatmap': expected one of")


def test_panels_of_one_id() -> None:
    dashboard = sound_dashboard()
    panel(dashboard, 2)["id"] = 1
    assert faults(dashboard) == ["two panels have the id 1"]


def test_panel_without_id() -> None:
    dashboard = sound_dashboard()
    del panel(dashboard, 2)["id"]
    assert faults(dashboard) == ["a panel has no id"]


@pytest.mark.parametrize(
    ("place", "overlaps"),
    [
        ({"x": 11, "y": 7, "w": 2, "h": 4}, True),
        ({"x": 12, "y": 7, "w": 12, "h": 4}, False),
        ({"x": 0, "y": 0, "w": 24, "h": 8}, True),
        ({"x": 3, "y": 8, "w": 4, "h": 1}, False),
    ],
)
def test_overlap_in_the_grid(place: dict[str, int], *, overlaps: bool) -> None:
    dashboard = sound_dashboard()
    dashboard["panels"].pop(1)
    panel(dashboard, 1)["gridPos"] = place
    assert faults(dashboard) == (["panels 1 and 3 overlap"] if overlaps else [])


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        (
            "aps_inverter_power_wats",
            "unknown metric 'aps_inverter_power_wats': expected one that the exporter publishes",
        ),
        (
            'aps_ecu_power_watts{inverter="1"}',
            "aps_ecu_power_watts has no label 'inverter'",
        ),
        (
            "sum by (panel) (aps_channel_power_watts)",
            "no metric of this query has a label 'panel'",
        ),
        (
            "aps_ecu_power_watts or vector(0)",
            "vector() makes a number of nothing: an absent number must stay absent",
        ),
        (
            'aps_ecu_power_watts{ecu=~"$ecus"}',
            "unknown variable $ecus: expected one of datasource, ecu",
        ),
        ("", "asks nothing"),
    ],
)
def test_promql(expr: str, fault: str) -> None:
    dashboard = sound_dashboard()
    target(dashboard).update(expr=expr, legendFormat="all")
    assert faults(dashboard) == [f"panel 1 A: {fault}"]


def test_label_of_a_legend() -> None:
    dashboard = sound_dashboard()
    target(dashboard)["legendFormat"] = "{{inverter}} {{ phase }}"
    assert faults(dashboard) == ["panel 1 A: no metric of this query has a label 'phase'"]


@pytest.mark.parametrize(
    "expr",
    [
        'count(ALERTS{alertname=~"Aps.+", alertstate="firing"})',
        'rate(process_cpu_seconds_total{job="aps", instance=~".+"}[5m])',
        'up{job="aps"} == 0',
        "max_over_time(aps_ecu_power_watts[$__range:$__interval])",
        'label_join(aps_up, "where", " ", "target", "instance")',
    ],
)
def test_what_prometheus_has_besides_is_known(expr: str) -> None:
    dashboard = sound_dashboard()
    target(dashboard).update(expr=expr, legendFormat="all")
    assert faults(dashboard) == []


def test_data_source_of_a_target() -> None:
    dashboard = sound_dashboard()
    target(dashboard)["datasource"] = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    (fault,) = faults(dashboard)
    assert fault.startswith("panel 1 A: data source")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ('SELECT "day_energy_kw" FROM "aps_ecu" WHERE $timeFilter', "day_energy_kw"),
        ('SELECT "day_energy_kwh" FROM "aps_ecus" WHERE $timeFilter', "aps_ecus"),
        ('SELECT "day_energy_kwh" FROM "aps_ecu" GROUP BY "serial"', "serial"),
    ],
)
def test_influxql(query: str, name: str) -> None:
    dashboard = sound_dashboard()
    target(dashboard, 1)["query"] = query
    assert faults(dashboard) == [
        f"panel 2 A: unknown name {name!r}: expected a measurement, field or tag of the exporter"
    ]


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        (
            "label_values(aps_ecu_inf, ecu)",
            "unknown metric 'aps_ecu_inf': expected one that the exporter publishes",
        ),
        (
            'label_values(aps_ecu_info{ecus="1"}, ecu)',
            "aps_ecu_info has no label 'ecus'",
        ),
        ("label_values(aps_ecu_info, panel)", "no metric of this query has a label 'panel'"),
        ("ecu", "'ecu': expected label_values(metric, label)"),
    ],
)
def test_query_of_a_variable(query: str, fault: str) -> None:
    dashboard = sound_dashboard()
    variable(dashboard)["query"]["query"] = query
    assert faults(dashboard) == [f"variable ecu: {fault}"]


def test_influxql_of_a_variable() -> None:
    dashboard = sound_dashboard()
    variable(dashboard)["query"] = 'SHOW TAG VALUES FROM "aps_ecu" WITH KEY = "ecuu"'
    assert faults(dashboard) == [
        "variable ecu: unknown name 'ecuu': expected a measurement, field or tag of the exporter"
    ]


def test_data_source_of_a_variable() -> None:
    dashboard = sound_dashboard()
    variable(dashboard)["datasource"] = None
    assert faults(dashboard) == ["variable ecu: data source None: expected the uid ${datasource}"]
