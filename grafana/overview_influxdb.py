"""Is my roof fine, and what did it make? From InfluxDB."""

from typing import Final

from grafana.builder import (
    Dashboard,
    Fields,
    Influxql,
    Stat,
    TimeSeries,
)
from grafana.influxql import (
    EACH_CHANNEL,
    EACH_ECU,
    EACH_INVERTER,
    INFLUXDB_CHOICES,
    NOW,
    SHOWN,
    ZONE,
    column,
    of,
    of_all,
    select,
    stored,
    watt_hours,
)
from grafana.published import unit_of
from grafana.roof import roof

_ECU_POWER: Final = "aps_ecu_power_watts"
_INVERTER_POWER: Final = "aps_inverter_power_watts"
_CHANNEL_POWER: Final = "aps_channel_power_watts"
_ONLINE: Final = "aps_inverter_online"
_WATT_HOURS: Final = unit_of("aps_ecu_day_energy_joules")

_POWER_NOW: Final = Stat(
    id=1,
    title="Power now",
    description="What all inverters of the chosen ECUs make together, by their newest rounds of "
    "the last 15 minutes. Nothing here is normal at night, when there are no new rounds; by day it "
    "means that nothing was written for 15 minutes: look at the newest round.",
    width=4,
    targets=(
        Influxql(
            query=select(
                f"sum({column(_ECU_POWER)})",
                f"({of(_ECU_POWER, 'last', when=NOW, by=EACH_ECU)})",
            )
        ),
    ),
    fields=Fields(unit=unit_of(_ECU_POWER), fixed_color="yellow"),
)

_TODAY: Final = Stat(
    id=2,
    title="Today",
    description="Energy since midnight by your browser's clock, added up from power, by rounds of "
    "300 s: an ECU with longer ones makes more than it says. Time in which nothing was heard adds "
    "nothing, so after an outage it says too little.",
    width=4,
    time_from="now/d",
    targets=(
        Influxql(
            query=select('sum("energy") AS "energy"', f"({watt_hours(_ECU_POWER, EACH_ECU)})")
        ),
    ),
    fields=Fields(unit=_WATT_HOURS, decimals=2, fixed_color="green"),
)

_PEAK: Final = Stat(
    id=3,
    title="Peak today",
    description="The most that all inverters together made in one round since midnight.",
    width=4,
    time_from="now/d",
    targets=(
        Influxql(
            query=select(f"max({column(_ECU_POWER)})", f"({of_all(_ECU_POWER, 'sum', EACH_ECU)})")
        ),
    ),
    fields=Fields(unit=unit_of(_ECU_POWER), fixed_color="orange"),
)


def _on_and_known() -> str:
    """Of the inverters that were on within a week; the ECU lists also what it never heard."""
    newest, most = (
        select(
            f'{column(_ONLINE)} AS "{name}"',
            f"({of(_ONLINE, function, when=when, by=EACH_INVERTER)})",
            f"GROUP BY {EACH_INVERTER}",
        )
        for name, function, when in (("newest", "last", NOW), ("most", "max", "time > now() - 7d"))
    )
    both = select(
        'sum("newest") AS "newest", sum("most") AS "most"',
        f"({newest}), ({most})",
        f"GROUP BY {EACH_INVERTER}",
    )
    return select(
        'sum("newest") AS "on", count("newest") AS "known"', f"({both})", 'WHERE "most" = 1'
    )


_INVERTERS_ON: Final = Stat(
    id=4,
    title="Inverters on, and known, now",
    description="How many inverters answered their ECU in its newest round of the last 15 minutes, "
    "and how many it knows; one that it has not heard for seven days does not count. By day both "
    "are the same. At night all sleep. One that is missing at noon has lost its radio link, its "
    "breaker or itself.",
    width=4,
    shown="value_and_name",
    targets=(
        Influxql(
            query=_on_and_known(),
            shape="table",
        ),
    ),
    fields=Fields(
        unit="none",
        fixed_color="blue",
    ),
)

_NEWEST: Final = Stat(
    id=5,
    title="Newest round now",
    description="When each chosen ECU made its newest round that was written. By day it should be "
    "a few minutes ago. At night many ECUs rest, and hours are fine.",
    width=8,
    field="Time",
    targets=(
        Influxql(
            query=of(_ECU_POWER, "last", when="time > now() - 30d", by=EACH_ECU),
            alias="$tag_ecu",
        ),
    ),
    fields=Fields(unit="dateTimeFromNow", fixed_color="blue"),
)


def _by_inverter() -> Influxql:
    return Influxql(
        query=of(
            _INVERTER_POWER,
            "mean",
            when=SHOWN,
            by=f"time($__interval), {EACH_INVERTER}",
            fill="null",
        ),
        alias="$tag_inverter",
    )


_POWER_TODAY: Final = TimeSeries(
    id=6,
    title="Power today",
    description="What each inverter makes, one on top of the other: the upper edge is the whole "
    "roof. Night, and time in which nothing was written, stay empty.",
    width=16,
    height=12,
    time_from="now/d",
    least_interval="5m",
    stacked=True,
    targets=(_by_inverter(),),
    fields=Fields(unit=unit_of(_INVERTER_POWER), least=0),
)

_POWER_YESTERDAY: Final = TimeSeries(
    id=7,
    title="Power yesterday",
    description="The same for the whole day before, to compare with.",
    width=8,
    height=12,
    time_from="now/d",
    time_shift="1d/d",
    least_interval="5m",
    stacked=True,
    legend_shown=False,
    targets=(_by_inverter(),),
    fields=Fields(unit=unit_of(_INVERTER_POWER), least=0),
)

_PER_DAY: Final = TimeSeries(
    id=8,
    title="Energy per day, 30 days",
    description="What each day brought, midnight to midnight in the time zone at the top, added up "
    "from power, by rounds of 300 s: an ECU with longer ones makes more than it says. The last bar "
    "is today so far. Days before the exporter wrote are missing, and time in which nothing was "
    "heard adds nothing.",
    width=12,
    height=12,
    time_from="now-30d/d",
    bars=True,
    stacked=True,
    targets=(
        Influxql(
            query=f"{watt_hours(_ECU_POWER, EACH_ECU, per='time(1d), ')} {ZONE}",
            alias="ECU $tag_ecu",
        ),
    ),
    fields=Fields(unit=_WATT_HOURS, least=0),
)

_ROOF: Final = roof(
    "All channels now",
    "What each panel makes: a row is an inverter and a column one of its inputs. Red "
    "is the least of the moment and green the most: look for one cell that differs from its "
    "neighbours. Empty at night.",
    Influxql(query=of(_CHANNEL_POWER, "last", when=NOW, by=EACH_CHANNEL), shape="table"),
    ("channel", "inverter", stored(_CHANNEL_POWER).name),
    "Inverter",
)

OVERVIEW_INFLUXDB: Final = Dashboard(
    uid="aps-overview-influxdb",
    title="APsystems overview (InfluxDB)",
    description="Is my roof fine, and what did it make?",
    variables=INFLUXDB_CHOICES,
    rows=(
        (_POWER_NOW, _TODAY, _PEAK, _INVERTERS_ON, _NEWEST),
        (_POWER_TODAY, _POWER_YESTERDAY),
        (_PER_DAY, _ROOF),
    ),
    time_from="now/d",
    family="influxdb",
)
