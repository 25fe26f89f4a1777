"""The linter finds each name that nobody knows, and each fixed data source."""

import pytest

from tests.grafana.sound import faults, sound_dashboard, target, variable


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
        'count(ALERTS{alertname=~"Aps.+", alertstate="firing", ecu=~"$ecu|"})',
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


@pytest.mark.parametrize(
    "source", [{"type": "prometheus", "uid": "${DS_PROMETHEUS}"}, "Prometheus", None]
)
def test_data_source_of_a_target(source: object) -> None:
    dashboard = sound_dashboard()
    target(dashboard)["datasource"] = source
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
