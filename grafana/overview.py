"""Is my roof fine, and what did it make?"""

from typing import Final

from grafana.builder import (
    Dashboard,
    Fields,
    Promql,
    Stat,
    Threshold,
    TimeSeries,
    by_query,
)
from grafana.choices import PROMETHEUS_CHOICES
from grafana.published import unit_of
from grafana.queries import (
    CHANNEL,
    data_age,
    ecu_joules,
    now,
    one_of_each,
    over_time,
    selected,
    some_of_all,
    watt_hours,
    with_panel,
)
from grafana.roof import roof

_ECU_POWER: Final = "aps_ecu_power_watts"
_INVERTER_POWER: Final = "aps_inverter_power_watts"
_ONLINE: Final = "aps_inverter_online"
_AGE: Final = "aps_ecu_data_age_seconds"
_DAY_ENERGY: Final = "aps_ecu_day_energy_joules"
_CHANNEL_POWER: Final = "aps_channel_power_watts"

_STALE_SECONDS: Final = 900

_POWER_NOW: Final = Stat(
    id=1,
    title="Power now",
    description="What all inverters of the chosen ECUs make together, as the ECUs last said. 0 W "
    "at night is normal. When an ECU falls silent, its figure stays for up to half an hour; then "
    "nothing is here: look at the age of the data.",
    width=4,
    targets=(Promql(expr=f"sum({now(_ECU_POWER)})", instant=True),),
    fields=Fields(unit=unit_of(_ECU_POWER), fixed_color="yellow"),
)

_TODAY: Final = Stat(
    id=2,
    title="Today",
    description="Energy since midnight by the ECU's clock, by the lifetime counter or by power, "
    "whichever says more. On the day on which the exporter first runs it counts from that moment.",
    width=4,
    time_from="now/d",
    targets=(
        Promql(
            expr=watt_hours(f"sum({now(_DAY_ENERGY)} or {ecu_joules('$__range')})"),
            instant=True,
        ),
    ),
    fields=Fields(unit=unit_of(_DAY_ENERGY), decimals=1, fixed_color="green"),
)

_PEAK: Final = Stat(
    id=3,
    title="Peak today",
    description="The most that all inverters together made at one moment since midnight.",
    width=4,
    time_from="now/d",
    targets=(
        Promql(
            expr=f"max_over_time(sum({over_time(_ECU_POWER)})[$__range:1m])",
            instant=True,
        ),
    ),
    fields=Fields(unit=unit_of(_ECU_POWER), fixed_color="orange"),
)


def _online_of_a_week() -> str:
    """0 or 1 of each inverter that was on within a week; the ECU lists also what it never heard."""
    ever_on = one_of_each(_ONLINE, f"max_over_time({selected(_ONLINE)}[7d:30m])")
    return f"{now(_ONLINE)} and {ever_on} == 1 or {now(_ONLINE)} == 1"


_INVERTERS_ON: Final = Stat(
    id=4,
    title="Inverters on, now",
    description="How many of the inverters answered the ECU in its last round, of all that did so "
    "within seven days: one that the ECU lists and has not heard for that long does not count. By "
    "day all of them should be on; at night all sleep, and dusk and dawn lie between. One that is "
    "missing at noon has lost its radio link, its breaker or itself: see the dashboard of "
    "inverters.",
    width=4,
    shown="name",
    targets=(Promql(expr=some_of_all(_online_of_a_week()), legend="{{shown}}", instant=True),),
    fields=Fields(
        unit="percentunit",
        color="thresholds",
        thresholds=(Threshold(None, "blue"), Threshold(0.001, "orange"), Threshold(1, "green")),
    ),
)


_DATA_AGE: Final = Stat(
    id=5,
    title="Age of the data now",
    description="Since when no ECU has shown a new round; the oldest, with several ECUs. By day "
    "up to five or six minutes are normal. At night many ECUs rest, and hours are fine.",
    width=4,
    targets=(Promql(expr=f"max({data_age()})", instant=True),),
    fields=Fields(
        unit=unit_of(_AGE),
        color="thresholds",
        thresholds=(Threshold(None, "green"), Threshold(_STALE_SECONDS, "blue")),
    ),
)

_FIRING: Final = 'ALERTS{alertname=~"Aps.+", alertstate="firing", ecu=~"$ecu|"}'
"""The last bar lets pass what has no label `ecu`."""

_ALERTS: Final = Stat(
    id=6,
    title="Alerts now",
    description="How many alerts of the exporter's rules are firing: those of the chosen ECUs, and "
    "those that are not of one ECU, such as one that does not answer. What two exporters tell "
    "counts once. It says none as well while Prometheus has not been given these rules.",
    width=4,
    targets=(Promql(expr=f"count(count without (job, instance) ({_FIRING}))", instant=True),),
    fields=Fields(
        unit="none",
        color="thresholds",
        thresholds=(Threshold(None, "green"), Threshold(1, "red")),
        absent="none",
    ),
)

