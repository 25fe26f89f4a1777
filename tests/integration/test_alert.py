"""An inverter falls silent, and its owner is told: from the simulated ECU to the webhook."""

import re
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.alertmanager import listening_webhook, running_alertmanager
from tests.integration.programs import running_demo
from tests.integration.prometheus import Prometheus, running_prometheus

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus"

SPEED: Final = 120
"""A round takes 2.5 s, and 15 minutes take 7.5 s."""

FAULTS: Final = """\
+0:50:00 offline for 50m
"""
"""The first inverter is off from 25 s to 50 s, and must have been seen by then: the rules look back
in steps of half an hour, which are 15 s."""

TOLD_WITHIN_SECONDS: Final = 80

DURATION: Final = re.compile(r"(?<![\w.])(?:\d+[smhdw])+(?![\w.])")
ONE_UNIT: Final = re.compile(r"(\d+)([smhdw])")
SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def _hastened(rules: str) -> str:
    """The rules with each duration as much shorter as time runs faster."""

    def shorter(duration: re.Match[str]) -> str:
        seconds = sum(int(count) * SECONDS[unit] for count, unit in ONE_UNIT.findall(duration[0]))
        return f"{max(1, round(seconds * 1_000 / SPEED))}ms"

    return DURATION.sub(shorter, rules)


def _settings(exporter: str, alertmanager: str, rules: list[str]) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": rules,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {
                "job_name": "aps",
                "scrape_timeout": "500ms",
                "static_configs": [{"targets": [exporter]}],
            }
        ],
    }


def test_owner_is_told_which_inverter_is_offline_and_when_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "faults").write_text(FAULTS, encoding="utf-8")
    rules = sorted(RULES.glob("*.rules.yml"))
    assert len(rules) == 2
    (tmp_path / "prometheus").mkdir()
    for path in rules:
        hastened = _hastened(path.read_text(encoding="utf-8"))
        (tmp_path / "prometheus" / path.name).write_text(hastened, encoding="utf-8")

    started = time.monotonic()
    with (
        listening_webhook() as webhook,
        running_alertmanager(tmp_path / "alertmanager", webhook) as alertmanager,
        running_demo(
            tmp_path / "demo", f"--speed={SPEED}", f"--script={tmp_path / 'faults'}"
        ) as demo,
        running_prometheus(
            tmp_path / "prometheus",
            _settings(demo.address, alertmanager, [path.name for path in rules]),
        ) as prometheus,
    ):
        firing = webhook.next_message(TOLD_WITHIN_SECONDS)
        told_after = time.monotonic() - started
        firing_now = _firing(prometheus)
        resolved = webhook.next_message(TOLD_WITHIN_SECONDS)

    (alert,) = firing["alerts"]
    assert (firing["status"], alert["labels"]["severity"]) == ("firing", "warning")
    assert alert["annotations"] == {
        "summary": "Inverter 802000000001 (QS1) is offline",
        "description": "Inverter 802000000001 (QS1) of ECU 216000000001 has not answered for half "
        "an hour, while at least half of all work: its panels make nothing, or its radio does not "
        "get through. If it comes and goes, move the ECU nearer or away from metal. If it stays "
        "away in full sun, have its AC plug and breaker looked at, then the inverter. Early and "
        "late in the day a shaded inverter may rightly sleep longer.",
    }
    assert told_after > 25 + 15  # it was on, and then off for half an hour
    assert firing_now == {("ApsInverterOffline", "802000000001")}
    assert resolved["status"] == "resolved"
    assert [one["labels"]["inverter"] for one in resolved["alerts"]] == ["802000000001"]


def _firing(prometheus: Prometheus) -> set[tuple[str, str]]:
    """By name and inverter; empty where an alert is about no inverter."""
    found = prometheus.ask("query", query='ALERTS{alertstate="firing"}')["result"]
    return {(one["metric"]["alertname"], one["metric"].get("inverter", "")) for one in found}
