"""Tests of rules that are written for promtool."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.promtool import promtool_says

RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus"
GROUPS: Final = (
    "aps-energy",
    "aps-daylight",
    "aps-channels",
    "aps-reading-alerts",
    "aps-plant-alerts",
    "aps-grid-alerts",
)
STEP_MINUTES: Final = 30

Values = Sequence[float | None]
"""A series of half hours; None where there is no sample."""

_FIRING: Final = 'ALERTS{alertstate="firing"}'
_TELLING: Final = "count by (alertname, ecu, target, inverter, channel)"


def promtool(*arguments: str | Path) -> None:
    """Run it; what it says is the failure."""
    status, said = promtool_says(*arguments)
    assert status == 0, said


def expect_alerts(
    folder: Path,
    series: Mapping[str, Values],
    *,
    ever: Sequence[str],
    at: Mapping[float, Sequence[str]] | None = None,
    texts: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Demand which alerts fire: at all, and at these hours since the start.

    Each alert is told by its labels: `{alertname="...", ecu="..."}`; `texts` are `alert_rule_test`s
    of promtool.
    """
    last = max(map(len, series.values())) - 1
    whole = f"{last * STEP_MINUTES}m"
    queries = [(whole, f"count_over_time({_FIRING}[{whole}])", ever)]
    queries += [(f"{hour * 60:.0f}m", _FIRING, alerts) for hour, alerts in (at or {}).items()]
    test = {
        "interval": f"{STEP_MINUTES}m",
        "input_series": [
            {"series": name, "values": " ".join("_" if v is None else f"{v:g}" for v in values)}
            for name, values in series.items()
        ],
        "alert_rule_test": texts,
        "promql_expr_test": [
            {
                "eval_time": moment,
                "expr": f"{_TELLING} ({query})",
                "exp_samples": [{"labels": alert, "value": 1} for alert in alerts],
            }
            for moment, query, alerts in queries
        ],
    }
    path = folder / "rules_test.yml"
    path.write_text(
        json.dumps(
            {
                "rule_files": [str(rules) for rules in sorted(RULES.glob("*.rules.yml"))],
                "evaluation_interval": f"{STEP_MINUTES}m",
                "group_eval_order": GROUPS,
                "tests": [test],
            }
        ),
        encoding="utf-8",
    )
    promtool("test", "rules", path)
