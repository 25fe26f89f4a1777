"""Did it pay?"""

from typing import Final

from grafana.builder import (
    BarChart,
    BarGauge,
    Dashboard,
    Fields,
    Promql,
    Stat,
    Table,
    TextVariable,
    TimeSeries,
    by_name,
    by_query,
    limit,
    merge,
    organize,
    reduce_to_rows,
    sort_by,
)
from grafana.choices import ECU_CHOICES
from grafana.published import unit_of
from grafana.queries import (
    CHANNEL,
    channel_joules,
    ecu_joules,
    now,
    one_of_each,
    selected,
    watt_hours,
    with_panel,
)

_LIFETIME: Final = "aps_ecu_lifetime_energy_joules_total"
_INTEGRATED: Final = "aps_ecu_integrated_energy_joules_total"
_RATED: Final = "aps_channel_rated_watts"
_UNIT: Final = unit_of(_LIFETIME)

_JOULES_PER_KWH: Final = "3.6e6"
_OF_THIS_DAY: Final = " offset -1d"
_OF_THIS_DAY_LAST_YEAR: Final = " offset 364d"
"""A window ends where the offset puts it: 365 days earlier, and on by the day itself."""

_TARIFF: Final = TextVariable(
    name="tariff",
    label="Price of a kWh (0.30)",
    description="What a kWh is worth to you, in your own money; with a point, as in 0.30.",
    default="0.30",
)

_EVER: Final = (
    f'sum(max by (ecu) ({now(_LIFETIME)} or label_replace({now(_INTEGRATED)}, "by", "power", "", '
    f'"")))'
)
_SO_FAR: Final = f"sum({ecu_joules('$__range')})"

_OF_PIECES: Final = (
    "If Prometheus has come to call the exporter otherwise (job or instance) within that time, the "
    "larger of the two pieces is shown, not both."
)

_SINCE_COUNTED: Final = (
    "By the lifetime counter or by power, whichever says more, from the day on which the exporter "
    "first ran, and as far back as Prometheus keeps numbers: 15 days, unless it was told otherwise."
)


def _energy(panel_id: int, title: str, joules: str, said: str, since: str | None = None) -> Stat:
    return Stat(
        id=panel_id,
        title=title,
        description=said,
        width=4,
        time_from=since,
        targets=(Promql(expr=watt_hours(joules), instant=True),),
        fields=Fields(unit=_UNIT, fixed_color="green"),
    )


def _money(panel_id: int, title: str, joules: str, since: str | None = None) -> Stat:
    return Stat(
        id=panel_id,
        title=title,
        description="The energy to the left, with all that is said of it, times the price of a "
        "kWh, which you type in at the top of the page, in the same money. Each kWh counts alike, "
        "whether it was used in the house or sold: put in a price between the two.",
        width=4,
        time_from=since,
        targets=(Promql(expr=f"{joules} / {_JOULES_PER_KWH} * $tariff", instant=True),),
        fields=Fields(unit="none", decimals=2, fixed_color="yellow"),
    )


_STATS: Final = (
    _energy(
        1,
        "In total, now",
        _EVER,
        "What the chosen ECUs have made since they were installed, as they say. Where firmware "
        "leaves this at 0: what was made since the exporter first ran.",
    ),
    _money(2, "Worth in total", _EVER),
    _energy(
        3,
        "This year",
        _SO_FAR,
        f"What was made since the first of January. {_SINCE_COUNTED} {_OF_PIECES}",
        "now/y",
    ),
    _money(4, "Worth this year", _SO_FAR, "now/y"),
    _energy(
        5,
        "This month",
        _SO_FAR,
        f"What was made since the first of the month. {_SINCE_COUNTED} {_OF_PIECES}",
        "now/M",
    ),
    _money(6, "Worth this month", _SO_FAR, "now/M"),
)

_DAY: Final = ecu_joules("1d", _OF_THIS_DAY)

_PER_DAY: Final = TimeSeries(
    id=7,
    title="Energy per day",
    description="What each day brought, midnight to midnight by your browser's clock, the ECUs on "
    "top of each other. The last bar is today so far. Sun and season make days differ by ten "
    "times; a whole week without a tall bar in summer is worth a look at the inverters.",
    width=24,
    height=9,
    bars=True,
    stacked=True,
    legend_calculations=("mean", "max", "sum"),
    targets=(Promql(expr=watt_hours(_DAY), legend="ECU {{ecu}}", min_step="1d"),),
    fields=Fields(unit=_UNIT, least=0),
)


def _by_month() -> str:
    """Each day's energy, as a series for each month, such as 2026-11.

    A day starts at midnight of the browser's clock; 13.5 hours later it is the same date in UTC,
    from Hawaii to New Zealand.
    """
    same_date = f"sum({_DAY}) * 0 + time() + 13.5 * 3600"
    number = f'count_values("number", year({same_date}) * 100 + month({same_date}))'
    month = f'label_replace({number}, "month", "$1-$2", "number", "(....)(..)")'
    return f"sum({watt_hours(_DAY)}) * on () group_left (month) {month}"


