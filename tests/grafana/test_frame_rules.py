"""The linter finds each fault around panels, in a dashboard that has no other."""

from collections.abc import Callable
from typing import Final

import pytest

from tests.grafana.sound import Dashboard, faults, panel, panel_in_row, sound_dashboard, variable

Break = Callable[[Dashboard], object]


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
        (lambda d: d.update(refresh="5s"), "refresh is '5s', expected '1m'"),
        (lambda d: d.update(graphTooltip=0), "graphTooltip is 0, expected 1"),
        (lambda d: d.pop("links"), "has no link to the dashboards of a tag of its own"),
        (
            lambda d: d["links"][0].update(tags=[]),
            "has no link to the dashboards of a tag of its own",
        ),
        (
            lambda d: d["links"][0].update(tags=["solar"], includeVars=False),
            "has no link to the dashboards of a tag of its own",
        ),
        (
            lambda d: d["links"][0].update(includeVars=False),
            "link to ['roof']: includeVars is False, expected True",
        ),
        (
            lambda d: d["links"][0].pop("keepTime"),
            "link to ['roof']: keepTime is None, expected True",
        ),
        (
            lambda d: d["links"].append(
                {"type": "dashboards", "tags": ["solar"], "keepTime": True, "includeVars": True}
            ),
            "link to ['solar']: includeVars is True, expected False",
        ),
        (lambda d: d.update(uid=""), "has no uid"),
        (lambda d: d.pop("title"), "has no title"),
        (lambda d: d.pop("description"), "has no description"),
        (lambda d: d.update(tags=["roof"]), "has not the tag apsystems"),
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


def test_overlap_in_a_row() -> None:
    dashboard = sound_dashboard()
    panel(dashboard, 3)["panels"].append({**panel_in_row(dashboard), "id": 6})
    assert faults(dashboard) == ["panels 5 and 6 overlap"]


def test_variable_that_cannot_be_all() -> None:
    dashboard = sound_dashboard()
    variable(dashboard)["includeAll"] = False
    assert faults(dashboard) == [
        "variable ecu: includeAll is False, expected True: else one is shown"
    ]


CHOSEN: Final = {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize(
    ("annotation", "fault"),
    [
        (
            {"datasource": {"type": "prometheus", "uid": "x"}, "expr": "aps_up == 0"},
            "data source {'type': 'prometheus', 'uid': 'x'}: expected the uid ${datasource}",
        ),
        (
            {"datasource": CHOSEN, "expr": "aps_upp == 0"},
            "unknown metric 'aps_upp': expected one that the exporter publishes",
        ),
        (
            {"datasource": CHOSEN, "target": {"expr": "aps_upp == 0"}},
            "unknown metric 'aps_upp': expected one that the exporter publishes",
        ),
        (
            {"datasource": CHOSEN, "expr": "aps_up == 0", "titleFormat": "{{ecu}} is gone"},
            "no metric of this query has a label 'ecu'",
        ),
        (
            {"datasource": {"type": "influxdb", "uid": "${datasource}"}, "query": 'FROM "aps"'},
            "unknown name 'aps': expected a measurement, field or tag of the exporter",
        ),
        ({"datasource": CHOSEN}, "asks nothing"),
        ({"expr": "aps_up == 0"}, "data source None: expected the uid ${datasource}"),
    ],
)
def test_annotation(annotation: Dashboard, fault: str) -> None:
    dashboard = sound_dashboard()
    dashboard["annotations"]["list"].append({"name": "Lost", **annotation})
    assert faults(dashboard) == [f"annotation 'Lost': {fault}"]


def test_annotation_of_a_known_metric_is_no_fault() -> None:
    dashboard = sound_dashboard()
    annotation = {"datasource": CHOSEN, "expr": "aps_up == 0", "textFormat": "{{target}}"}
    dashboard["annotations"]["list"].append({"name": "Lost", **annotation})
    assert faults(dashboard) == []
