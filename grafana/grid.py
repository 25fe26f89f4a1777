"""Is the grid throttling me?"""

from typing import Final

from grafana.builder import (
    Dashboard,
    Fields,
    Promql,
    Stat,
    TextVariable,
    Threshold,
    TimeSeries,
    by_query,
    by_regexp,
)
from grafana.choices import PROMETHEUS_CHOICES
from grafana.published import unit_of
from grafana.queries import now, one_of_each, over_time, selected

_VOLTAGE: Final = "aps_inverter_grid_voltage_volts"
_FREQUENCY: Final = "aps_inverter_grid_frequency_hertz"
_POWER: Final = "aps_inverter_power_watts"

_TO_NEUTRAL: Final = 'phase=~"[123]"'
_BETWEEN_PHASES: Final = 'phase=~".-."'
_LIMIT: Final = "$limit"
_LIMIT_BETWEEN_PHASES: Final = "($limit * 3 ^ 0.5)"

_MEAN_OF: Final = "10m"
_STEP_MINUTES: Final = 5
"""A round of an ECU: nothing is known in finer steps."""

_FREQUENCY_BAND_HERTZ: Final = 0.2

_LIMIT_VARIABLE: Final = TextVariable(
    name="limit",
    label="Voltage limit, V",
    description="The highest voltage between a phase and neutral, as a mean of ten minutes, that "
    "your grid rules allow: 253 V (230 V and 10 %) in most of Europe. Between two phases 1.73 "
    "times as much is allowed.",
    default="253",
)

_LIMIT_LINE: Final = {
    "color": {"mode": "fixed", "fixedColor": "red"},
    "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
}
_BETWEEN_PHASES_AXIS: Final = by_regexp(
    ".*(-|between).*",
    {"custom.axisPlacement": "right", "custom.axisLabel": "between two phases"},
)
_BY_SHARE_OF_LIMIT: Final = (
    Threshold(None, "green"),
    Threshold(0.98, "orange"),
    Threshold(1, "red"),
)


def _mean_volts(phases: str, lookback: str = _MEAN_OF) -> str:
    """The mean voltage of each inverter and phase."""
    return one_of_each(_VOLTAGE, f"avg_over_time({selected(_VOLTAGE, phases)}[{lookback}])")


def _share_of_limit(lookback: str = _MEAN_OF) -> str:
    """The mean voltage of each inverter and phase, as a share of what is allowed there."""
    return (
        f"{_mean_volts(_TO_NEUTRAL, lookback)} / {_LIMIT} "
        f"or {_mean_volts(_BETWEEN_PHASES, lookback)} / {_LIMIT_BETWEEN_PHASES}"
    )


def _minutes_above(window: str, shift: str = "") -> str:
    """For how long an inverter of each ECU was above the limit; 0 only if its voltage is known."""
    above = f"max by (ecu) ({_share_of_limit()}) > bool 1"
    return f"sum_over_time(({above})[{window}:{_STEP_MINUTES}m]{shift}) * {_STEP_MINUTES}"


_SHARE_NOW: Final = Stat(
    id=1,
    title="Voltage against the limit, now",
    description="The highest voltage at any chosen inverter, mean of the last 15 minutes, as a "
    "share of the limit that you set at the top. 90 to 96 % is usual. At 100 % inverters must "
    "give less, or switch off. Nothing is known at night, while the inverters sleep.",
    width=4,
    targets=(Promql(expr=f"max({_share_of_limit('15m')})", instant=True),),
    fields=Fields(
        unit="percentunit", decimals=1, color="thresholds", thresholds=_BY_SHARE_OF_LIMIT
    ),
)

_SHARE_TODAY: Final = Stat(
    id=2,
    title="Highest mean of 10 minutes today",
    description="How near to the limit the voltage came since midnight, mean of ten minutes, at "
    "the inverter where it was highest.",
    width=4,
    time_from="now/d",
    targets=(
        Promql(
            expr=f"max_over_time(max({_share_of_limit()})[$__range:{_STEP_MINUTES}m])",
            instant=True,
        ),
    ),
    fields=Fields(
        unit="percentunit", decimals=1, color="thresholds", thresholds=_BY_SHARE_OF_LIMIT
    ),
)

