"""What the builder writes, compared with JSON written by hand."""

from typing import Any

import pytest

from grafana.builder import (
    BLANK,
    BarGauge,
    Dashboard,
    DatasourceVariable,
    Fields,
    Influxql,
    Promql,
    QueryVariable,
    Stat,
    Table,
    TextVariable,
    Threshold,
    TimeSeries,
    Transformation,
    ValueText,
    by_name,
    by_query,
    by_regexp,
    mappings,
)


def stat(panel_id: int, width: int, height: int) -> Stat:
    return Stat(
        id=panel_id,
        title=f"Panel {panel_id}",
        description="Nothing.",
        width=width,
        height=height,
        targets=(Promql(expr="aps_up"),),
        fields=Fields(unit="none"),
    )


def dashboard(*rows: tuple[Stat, ...]) -> Dashboard:
    return Dashboard(
        uid="aps-x", title="X", description="Y", variables=(), rows=rows, time_from="now-1d"
    )


def test_panels_stand_side_by_side_and_rows_below_each_other() -> None:
    made = dashboard((stat(1, 8, 4), stat(2, 16, 6)), (stat(3, 24, 5),), (stat(4, 3, 2),))
    places = [panel["gridPos"] for panel in made.to_json()["panels"]]
    assert places == [
        {"x": 0, "y": 0, "w": 8, "h": 4},
        {"x": 8, "y": 0, "w": 16, "h": 6},
        {"x": 0, "y": 6, "w": 24, "h": 5},
        {"x": 0, "y": 11, "w": 3, "h": 2},
    ]


def test_row_wider_than_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="the row of 'Panel 1' is 25 columns wide"):
        dashboard((stat(1, 12, 4), stat(2, 13, 4)))


def test_second_panel_of_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="two panels have id 1"):
        dashboard((stat(1, 8, 4),), (stat(1, 8, 4),))


