"""Checks the committed dashboards: `python -m grafana.lint [FILE...]`, also in `make check`.

It reads JSON, not the code that makes it: whatever comes by another way is held to the same.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from grafana.builder import Json
from grafana.every import FOLDER
from grafana.frame_rules import every_panel, frame_faults, variable_names
from grafana.panel_rules import panel_faults
from grafana.query_rules import datasource_faults, query_faults
from grafana.reckoning_rules import reckoning_faults


def dashboard_faults(dashboard: Json) -> Iterator[str]:
    """Everything that is wrong with one dashboard."""
    yield from frame_faults(dashboard)
    variables = variable_names(dashboard)
    for panel in every_panel(dashboard):
        for fault in panel_faults(panel):
            yield f"panel {panel.get('id')} {panel.get('title', '')!r}: {fault}"
        for target in panel.get("targets", []):
            for fault in (
                *datasource_faults(target),
                *query_faults(target, variables),
                *reckoning_faults(panel, target),
            ):
                yield f"panel {panel.get('id')} {target.get('refId')}: {fault}"


def faults_between(dashboards: Sequence[Json]) -> Iterator[str]:
    """What is wrong only because there is another dashboard."""
    uids = [dashboard.get("uid") for dashboard in dashboards]
    for uid in sorted({str(uid) for uid in uids if uids.count(uid) > 1}):
        yield f"two dashboards have the uid {uid}"


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong with these files, or with all that are committed; 1 if anything is."""
    paths = [Path(name) for name in arguments] or sorted(FOLDER.glob("*.json"))
    if not paths:
        sys.stderr.write(f"no dashboards in {FOLDER}; make dashboards writes them\n")
        return 1
    dashboards = {path: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    found = [f"{path.name}: {f}" for path, one in dashboards.items() for f in dashboard_faults(one)]
    found += faults_between(list(dashboards.values()))
    sys.stderr.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