_MINUTES_TODAY: Final = Stat(
    id=3,
    title="Above the limit today",
    description="For how long since midnight the ten-minute mean of at least one inverter stood "
    "above the limit; of the worst ECU, if there are several. It should be none. If it is not, "
    "and the dashboard shows that your power brings it about, have the cable to the meter looked "
    "at; if it is high without your power, tell the grid operator.",
    width=4,
    time_from="now/d",
    targets=(Promql(expr=f"max({_minutes_above('$__range')})", instant=True),),
    fields=Fields(
        unit="m",
        color="thresholds",
        thresholds=(Threshold(None, "green"), Threshold(_STEP_MINUTES, "red")),
    ),
)

_FREQUENCY_NOW: Final = Stat(
    id=4,
    title="Grid frequency now",
    description="The median of all chosen inverters, as last heard, up to half an hour ago. 50 Hz "
    "(60 Hz in other parts of the world), with a few tenths to either side, is normal; nobody in "
    "the house can change it.",
    width=4,
    targets=(Promql(expr=f"quantile(0.5, {now(_FREQUENCY)})", instant=True),),
    fields=Fields(unit=unit_of(_FREQUENCY), decimals=1, fixed_color="blue"),
)


_FREQUENCY_OF_ECU: Final = f"quantile by (ecu) (0.5, {over_time(_FREQUENCY)})"
"""The median of its inverters, as one of them may be wrong."""


_LEAST_FREQUENCY: Final = Stat(
    id=5,
    title="Lowest frequency today",
    description="The lowest frequency of the grid since midnight. Much below 49.8 Hz is rare, and "
    "news: a power plant or a line has failed somewhere.",
    width=4,
    time_from="now/d",
    targets=(
        Promql(
            expr=f"min(min_over_time({_FREQUENCY_OF_ECU}[$__range:{_STEP_MINUTES}m]))", instant=True
        ),
    ),
    fields=Fields(unit=unit_of(_FREQUENCY), decimals=1, fixed_color="blue"),
)

_MOST_FREQUENCY: Final = Stat(
    id=6,
    title="Highest frequency today",
    description="The highest frequency of the grid since midnight. Above 50.2 Hz inverters must "
    "give less; that is rare, and over within minutes.",
    width=4,
    time_from="now/d",
    targets=(
        Promql(
            expr=f"max(max_over_time({_FREQUENCY_OF_ECU}[$__range:{_STEP_MINUTES}m]))", instant=True
        ),
    ),
    fields=Fields(unit=unit_of(_FREQUENCY), decimals=1, fixed_color="blue"),
)


def _limit_targets() -> tuple[Promql, ...]:
    """The limit, as long as there is a voltage to compare with it."""
    return (
        Promql(
            expr=f"{_LIMIT} * group({selected(_VOLTAGE, _TO_NEUTRAL)})",
            legend="limit",
            min_step="1m",
        ),
        Promql(
            expr=f"{_LIMIT_BETWEEN_PHASES} * group({selected(_VOLTAGE, _BETWEEN_PHASES)})",
            legend="limit between two phases",
            min_step="1m",
        ),
    )


_VOLTAGES: Final = TimeSeries(
    id=7,
    title="Voltage per phase",
    description="The highest voltage at any inverter of each phase, as measured once in five "
    "minutes, and the limit (dashed). Inverters on three phases that measure between two of them "
    "(QT2: 1-2, 2-3, 3-1, about 400 V) have their scale on the right. Short peaks above the limit "
    "are allowed; it holds for the mean of ten minutes. If one phase is always higher than the "
    "others, more panels feed into it.",
    width=12,
    height=10,
    targets=(
        *_limit_targets(),
        Promql(
            expr=f"max by (ecu, phase) ({over_time(_VOLTAGE)})",
            legend="ECU {{ecu}} phase {{phase}}",
            min_step="1m",
        ),
    ),
    legend_calculations=("min", "max", "lastNotNull"),
    fields=Fields(
        unit=unit_of(_VOLTAGE),
        decimals=0,
        overrides=(
            _BETWEEN_PHASES_AXIS,
            by_query("A", _LIMIT_LINE),
            by_query("B", _LIMIT_LINE),
        ),
    ),
)

