"""The README's generated tables: metrics, variables, faults of the simulator, and alerts.

They come from `metrics/`, `config/`, `simulator/faults.py` and `grafana/rules/`.

`python -m tests.readme_tables` (or `make readme`) writes them anew; a test compares.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aps_exporter.config import VARIABLES
from aps_exporter.metrics import (
    ECU_METRICS,
    EXPORTER_METRICS,
    INFLUXDB_METRICS,
    TARGET_METRICS,
    Metric,
)
from aps_exporter.simulator.faults import FAULTS
from grafana.rules import AlertingRule, alert_groups
from grafana.rules.rule_files import USUAL_VOLTAGE_LIMIT

README: Final = Path(__file__).parents[1] / "README.md"


def metric_table() -> str:
    every: tuple[Metric[Any], ...]
    every = (*ECU_METRICS, *TARGET_METRICS, *INFLUXDB_METRICS, *EXPORTER_METRICS)
    rows = [(f"`{m.name}`", m.kind, ", ".join(m.labels), m.help) for m in every]
    return _table(("metric", "type", "labels", "what it is"), rows)


def variable_table() -> str:
    rows = [
        (
            f"`{v.name}`" + (f", `{v.file_name}`" if v.file_name else ""),
            f"`{v.default}`" if v.default else "-",
            f"`{v.flag}`" if v.flag else "",
            v.about,
        )
        for v in VARIABLES
        if v.field is not None
    ]
    return _table(("variable", "default", "flag", "what it does"), rows)


def fault_table() -> str:
    rows = [(f"`{name}`", fault.kind, fault.about) for name, fault in FAULTS.items()]
    return _table(("fault", "touches", "what the simulated ECU does"), rows)


def alert_table() -> str:
    rules = [rule for group in alert_groups(USUAL_VOLTAGE_LIMIT) for rule in group.rules]
    rows = [(f"`{r.alert}`", r.severity, r.about) for r in rules if isinstance(r, AlertingRule)]
    return _table(("alert", "severity", "fires when"), rows)


TABLES: Final = {
    "metrics": metric_table,
    "variables": variable_table,
    "faults": fault_table,
    "alerts": alert_table,
}


def with_tables(readme: str) -> str:
    """The README with all tables as they should be."""
    for name, table_of in TABLES.items():
        table = table_of()
        begin, end = f"<!-- {name}: made by make readme -->\n", f"<!-- end of {name} -->"
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        readme = re.sub(pattern, lambda _: begin + table + end, readme, flags=re.DOTALL)  # noqa: B023 - called at once
    return readme


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