def test_frame_of_a_dashboard() -> None:
    made = dashboard((stat(1, 8, 4),)).to_json()
    expected = {
        "id": None,
        "uid": "aps-x",
        "title": "X",
        "description": "Y",
        "tags": ["apsystems", "apsystems-prometheus"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "timezone": "browser",
        "time": {"from": "now-1d", "to": "now"},
    }
    assert {key: made[key] for key in expected} == expected
    links = [
        (link["type"], link["tags"], link["keepTime"], link["includeVars"])
        for link in made["links"]
    ]
    assert links == [
        ("dashboards", ["apsystems-prometheus"], True, True),
        ("dashboards", ["apsystems-influxdb"], True, False),
    ]


def test_a_panel_with_all_that_it_can_have() -> None:
    panel = TimeSeries(
        id=5,
        title="Power",
        description="Of all.",
        width=12,
        targets=(
            Promql(expr="aps_ecu_power_watts", legend="{{ecu}}", min_step="1m"),
            Promql(expr="aps_up", instant=True, shape="table"),
        ),
        fields=Fields(
            unit="watt",
            decimals=1,
            least=0,
            color="thresholds",
            thresholds=(Threshold(None, "red"), Threshold(5, "green")),
            texts=(ValueText(0, "off", "blue"),),
            absent="none",
            overrides=(by_query("B", {"unit": "s"}),),
        ),
        transformations=(Transformation("merge", {}),),
        time_from="now/d",
    ).to_json()
    options, custom = panel.pop("options"), panel["fieldConfig"]["defaults"].pop("custom")
    assert panel == {
        "id": 5,
        "type": "timeseries",
        "title": "Power",
        "description": "Of all.",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "targets": [
            {
                "refId": "A",
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "editorMode": "code",
                "expr": "aps_ecu_power_watts",
                "legendFormat": "{{ecu}}",
                "instant": False,
                "range": True,
                "format": "time_series",
                "interval": "1m",
            },
            {
                "refId": "B",
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "editorMode": "code",
                "expr": "aps_up",
                "legendFormat": "__auto",
                "instant": True,
                "range": False,
                "format": "table",
            },
        ],
        "fieldConfig": {
            "defaults": {
                "unit": "watt",
                "decimals": 1,
                "min": 0,
                "noValue": "none",
                "color": {"mode": "thresholds"},
                "thresholds": {
                    "mode": "absolute",
                    "steps": [{"color": "red", "value": None}, {"color": "green", "value": 5}],
                },
                "mappings": [
                    {
                        "type": "value",
                        "options": {"0": {"text": "off", "color": "blue", "index": 0}},
                    }
                ],
            },
            "overrides": [
                {
                    "matcher": {"id": "byFrameRefID", "options": "B"},
                    "properties": [{"id": "unit", "value": "s"}],
                }
            ],
        },
        "transformations": [{"id": "merge", "options": {}}],
        "timeFrom": "now/d",
    }
    assert options["legend"]["displayMode"] == "list"
    assert custom["spanNulls"] == 900_000


def test_panel_that_asks_once_asks_now_whatever_range_is_picked() -> None:
    once, often = Promql(expr="aps_up", instant=True), Promql(expr="aps_up")

    def override(time_from: str | None, *targets: Promql) -> dict[str, Any]:
        made = Stat(
            id=1,
            title="Power",
            description="Now.",
            width=4,
            targets=targets,
            fields=Fields(unit="watt"),
            time_from=time_from,
        ).to_json()
        return {key: made[key] for key in ("timeFrom", "hideTimeOverride") if key in made}

    assert override(None, once, once) == {"timeFrom": "15m", "hideTimeOverride": True}
    assert override("now/d", once) == {"timeFrom": "now/d"}
    assert override(None, once, often) == {}


def test_influxql_panel_asks_influxdb() -> None:
    panel = Stat(
        id=1,
        title="Power",
        description="Now.",
        width=4,
        targets=(Influxql(query="SELECT 1", alias="$tag_ecu"),),
        fields=Fields(unit="watt", fixed_color="yellow"),
    ).to_json()
    source = {"type": "influxdb", "uid": "${datasource}"}
    assert panel["datasource"] == source
    assert panel["targets"] == [
        {
            "refId": "A",
            "datasource": source,
            "rawQuery": True,
            "query": "SELECT 1",
            "alias": "$tag_ecu",
            "resultFormat": "time_series",
        }
    ]
    assert panel["fieldConfig"]["defaults"]["color"] == {"mode": "fixed", "fixedColor": "yellow"}


@pytest.mark.parametrize(
    ("override", "matcher"),
    [
        (by_name("x", {}), {"id": "byName", "options": "x"}),
        (by_regexp("x.*", {}), {"id": "byRegexp", "options": "/x.*/"}),
    ],
)
def test_matchers_of_overrides(override: Any, matcher: dict[str, str]) -> None:
    assert override.to_json() == {"matcher": matcher, "properties": []}


def test_text_and_colour_where_there_is_no_value() -> None:
    assert mappings([ValueText(1, "on", "green"), BLANK]) == [
        {"type": "value", "options": {"1": {"text": "on", "color": "green", "index": 0}}},
        {
            "type": "special",
            "options": {
                "match": "null",
                "result": {"text": "", "color": "transparent", "index": 1},
            },
        },
    ]
    assert [mapping["type"] for mapping in mappings([BLANK])] == ["special"]


def test_usual_range_of_an_axis_and_order_of_a_legend() -> None:
    panel = TimeSeries(
        id=1,
        title="Share",
        description="Of each.",
        width=12,
        targets=(Promql(expr="aps_up"),),
        fields=Fields(unit="percentunit"),
        usual_least=0.7,
        usual_most=1.2,
        legend_calculations=("mean",),
        legend_sorted_by="Mean",
        legend_descending=True,
    ).to_json()
    custom = panel["fieldConfig"]["defaults"]["custom"]
    assert (custom["axisSoftMin"], custom["axisSoftMax"]) == (0.7, 1.2)
    assert panel["options"]["legend"] == {
        "showLegend": True,
        "displayMode": "table",
        "placement": "bottom",
        "calcs": ["mean"],
        "sortBy": "Mean",
        "sortDesc": True,
    }


def test_least_width_of_columns_and_most_height_of_bars() -> None:
    fields, targets = Fields(unit="watt"), (Promql(expr="aps_up", instant=True),)
    table = Table(
        id=1,
        title="Roof",
        description="Now.",
        width=12,
        targets=targets,
        fields=fields,
        column_pixels=58,
    )
    assert table.to_json()["fieldConfig"]["defaults"]["custom"]["minWidth"] == 58
    bars = BarGauge(
        id=2,
        title="Worst",
        description="Now.",
        width=12,
        targets=targets,
        fields=fields,
        most_pixels=28,
    )
    assert bars.to_json()["options"]["maxVizHeight"] == 28


def test_transformation_that_may_change_is_refused() -> None:
    with pytest.raises(ValueError, match="'heatmap': expected one of calculateField, "):
        Transformation("heatmap", {})


def test_variables() -> None:
    source = DatasourceVariable(name="datasource", label="L", description="D", kind="prometheus")
    ecu = QueryVariable(
        name="ecu", label="L", description="D", kind="prometheus", query="label_values(a, ecu)"
    )
    tagged = QueryVariable(name="ecu", label="L", description="D", kind="influxdb", query="SHOW")
    tariff = TextVariable(name="tariff", label="L", description="D", default="0.30")

    assert source.to_json()["query"] == "prometheus"
    made = ecu.to_json()
    expected = {
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "refresh": 2,
    }
    assert {key: made[key] for key in expected} == expected
    assert made["query"]["query"] == "label_values(a, ecu)"
    assert made["current"]["value"] == ["$__all"]
    assert tagged.to_json()["query"] == "SHOW"
    assert tariff.to_json()["current"]["value"] == "0.30"
