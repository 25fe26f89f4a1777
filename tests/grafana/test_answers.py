"""What promtool answers to queries of the dashboards, in cases that no simulated history has."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

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
        "interval": "30m",
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
    path.write_text(json.dumps({"evaluation_interval": "30m", "tests": [test]}), encoding="utf-8")
    promtool("test", "rules", path)


def test_lifetime_counter_that_falls_adds_nothing_to_the_day(tmp_path: Path) -> None:
    """At noon one falls from 4,400 kWh by 1; both ECUs make 2 kWh by power, the other says 3."""
    by_power = "0x24 0+300000x24"
    falls = "15840000000x24 15836400000+720000x24"
    expect(
        tmp_path,
        f"round({ecu_joules('1d')} / 3.6e6, 0.25)",
        {
            f"aps_ecu_lifetime_energy_joules_total{{{ECU}}}": falls,
            f"aps_ecu_integrated_energy_joules_total{{{ECU}}}": by_power,
            f"aps_ecu_lifetime_energy_joules_total{{{OTHER_ECU}}}": "15840000000x32 "
            "15840000000+720000x15",
            f"aps_ecu_integrated_energy_joules_total{{{OTHER_ECU}}}": by_power,
        },
        "1d",
        [(f"{{{ECU}}}", 2), (f"{{{OTHER_ECU}}}", 3)],
    )


def overview(title: str) -> str:
    """The query of this panel."""
    panels = (panel.to_json() for row in OVERVIEW.rows for panel in row)
    ((target,),) = (panel["targets"] for panel in panels if panel["title"] == title)
    return str(target["expr"])


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
