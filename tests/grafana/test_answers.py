"""What promtool answers to queries of the dashboards, in cases that no simulated history has."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from grafana.builder import Dashboard
from grafana.energy import ENERGY
from grafana.overview import OVERVIEW
from grafana.queries import ecu_joules
from tests.rules.promtool import promtool

pytestmark = pytest.mark.integration

ECU: Final = 'ecu="216000000001"'
OTHER_ECU: Final = 'ecu="216000000002"'

Sample = tuple[str, float]


def expect(
    folder: Path,
    expr: str,
    series: Mapping[str, str],
    at: str,
    samples: Sequence[Sample],
) -> None:
    """Demand these labels and values of a query at this time; all that is not chosen is asked."""
    asked = expr.replace("$ecu", ".+").replace("$inverter", ".+")
    test = {
        "interval": "10m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": asked,
                "eval_time": at,
                "exp_samples": [{"labels": labels, "value": value} for labels, value in samples],
            }
        ],
    }
    path = folder / "answers_test.yml"
    path.write_text(json.dumps({"evaluation_interval": "10m", "tests": [test]}), encoding="utf-8")
    promtool("test", "rules", path)


def test_lifetime_counter_that_falls_adds_nothing_to_the_day(tmp_path: Path) -> None:
    """At noon one falls from 4,400 kWh by 1; both ECUs make 2 kWh by power, the other says 3."""
    by_power = "0x72 0+100000x72"
    falls = "15840000000x72 15836400000+240000x72"
    expect(
        tmp_path,
        f"round({ecu_joules('1d')} / 3.6e6, 0.25)",
        {
            f"aps_ecu_lifetime_energy_joules_total{{{ECU}}}": falls,
            f"aps_ecu_integrated_energy_joules_total{{{ECU}}}": by_power,
            f"aps_ecu_lifetime_energy_joules_total{{{OTHER_ECU}}}": "15840000000x98 "
            "15840000000+240000x60",
            f"aps_ecu_integrated_energy_joules_total{{{OTHER_ECU}}}": by_power,
        },
        "1d",
        [(f"{{{ECU}}}", 2), (f"{{{OTHER_ECU}}}", 3)],
    )


def queries(dashboard: Dashboard, title: str) -> list[str]:
    """Those of this panel."""
    panels = (panel.to_json() for row in dashboard.rows for panel in row)
    (targets,) = (panel["targets"] for panel in panels if panel["title"] == title)
    return [target["expr"] for target in targets]


def overview(title: str) -> str:
    """The query of this panel."""
    (query,) = queries(OVERVIEW, title)
    return query


@pytest.mark.parametrize(("ecu", "count"), [(".+", 4), ("216000000001", 3), ("216000000002", 3)])
def test_alerts_count_once_for_the_chosen_ecus_and_those_of_no_ecu(
    tmp_path: Path, ecu: str, count: int
) -> None:
    """Each ECU has one of its own, one target is silent, and the exporters go by two names."""
    firing = 'alertstate="firing", severity="warning"'
    alerts = [
        f'alertname="ApsDataStale", {ECU}, {firing}, job="aps", instance="pi:10899"',
        f'alertname="ApsDataStale", {ECU}, {firing}, job="aps", instance="nas:10899"',
        f'alertname="ApsDataStale", {OTHER_ECU}, {firing}, job="aps", instance="pi:10899"',
        f'alertname="ApsEcuUnreachable", target="barn", {firing}, job="aps", instance="pi:10899"',
        f'alertname="ApsEcuUnreachable", target="barn", {firing}, job="aps", instance="nas:10899"',
        f'alertname="ApsEcuUnreachable", target="roof", {firing}, job="aps", instance="pi:10899"',
        'alertname="ApsClockOffset", alertstate="pending", job="aps", instance="pi:10899"',
        f'alertname="DiskFull", {firing}, job="node", instance="pi:9100"',
    ]
    series = {f"ALERTS{{{labels}}}": "1" for labels in alerts}
    expr = overview("Alerts now").replace("$ecu", ecu)
    expect(tmp_path, expr, series, "0m", [("{}", count)])


INVERTER: Final = 'inverter="802000000001"'
OTHER_INVERTER: Final = 'inverter="802000000002"'


def roof(*panels: str) -> dict[str, str]:
    """These channels at 100 W, 101 W and so on, by the labels of their panels."""
    series = {}
    for number, labels in enumerate(panels):
        channel = ", ".join(labels.split(", ")[:3])
        series[f"aps_channel_power_watts{{{channel}}}"] = f"{100 + number}"
        series[f"aps_channel_info{{{labels}}}"] = "1"
    return series


def test_panels_without_a_place_stand_by_inverter_and_channel_whatever_their_array_is_called(
    tmp_path: Path,
) -> None:
    array = 'array="South roof"'
    panels = (
        f'{ECU}, {INVERTER}, channel="1", {array}',
        f'{ECU}, {OTHER_INVERTER}, channel="1", {array}, row="1"',
        f'{ECU}, {OTHER_INVERTER}, channel="2", {array}, column="2"',
        f'{ECU}, {INVERTER}, channel="2"',
        f'{ECU}, {INVERTER}, channel="3", {array}, row="1", column="12"',
        f'{ECU}, {INVERTER}, channel="4", row="10", column="3"',
    )
    cells = (
        f'{ECU}, {INVERTER}, channel="1", row="802000000001", column="1"',
        f'{ECU}, {OTHER_INVERTER}, channel="1", row="802000000002", column="1"',
        f'{ECU}, {OTHER_INVERTER}, channel="2", row="802000000002", column="2"',
        f'{ECU}, {INVERTER}, channel="2", row="802000000001", column="2"',
        f'{ECU}, {INVERTER}, channel="3", row="South roof 01", column="12"',
        f'{ECU}, {INVERTER}, channel="4", row="10", column="03"',
    )
    samples = [(f"{{{labels}}}", 100.0 + number) for number, labels in enumerate(cells)]
    expect(tmp_path, overview("The roof now"), roof(*panels), "0m", samples)


def test_panels_of_two_ecus_at_one_place_have_a_cell_each(tmp_path: Path) -> None:
    place = 'channel="1", array="South", row="1", column="2"'
    panels = (
        f"{ECU}, {INVERTER}, {place}",
        f"{OTHER_ECU}, {OTHER_INVERTER}, {place}",
        f'{OTHER_ECU}, {OTHER_INVERTER}, channel="2", row="1", column="2"',
        f'{OTHER_ECU}, {OTHER_INVERTER}, channel="3"',
    )
    cells = (
        f'{ECU}, {INVERTER}, channel="1", row="216000000001 South 01", column="02"',
        f'{OTHER_ECU}, {OTHER_INVERTER}, channel="1", row="216000000002 South 01", column="02"',
        f'{OTHER_ECU}, {OTHER_INVERTER}, channel="2", row="216000000002 01", column="02"',
        f'{OTHER_ECU}, {OTHER_INVERTER}, channel="3", row="802000000002", column="3"',
    )
    samples = [(f"{{{labels}}}", 100.0 + number) for number, labels in enumerate(cells)]
    expect(tmp_path, overview("The roof now"), roof(*panels), "0m", samples)


@pytest.mark.parametrize(("at", "shown", "share"), [("12h", "1 / 2", 0.5), ("190h", "1 / 1", 1)])
def test_inverter_that_was_not_heard_for_a_week_does_not_count(
    tmp_path: Path, at: str, shown: str, share: float
) -> None:
    """One works; one did until the tenth hour, and is off since; one was never heard."""
    series = {
        f"aps_inverter_online{{{ECU}, {INVERTER}}}": "1x1200",
        f"aps_inverter_online{{{ECU}, {OTHER_INVERTER}}}": "1x60 0x1200",
        f'aps_inverter_online{{{ECU}, inverter="802000000003"}}': "0x1200",
    }
    labels = f'{{shown="{shown}", on="{shown[0]}", of="{shown[-1]}"}}'
    expect(tmp_path, overview("Inverters on, now"), series, at, [(labels, share)])


def test_inverter_counts_from_its_first_round_on(tmp_path: Path) -> None:
    """Ten minutes after it, and before the next half hour, at which a week is looked through."""
    series = {f"aps_inverter_online{{{ECU}, {INVERTER}}}": "_ 1x3"}
    labels = '{shown="1 / 1", on="1", of="1"}'
    expect(tmp_path, overview("Inverters on, now"), series, "20m", [(labels, 1)])


def test_best_day_of_winter_bears_its_date_when_it_is_looked_at_in_summer(tmp_path: Path) -> None:
    """As Grafana cuts summer's days, that of 2 January begins at 23 h of the first."""
    series = {f"aps_ecu_integrated_energy_joules_total{{{ECU}}}": "0x138 0+100000x144"}
    made, moment = queries(ENERGY, "Best ten days of 12 months")
    for query, value in ((f"round({made}, 100)", 4000), (f"day_of_month(({moment}) / 1000)", 2)):
        at_23_h = f"last_over_time(({query})[10m:10m] offset 1d)"
        expect(tmp_path, at_23_h, series, "47h", [("{}", value)])
