"""The linter finds each fault of a panel, also of one in a row."""

from collections.abc import Callable

import pytest

from tests.grafana.sound import Dashboard, faults, panel, panel_in_row, sound_dashboard

Break = Callable[[Dashboard], object]


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
        *(
            (
                lambda p, joined=joined: p["fieldConfig"]["overrides"].append(
                    {"matcher": {}, "properties": [{"id": "custom.spanNulls", "value": joined}]}
                ),
                f"panel 1 'Power': joins gaps of {joined} ms: expected at most 900000",
            )
            for joined in (True, 900_001)
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


def test_gaps_that_overrides_leave_are_no_fault() -> None:
    dashboard = sound_dashboard()
    properties = [{"id": "custom.spanNulls", "value": joined} for joined in (False, 900_000)]
    panel(dashboard)["fieldConfig"]["overrides"].append({"matcher": {}, "properties": properties})
    assert faults(dashboard) == []


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda p: p.pop("description"), "panel 5 'Energy per day': has no description"),
        (
            lambda p: p["fieldConfig"]["defaults"].pop("unit"),
            "panel 5 'Energy per day': has no unit",
        ),
        (lambda p: p.update(id=3), "two panels have the id 3"),
        (
            lambda p: p["targets"][0].update(expr="aps_ecu_power_wats", interval=None),
            "panel 5 A: unknown metric 'aps_ecu_power_wats': expected one that the exporter "
            "publishes",
        ),
        (
            lambda p: p["targets"][0].update(expr='aps_ecu_power_watts{ecu="$ecus"}'),
            "panel 5 A: unknown variable $ecus: expected one of datasource, ecu",
        ),
        (
            lambda p: p["targets"][0].update(datasource={"type": "prometheus", "uid": "x"}),
            "panel 5 A: data source {'type': 'prometheus', 'uid': 'x'}: expected the uid "
            "${datasource}",
        ),
        (
            lambda p: p["targets"][0].update(interval="1h"),
            "panel 5 A: adds up days with Min step '1h': expected 1d, or days overlap",
        ),
    ],
)
def test_panel_in_a_row(spoil: Break, fault: str) -> None:
    dashboard = sound_dashboard()
    spoil(panel_in_row(dashboard))
    assert faults(dashboard) == [fault]
