"""What panels and variables of the committed dashboards ask, put as Grafana puts it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.integration.dashboards.seed import SCRAPE_SECONDS, ZONE

Json = dict[str, Any]

FOLDER: Final = Path(__file__).parents[3] / "grafana" / "dashboards"
DASHBOARDS: Final[tuple[Json, ...]] = tuple(
    json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
)

EVERYTHING: Final[Mapping[str, tuple[str, ...]]] = {}
"""Nothing chosen: each variable as it stands in the file, and all that there is to choose."""

_PIXELS: Final = 1_000
"""The width of a panel: how many points Grafana asks for at most."""

_DAY: Final = 86_400
_INTERVALS: Final = (
    (90, 60),
    (210, 120),
    (450, 300),
    (750, 600),
    (1_050, 900),
    (1_500, 1_200),
    (2_700, 1_800),
    (5_400, 3_600),
    (9_000, 7_200),
    (16_200, 10_800),
    (32_400, 21_600),
    (_DAY, 43_200),
    (7 * _DAY, _DAY),
)
"""What Grafana rounds a distance of points to: below the first, the second; in seconds."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": _DAY, "w": 7 * _DAY}
_MONTHS: Final = {"M": 1, "y": 12}
_DURATION: Final = re.compile(r"(\d+)([smhdw])")
_RELATIVE: Final = re.compile(r"(?:([-+])(\d+)([smhdwMy]))?(?:/([dwMy]))?")
_SINCE_NOW: Final = re.compile(r"time > now\(\) - \w+")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?::(\w+))?\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Question:
    """One query of a panel, put for a moment; times are Unix seconds, `step` None asks once."""

    panel: Json
    target: Json
    text: str
    begins: float
    ends: float
    step: int | None

    @property
    def legend_labels(self) -> list[str]:
        """The labels that a series of PromQL is named by."""
        return re.findall(r"\{\{\s*(\w+)\s*\}\}", self.target.get("legendFormat", ""))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query stands in the dashboards."""

    uid: str
    title: str
    ref_id: str
    dashboard: Json
    panel: Json
    target: Json

    @property
    def name(self) -> str:
        return f"{self.uid}: {self.title}: {self.ref_id}"

    def put(self, at: datetime, chosen: Mapping[str, tuple[str, ...]] = EVERYTHING) -> Question:
        """The query as it is sent at this moment, with these values of variables chosen."""
        begins, ends = _time_range(self.dashboard, self.panel, at)
        shortest = self.target.get("interval") or self.panel.get("interval") or "1s"
        interval = _interval(ends - begins, max(_seconds(shortest), SCRAPE_SECONDS))
        is_instant = bool(self.target.get("instant"))
        if "expr" in self.target and not is_instant:
            begins, ends = (_aligned(moment, interval) for moment in (begins, ends))
        variables = {
            **_chosen(self.dashboard, chosen),
            "__range": f"{ends - begins:.0f}s",
            "__range_s": f"{ends - begins:.0f}",
            "__interval": f"{interval}s",
            "__interval_ms": f"{interval * 1_000}",
            "__rate_interval": f"{max(interval + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s",
            "timeFilter": f"time >= {begins * 1_000:.0f}ms and time <= {ends * 1_000:.0f}ms",
        }
        if "expr" in self.target:
            text = _substituted(self.target["expr"], variables)
        else:
            text = _substituted(_as_if_now(self.target["query"], at), variables)
        return Question(
            self.panel, self.target, text, begins, ends, None if is_instant else interval
        )


def places(kind: str) -> list[Place]:
    """Every query of every panel for this kind of data source, "prometheus" or "influxdb"."""
    return [
        Place(dashboard["uid"], panel["title"], target["refId"], dashboard, panel, target)
        for dashboard in DASHBOARDS
        for panel in _panels(dashboard["panels"])
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == kind
    ]


def variables(kind: str) -> list[tuple[Json, Json]]:
    """Every variable that is asked of this kind of data source, behind its dashboard."""
    return [
        (dashboard, variable)
        for dashboard in DASHBOARDS
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query" and variable["datasource"]["type"] == kind
    ]


def variable_text(
    dashboard: Json, variable: Json, chosen: Mapping[str, tuple[str, ...]] = EVERYTHING
) -> str:
    """The query of a variable as it is sent."""
    query = variable["query"]
    return _substituted(
        query if isinstance(query, str) else query["query"], _chosen(dashboard, chosen)
    )


def _panels(panels: list[Json]) -> Iterator[Json]:
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", []))  # of a row that is folded


def _chosen(dashboard: Json, chosen: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The values of variables; several as an expression that matches each of them."""
    values = {}
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if name in chosen:
            values[name] = "|".join(chosen[name])
            if variable["multi"] and len(chosen[name]) > 1:
                values[name] = f"({values[name]})"
        elif variable.get("includeAll"):
            assert variable["current"]["value"] == ["$__all"], name
            values[name] = variable["allValue"]
        elif variable["type"] != "datasource":
            values[name] = variable["current"]["value"]
    return values


