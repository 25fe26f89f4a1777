"""Pieces of InfluxQL that dashboards share.

Whoever reads an ECU, its points are the same: one ECU read by several exporters counts once.
"""

from typing import Final

from aps_exporter.metrics import InfluxdbField
from grafana.builder import DatasourceVariable, QueryVariable, TextVariable
from grafana.published import metric

NOW: Final = "time > now() - 15m"
"""How far "now" looks back: three rounds of an ECU."""

SHOWN: Final = "$timeFilter"
"""The time that the picker shows, or the panel in its place."""

ZONE: Final = "tz('$timezone')"
"""Behind each query that cuts time into days."""

EACH_ECU: Final = '"ecu"'
EACH_INVERTER: Final = '"ecu", "inverter"'
EACH_CHANNEL: Final = '"ecu", "inverter", "channel"'

_ROUND: Final = "time(5m)"
_ROUNDS_AN_HOUR: Final = 12
_NARROWED_BY: Final = ("ecu", "inverter")
"""Tags that have a variable of their own name on every dashboard."""


def stored(name: str) -> InfluxdbField:
    """Where this metric's number stands in InfluxDB.

    Raises:
        ValueError: if it is not written there.
    """
    found = metric(name).influxdb
    if found is None:
        raise ValueError(f"{name}: is not written to InfluxDB; see aps_exporter.metrics")
    return found


def column(name: str) -> str:
    """The quoted field of this metric, and the column of a query for it."""
    return f'"{stored(name).name}"'


def measurement(name: str) -> str:
    """The quoted measurement in which this metric stands."""
    return f'"{stored(name).measurement}"'


def select(what: str, source: str, *clauses: str) -> str:
    """A query; `source` is a measurement or another query in parentheses."""
    return " ".join(("SELECT", what, "FROM", source, *clauses))


def of(name: str, function: str, *, when: str, by: str, fill: str = "none") -> str:
    """What a function makes of this metric, of the ECUs and inverters that were chosen.

    `by` is what it is grouped by; `fill` stands where there is nothing in a time. A line wants
    "null" there, else Grafana draws it through the night.
    """
    narrowed = [f'"{tag}" =~ /^${tag}$/' for tag in metric(name).labels if tag in _NARROWED_BY]
    return select(
        f"{function}({column(name)}) AS {column(name)}",
        measurement(name),
        f"WHERE {' AND '.join((*narrowed, when))}",
        f"GROUP BY {by}",
        f"fill({fill})",
    )


def rounds(name: str, by: str) -> str:
    """One number for each round of each of these; a round that nobody saw has none."""
    return of(name, "mean", when=SHOWN, by=f"{_ROUND}, {by}")


def of_all(name: str, function: str, by: str) -> str:
    """What a function makes of all of these together, round by round; null where nothing was."""
    return select(
        f"{function}({column(name)}) AS {column(name)}",
        f"({rounds(name, by)})",
        f"WHERE {SHOWN} GROUP BY {_ROUND} fill(null)",
    )


def watt_hours(power: str, by: str, per: str = "") -> str:
    """Energy in Wh from power, by rounds of 300 s: an outage adds nothing.

    `integral()` would draw a line across it. `per` is a time and a comma, such as "time(1d), ".
    """
    return select(
        f'sum({column(power)}) / {_ROUNDS_AN_HOUR} AS "energy"',
        f"({rounds(power, by)})",
        f"WHERE {SHOWN} GROUP BY {per}{by} fill(null)",
    )


INFLUXDB_CHOICES: Final = (
    DatasourceVariable(
        name="datasource",
        label="InfluxDB",
        description="Which InfluxDB has the exporter's numbers; its query language is InfluxQL.",
        kind="influxdb",
    ),
    QueryVariable(
        name="ecu",
        label="ECU",
        description="Which gateways to show.",
        kind="influxdb",
        query=f'SHOW TAG VALUES FROM {measurement("aps_ecu_power_watts")} WITH KEY = "ecu"',
    ),
    QueryVariable(
        name="inverter",
        label="Inverter",
        description="Which inverters of these gateways to show.",
        kind="influxdb",
        query=f"SHOW TAG VALUES FROM {measurement('aps_inverter_online')} "
        'WITH KEY = "inverter" WHERE "ecu" =~ /^$ecu$/',
    ),
    TextVariable(
        name="timezone",
        label="Time zone",
        description="Where the roof is, such as Europe/Berlin or America/New_York: days start at "
        "midnight there.",
        default="Europe/Berlin",
    ),
)
