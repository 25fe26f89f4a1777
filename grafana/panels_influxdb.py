"""Which module, cable or tree costs me? From InfluxDB.

InfluxQL cannot divide a channel by the median of others, so the share of the median is for the eye.
"""

from typing import Final

from grafana.builder import (
    Dashboard,
    Fields,
    Influxql,
    Stat,
    StateTimeline,
    Table,
    Threshold,
    TimeSeries,
    by_name,
    by_query,
    limit,
    organize,
    sort_by,
)
from grafana.influxql import (
    EACH_CHANNEL,
    EACH_ECU,
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

_POWER: Final = "aps_channel_power_watts"
_WATTS: Final = stored(_POWER).name
_WATT_HOURS: Final = unit_of("aps_channel_integrated_energy_joules_total")

_CHANNEL_NAME: Final = "$tag_inverter/$tag_channel"
_HEADINGS: Final = {"inverter": "Inverter", "channel": "Channel"}
_NAMES: Final = tuple(by_name(heading, {"unit": "string"}) for heading in _HEADINGS.values())
_GAUGE_CELL: Final = {"custom.cellOptions": {"type": "gauge", "mode": "basic"}}

_LAST_DAY: Final = "time > now() - 1d"
_DAYS_BEFORE: Final = "time > now() - 15d AND time <= now() - 1d"

_BY_SHARE: Final = (Threshold(None, "red"), Threshold(0.7, "orange"), Threshold(0.9, "green"))


def _against_usual(by: str) -> str:
    """The mean power of the last day over that of 14 days before, of each of these."""
    last_day, days_before = (
        select(f'{column(_POWER)} AS "{name}"', f"({of(_POWER, 'mean', when=when, by=by)})")
        for name, when in (("last_day", _LAST_DAY), ("days_before", _DAYS_BEFORE))
    )
    return select(
        'sum("last_day") / sum("days_before") AS "share"',
        f"({last_day} GROUP BY {by}), ({days_before} GROUP BY {by})",
        f"GROUP BY {by}",
    )


_RANKING: Final = Table(
    id=1,
    title="Ranking now",
    description="Every panel by what it makes in its newest round of the last 15 minutes, the "
    "strongest first. Panels of other sides of the roof differ by the hour; two that lie side by "
    "side should not. At night there is nothing to rank.",
    width=8,
    height=12,
    targets=(Influxql(query=of(_POWER, "last", when=NOW, by=EACH_CHANNEL), shape="table"),),
    transformations=(
        sort_by(_WATTS, descending=True),
        organize((*_HEADINGS, _WATTS), {**_HEADINGS, _WATTS: "Power"}, hidden=("Time", "ecu")),
    ),
    fields=Fields(
        unit=unit_of(_POWER),
        least=0,
        color="continuous-RdYlGr",
        overrides=(*_NAMES, by_name("Power", _GAUGE_CELL)),
    ),
)

_WORST: Final = Table(
    id=2,
    title="Worst five against their own usual, last 24 hours",
    description="A panel's mean power of the last 24 hours over its own of the 14 days before. "
    "Weather moves all of them: compare with the whole roof beside this. A panel that stands well "
    "below the roof has something new: dirt, snow, a cable, a tree, a dead module. One without a "
    "figure was not heard of for a day, or not before. Needs two days of numbers.",
    width=10,
    height=12,
    targets=(Influxql(query=_against_usual(EACH_CHANNEL), shape="table"),),
    transformations=(
        sort_by("share"),
        limit(5),
        organize(
            (*_HEADINGS, "share"),
            {**_HEADINGS, "share": "Of its usual"},
            hidden=("Time", "ecu"),
        ),
    ),
    fields=Fields(
        unit="percentunit",
        decimals=0,
        least=0,
        most=2,
        color="thresholds",
        thresholds=_BY_SHARE,
        overrides=(*_NAMES, by_name("Of its usual", _GAUGE_CELL)),
    ),
)

_ROOF: Final = Stat(
    id=3,
    title="The whole roof, last 24 hours",
    description="The same for all channels of each chosen ECU together: the weather. It is the "
    "figure to compare the worst five with.",
    width=6,
    height=12,
    shown="value_and_name",
    targets=(Influxql(query=_against_usual(EACH_ECU), alias="ECU $tag_ecu"),),
    fields=Fields(unit="percentunit", decimals=0, fixed_color="blue"),
)

_AGAINST_MEDIAN: Final = TimeSeries(
    id=4,
    title="Power of each panel, and the median",
    description="Each panel's power, and (thick and dashed) the median of all that are chosen. "
    "Most lines should lie close to it; choose the inverters of one side of the roof at the top. A "
    "dip at the same hour each day is shade; a step down that stays is a fault.",
    width=24,
    height=12,
    least_interval="5m",
    legend_calculations=("mean", "max", "lastNotNull"),
    legend_to_the_right=True,
    targets=(
        Influxql(
            query=of(
                _POWER,
                "mean",
                when=SHOWN,
                by=f"time($__interval), {EACH_CHANNEL}",
                fill="null",
            ),
            alias=_CHANNEL_NAME,
        ),
        Influxql(query=of_all(_POWER, "median", EACH_CHANNEL), alias="median"),
    ),
    fields=Fields(
        unit=unit_of(_POWER),
        least=0,
        overrides=(
            by_query(
                "B",
                {
                    "color": {"mode": "fixed", "fixedColor": "text"},
                    "custom.lineWidth": 3,
                    "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
                },
            ),
        ),
    ),
)

_HEAT: Final = StateTimeline(
    id=5,
    title="Energy per panel and day, 30 days",
    description="What each panel brought on each day, midnight to midnight in the time zone at the "
    "top, added up from power, by rounds of 300 s; the last cell is today so far. A pale row is a "
    "weak panel, a pale column a dark day; a row that turns pale is a fault. Days before the "
    "exporter wrote are missing.",
    width=24,
    height=14,
    time_from="now-30d/d",
    targets=(
        Influxql(
            query=f"{watt_hours(_POWER, EACH_CHANNEL, per='time(1d), ')} {ZONE}",
            alias=_CHANNEL_NAME,
        ),
    ),
    fields=Fields(unit=_WATT_HOURS, decimals=0, least=0, color="continuous-YlRd"),
)

PANELS_INFLUXDB: Final = Dashboard(
    uid="aps-panels-influxdb",
    title="APsystems panels (InfluxDB)",
    description="Which module, cable or tree costs me?",
    variables=INFLUXDB_CHOICES,
    rows=((_RANKING, _WORST, _ROOF), (_AGAINST_MEDIAN,), (_HEAT,)),
    time_from="now-3d/d",
    family="influxdb",
)