def _substituted(text: str, values: Mapping[str, str]) -> str:
    """With the variables' values; what is no variable, such as the end of an expression, stays."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        return values.get(name, found[0])

    substituted = _VARIABLE.sub(value, text)
    # "$1" is a group of label_replace, and `$/` the end of a regular expression.
    left = [found[0] for found in _VARIABLE.finditer(substituted) if not found[0][1:].isdigit()]
    assert not left, f"{left}: expected variables of the dashboard in {text}"
    return substituted


def _as_if_now(influxql: str, at: datetime) -> str:
    """What the server would be asked at this moment, of which it knows nothing later."""
    now = f"'{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
    return _SINCE_NOW.sub(lambda found: f"{found[0]} AND time <= now()", influxql).replace(
        "now()", now
    )


def _time_range(dashboard: Json, panel: Json, at: datetime) -> tuple[float, float]:
    since, until = dashboard["time"]["from"], dashboard["time"]["to"]
    if since_here := panel.get("timeFrom"):
        since, until = since_here if since_here.startswith("now") else f"now-{since_here}", "now"
    assert since.startswith("now")
    assert until.startswith("now")
    begins = _moved(at, since.removeprefix("now"))
    ends = _moved(at, until.removeprefix("now"), to_the_end=True)
    if shift := panel.get("timeShift"):
        begins, ends = _moved(begins, f"-{shift}"), _moved(ends, f"-{shift}", to_the_end=True)
    return begins.timestamp(), ends.timestamp()


def _moved(at: datetime, text: str, *, to_the_end: bool = False) -> datetime:
    """Such as -30d/d: back in local time, and then to the beginning of the unit, or to its end."""
    found = _RELATIVE.fullmatch(text)
    assert found, f"{text}: expected a time such as -30d/d"
    moment = at.astimezone(ZONE)
    if found[1]:
        count = int(f"{found[1]}{found[2]}")
        moment = _stepped(moment, count, found[3])
    if found[4]:
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        year_day = moment.timetuple().tm_yday
        days_in = {"d": 1, "w": moment.weekday() + 1, "M": moment.day, "y": year_day}[found[4]]
        if to_the_end:
            assert found[4] == "d", f"{text}: only days are known to their end"
            moment += timedelta(days=1, milliseconds=-1)
        else:
            moment -= timedelta(days=days_in - 1)
    return moment


def _stepped(moment: datetime, count: int, unit: str) -> datetime:
    """So many units later; a month or a year later it is the same day, which must be there."""
    if unit in _MONTHS:
        years, month = divmod(moment.month - 1 + count * _MONTHS[unit], 12)
        return moment.replace(year=moment.year + years, month=month + 1)
    return moment + timedelta(seconds=count * _UNITS[unit])


def _seconds(duration: str) -> int:
    found = _DURATION.fullmatch(duration.removeprefix(">"))
    assert found, f"{duration}: expected a duration"
    return int(found[1]) * _UNITS[found[2]]


def _interval(span: float, shortest: int) -> int:
    wanted = span / _PIXELS
    rounded = next((seconds for below, seconds in _INTERVALS if wanted < below), 7 * _DAY)
    return max(rounded, shortest)


def _aligned(moment: float, step: int) -> float:
    """The multiple of the step since local midnight at or before this, as Grafana asks for it."""
    offset = datetime.fromtimestamp(moment, ZONE).utcoffset()
    assert offset is not None
    ahead = offset.total_seconds()
    return (moment + ahead) // step * step - ahead