_POWER_TODAY: Final = TimeSeries(
    id=7,
    title="Power today, and yesterday",
    description="What each inverter makes, one on top of the other: the upper edge is the whole "
    "roof. The dashed line is the whole roof at the same time yesterday. Night, and time in which "
    "nothing was heard, stay empty.",
    width=24,
    height=12,
    time_from="now/d",
    stacked=True,
    targets=(
        Promql(expr=over_time(_INVERTER_POWER), legend="{{inverter}}", min_step="1m"),
        Promql(
            expr=f"sum({over_time(_INVERTER_POWER, before='1d')})",
            legend="yesterday",
            min_step="1m",
        ),
    ),
    fields=Fields(
        unit=unit_of(_INVERTER_POWER),
        least=0,
        overrides=(
            by_query(
                "B",
                {
                    "color": {"mode": "fixed", "fixedColor": "text"},
                    "custom.stacking": {"mode": "none", "group": "yesterday"},
                    "custom.fillOpacity": 0,
                    "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
                },
            ),
        ),
    ),
)

_PER_DAY: Final = TimeSeries(
    id=8,
    title="Energy per day, 30 days",
    description="What each day brought, midnight to midnight by your browser's clock, by the "
    "lifetime counter or by power, whichever says more. The last bar is today so far. Days before "
    "the exporter ran are missing.",
    width=12,
    height=12,
    time_from="now-30d/d",
    bars=True,
    stacked=True,
    targets=(
        Promql(
            expr=watt_hours(ecu_joules("1d", " offset -1d")), legend="ECU {{ecu}}", min_step="1d"
        ),
    ),
    fields=Fields(unit=unit_of(_DAY_ENERGY), least=0),
)


def _padded(vector: str, label: str) -> str:
    """With a 0 before a single digit: Grafana sorts these labels as text."""
    return f'label_replace({vector}, "{label}", "0$1", "{label}", "([0-9])")'


def _named_rows(cells: str) -> str:
    """With the array before the row, and before that the ECU, if there are several.

    Each array, of each ECU, has a row 1. What has no row gets none.
    """
    ecu = f'label_join({cells}, "of", ";", "ecus", "ecu")'
    before = f'label_replace({ecu}, "before", "$2 ", "of", "([2-9]|[1-9][0-9]+);(.+)")'
    array = f'label_replace({before}, "array", "$1 ", "array", "(.+)")'
    place = f'label_join({array}, "place", "", "before", "array", "row")'
    return f'label_replace({place}, "row", "$1", "place", "(.*[^ ])")'


def _or_by_channel(cells: str) -> str:
    """Where row or column is missing, inverter and channel instead of both."""
    found = f'label_join({cells}, "cell", ";", "inverter", "channel", "column", "row")'
    for label, instead in (("row", "$1"), ("column", "$2")):
        found = (
            f'label_replace({found}, "{label}", "{instead}", "cell", '
            '"([^;]+);([^;]+);(;.*|[^;]+;)")'
        )
    return found


def _roof() -> str:
    """Channels with the row and column of their cell; without a place: inverter and channel."""
    watts = now(_CHANNEL_POWER)
    placed = with_panel(watts, "array", "row", "column")
    padded = _padded(_padded(f"({placed})", "row"), "column")
    ecus = f'count_values("ecus", count(count by (ecu) ({watts})))'
    cells = _or_by_channel(_named_rows(f"{padded} * on () group_left (ecus) {ecus}"))
    return f"max by (row, column, {CHANNEL}) ({cells})"


_ROOF: Final = roof(
    "The roof now",
    "What each panel makes, where it lies: rows and columns are those of the panels "
    "file. Where that gives no place, a row is an inverter and a column one of its inputs. With "
    "several ECUs each row begins with its ECU. Red is the least of "
    "the moment and green the most: look for one cell that differs from its neighbours.",
    Promql(expr=_roof(), instant=True, shape="table"),
    ("column", "row", "Value"),
    "Row",
)

OVERVIEW: Final = Dashboard(
    uid="aps-overview",
    title="APsystems overview",
    description="Is my roof fine, and what did it make?",
    variables=PROMETHEUS_CHOICES,
    rows=(
        (_POWER_NOW, _TODAY, _PEAK, _INVERTERS_ON, _DATA_AGE, _ALERTS),
        (_POWER_TODAY,),
        (_PER_DAY, _ROOF),
    ),
    time_from="now/d",
)