_PER_MONTH: Final = BarGauge(
    id=8,
    title="Energy per month, 12 months",
    description="What each month brought, by your browser's clock; the bar at the bottom is this "
    "month so far. Around 50 degrees north a day in June brings five to eight times one in "
    f"December, so compare a month with the same one a year before. {_SINCE_COUNTED}",
    width=8,
    height=12,
    time_from="now-12M/M",
    every_row=True,
    most_pixels=28,
    targets=(Promql(expr=_by_month(), legend="{{month}}", min_step="1d"),),
    transformations=(reduce_to_rows("sum"),),
    fields=Fields(unit=_UNIT, least=0, fixed_color="green"),
)

_LAST_YEAR: Final = TimeSeries(
    id=9,
    title="Each day, and the same day last year",
    description="Bars are this year's days, points the days 365 days before. Single days differ "
    "by the weather. If the bars stay under the points for weeks, think of dirt, a tree that has "
    "grown or an inverter that is gone. Points come when the exporter has run for a year, and "
    "Prometheus keeps that long.",
    width=8,
    height=12,
    bars=True,
    targets=(
        Promql(expr=watt_hours(f"sum({_DAY})"), legend="this year", min_step="1d"),
        Promql(
            expr=watt_hours(f"sum({ecu_joules('1d', _OF_THIS_DAY_LAST_YEAR)})"),
            legend="last year",
            min_step="1d",
        ),
    ),
    fields=Fields(
        unit=_UNIT,
        least=0,
        overrides=(
            by_query(
                "B", {"custom.drawStyle": "points", "custom.pointSize": 8, "custom.fillOpacity": 0}
            ),
        ),
    ),
)


def _specific_yield() -> str:
    """Wh for each watt of rated power, which is kWh per kWp, of each array on each day."""
    rated = one_of_each(
        _RATED, f"last_over_time({selected(_RATED, whole_ecu=True)}[1d]{_OF_THIS_DAY})"
    )
    made = channel_joules("1d", _OF_THIS_DAY, whole_ecu=True)
    energy, watts = (
        f"sum by (ecu, array) ({with_array})"
        for with_array in (
            with_panel(
                f"{one} and on ({CHANNEL}) {other}", "array", known_within="1d", shift=_OF_THIS_DAY
            )
            for one, other in ((made, rated), (rated, made))
        )
    )
    return f"{watt_hours(energy)} / {watts}"


_YIELD: Final = BarChart(
    id=10,
    title="Specific yield per day",
    description="Energy for each kilowatt of panels, by array: the number in which roofs of any "
    "size can be compared. 1 is a dull day and 5 to 7 a long clear one; the year's mean is 2 to 4 "
    "in most of Europe. An array that stays behind its own usual has dirt, shade or a fault. "
    "Needs rated_watts in the panels file.",
    width=24,
    height=9,
    targets=(Promql(expr=_specific_yield(), legend="{{array}} (ECU {{ecu}})", min_step="1d"),),
    fields=Fields(unit="suffix:kWh/kWp", decimals=2, least=0),
)

_NOON_OF_DAY: Final = f"1000 * (sum({_DAY}) * 0 + time() + 12 * 3600)"
"""In milliseconds. Grafana cuts all days of a range alike: seen in summer, a day of winter begins
at 23 h of the date before."""

_BEST: Final = Table(
    id=11,
    title="Best ten days of 12 months",
    description="The days that brought most, midnight to midnight by your browser's clock, the "
    "best first. Cool, clear days of May and June tend to win over hot ones. If none of this "
    f"year's is among them by August, the roof has lost something. {_SINCE_COUNTED}",
    width=8,
    height=12,
    time_from="now-12M/d",
    targets=(
        Promql(expr=watt_hours(f"sum({_DAY})"), min_step="1d", shape="table"),
        Promql(expr=_NOON_OF_DAY, min_step="1d", shape="table"),
    ),
    transformations=(
        merge(),
        sort_by("Value #A", descending=True),
        limit(10),
        organize(
            ("Value #B", "Value #A"),
            {"Value #B": "Day", "Value #A": "Energy"},
            hidden=("Time",),
        ),
    ),
    fields=Fields(
        unit=_UNIT,
        decimals=1,
        overrides=(by_name("Day", {"unit": "time:YYYY-MM-DD"}),),
    ),
)

ENERGY: Final = Dashboard(
    uid="aps-energy",
    title="APsystems energy",
    description="Did it pay?",
    variables=(*ECU_CHOICES, _TARIFF),
    rows=(_STATS, (_PER_DAY,), (_PER_MONTH, _LAST_YEAR, _BEST), (_YIELD,)),
    time_from="now-30d/d",
)
