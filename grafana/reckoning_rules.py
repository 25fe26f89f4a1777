"""What a panel's query must not reckon: numbers that look right and are of another time or kind."""

import re
from collections.abc import Iterator
from typing import Final

from grafana.builder import Json
from grafana.promql import PromqlNames, Window, names_in
from grafana.query_rules import asks_influxdb

_SAYS_NOW: Final = re.compile(r"\bnow\b", re.IGNORECASE)

_RATES: Final = frozenset({"rate", "irate", "deriv", "idelta"})
_JOULE_COUNTER: Final = re.compile(r"_joules_total$")
_TODAY_ENERGY: Final = "aps_ecu_today_energy_joules"
_ADDS_UP: Final = frozenset({"increase", "sum_over_time"})

_DURATION: Final = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DAY_SECONDS: Final = 86400
_YEAR_DAYS: Final = 365

_TIME_OF_GROUP: Final = re.compile(r"\btime\s*\(\s*([^,)]*)", re.IGNORECASE)
_ZONE: Final = re.compile(r"\btz\s*\(", re.IGNORECASE)
_INTEGRAL: Final = re.compile(r"\bintegral\s*\(", re.IGNORECASE)


def reckoning_faults(panel: Json, target: Json) -> Iterator[str]:
    """What is wrong with what a target of this panel reckons."""
    if asks_influxdb(target):
        yield from _influxql_faults(target.get("query", ""))
        return
    names = names_in(target.get("expr", ""))
    yield from _energy_faults(names)
    if _asks_a_range(target):
        if _SAYS_NOW.search(panel.get("title", "")):
            yield "is asked over a range, and its title says now: expected an instant query"
        days = [w for w in names.windows if w.function in _ADDS_UP and _is_a_day(w)]
        if days:
            yield from _day_faults(panel, target, days)


def _influxql_faults(query: str) -> Iterator[str]:
    if _INTEGRAL.search(query):
        yield "integral() draws a line across an outage: expected a sum over rounds of five minutes"
    times = [_seconds(length) or 0 for length in _TIME_OF_GROUP.findall(query)]
    if any(length >= _DAY_SECONDS for length in times) and not _ZONE.search(query):
        yield "cuts time into days of UTC: expected tz() behind it"


def _energy_faults(names: PromqlNames) -> Iterator[str]:
    for function, metric in sorted(names.within):
        if function in _RATES and _JOULE_COUNTER.search(metric):
            yield (
                f"{function}() of {metric}, which rises in steps: expected increase() for energy, "
                "or a metric in watts for power"
            )
        if function == "max_over_time" and metric == _TODAY_ENERGY:
            yield (
                f"max_over_time() of {metric} repeats yesterday's after midnight: expected "
                "increase() of a counter"
            )


def _day_faults(panel: Json, target: Json, days: list[Window]) -> Iterator[str]:
    step = target.get("interval") or panel.get("interval")
    if _seconds(step or "") != _DAY_SECONDS:
        yield f"adds up days with Min step {step!r}: expected 1d, or days overlap"
    # The cell of a heat map ends at its time; all else begins there, so its day lies ahead.
    ahead = 0 if panel.get("type") == "heatmap" else 1
    expected = f"offset -{ahead}d" if ahead else "no offset"
    for offset in sorted({day.offset for day in days}):
        days_ago = _days_ago(offset)
        if days_ago is None or (days_ago + ahead) % _YEAR_DAYS != 0:
            found = f"offset {offset}" if offset else "no offset"
            yield f"adds up a day with {found}: expected {expected}, or that of a year before"


def _asks_a_range(target: Json) -> bool:
    """Grafana's own default is a range."""
    return bool(target.get("range", not target.get("instant", False)))


def _is_a_day(window: Window) -> bool:
    length, _, _ = window.length.partition(":")
    return _seconds(length) == _DAY_SECONDS


def _days_ago(offset: str) -> float | None:
    """None for a variable."""
    length = _seconds(offset.lstrip("+-") or "0s")
    if length is None:
        return None
    return (-length if offset.startswith("-") else length) / _DAY_SECONDS


def _seconds(duration: str) -> float | None:
    """Of what PromQL and InfluxQL write as `1d` or `1h30m`; None for anything else."""
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration.strip():
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)