_TEN_MINUTES: Final = TimeSeries(
    id=8,
    title="Mean of ten minutes, against the limit",
    description="What inverters go by: each inverter's voltage, mean of ten minutes, of its "
    "highest phase, as a share of the limit. The one nearest to 100 % will be the first to give "
    "less, mostly the one at the end of the longest cable.",
    width=12,
    height=10,
    limit_lines=True,
    targets=(
        Promql(
            expr=f"max by (inverter) ({_share_of_limit()})", legend="{{inverter}}", min_step="1m"
        ),
    ),
    legend_calculations=("max", "lastNotNull"),
    legend_to_the_right=True,
    fields=Fields(
        unit="percentunit",
        decimals=1,
        thresholds=(Threshold(None, "transparent"), Threshold(1, "red")),
    ),
)

_AGAINST_POWER: Final = TimeSeries(
    id=9,
    title="Voltage against power",
    description="The filled curve is what the chosen inverters make together (scale on the right); "
    "the lines are the mean voltage of each ECU's inverters, as a share of the limit. If voltage "
    "climbs and falls with your power, your own feeding in lifts it, through a long or thin cable. "
    "If power is cut off flat where voltage is high, the grid throttles you. If voltage goes its "
    "own way, neighbours or the grid make it.",
    width=24,
    height=10,
    targets=(
        Promql(expr=f"sum({over_time(_POWER)})", legend="power", min_step="1m"),
        Promql(
            expr=f"avg by (ecu) ({_share_of_limit()})",
            legend="ECU {{ecu}} voltage",
            min_step="1m",
        ),
    ),
    fields=Fields(
        unit="percentunit",
        decimals=1,
        overrides=(
            by_query(
                "A",
                {
                    "unit": unit_of(_POWER),
                    "min": 0,
                    "color": {"mode": "fixed", "fixedColor": "yellow"},
                    "custom.axisPlacement": "right",
                    "custom.fillOpacity": 20,
                },
            ),
        ),
    ),
)


def _frequency_bound(sign: str) -> str:
    """A line beside 50 or 60 Hz, whichever is the grid's."""
    return f"max(round({_FREQUENCY_OF_ECU}, 10)) {sign} {_FREQUENCY_BAND_HERTZ}"


_FREQUENCIES: Final = TimeSeries(
    id=10,
    title="Grid frequency",
    description="The frequency of the grid: the median of each ECU's inverters, which measure to a "
    "tenth. The dashed lines are 0.2 Hz above and below 50 (or 60) Hz: above the upper one "
    "inverters must give less. A whole continent shares it; only an inverter that differs from "
    "the others would be a matter for you.",
    width=12,
    height=10,
    targets=(
        Promql(expr=_frequency_bound("+"), legend="upper bound", min_step="1m"),
        Promql(expr=_frequency_bound("-"), legend="lower bound", min_step="1m"),
        Promql(expr=_FREQUENCY_OF_ECU, legend="ECU {{ecu}}", min_step="1m"),
    ),
    fields=Fields(
        unit=unit_of(_FREQUENCY),
        decimals=1,
        overrides=(by_query("A", _LIMIT_LINE), by_query("B", _LIMIT_LINE)),
    ),
)

_MINUTES_PER_DAY: Final = TimeSeries(
    id=11,
    title="Above the limit per day, 30 days",
    description="For how long each day the ten-minute mean of at least one of an ECU's inverters "
    "stood above the limit, midnight to midnight by your browser's clock; the last bar is today so "
    "far. No bar is good, or a day before the exporter ran. Bars on sunny days only: your own "
    "power lifts the voltage. Keep this picture for the talk with the electrician or the grid "
    "operator.",
    width=12,
    height=10,
    time_from="now-30d/d",
    bars=True,
    targets=(
        Promql(
            expr=_minutes_above("1d", " offset -1d"),
            legend="ECU {{ecu}}",
            min_step="1d",
        ),
    ),
    fields=Fields(unit="m", least=0),
)

GRID: Final = Dashboard(
    uid="aps-grid",
    title="APsystems grid",
    description="Is the grid throttling me?",
    variables=(*PROMETHEUS_CHOICES, _LIMIT_VARIABLE),
    rows=(
        (
            _SHARE_NOW,
            _SHARE_TODAY,
            _MINUTES_TODAY,
            _FREQUENCY_NOW,
            _LEAST_FREQUENCY,
            _MOST_FREQUENCY,
        ),
        (_VOLTAGES, _TEN_MINUTES),
        (_AGAINST_POWER,),
        (_FREQUENCIES, _MINUTES_PER_DAY),
    ),
    time_from="now/d",
)
