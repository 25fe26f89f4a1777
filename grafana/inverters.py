"""Which box, since when?"""

from typing import Any, Final

from grafana.builder import (
    Dashboard,
    Fields,
    Promql,
    StateTimeline,
    Table,
    Threshold,
    TimeSeries,
    ValueText,
    by_name,
    by_query,
    mappings,
    merge,
    organize,
    sort_by,
)
from grafana.choices import PROMETHEUS_CHOICES
from grafana.published import unit_of
from grafana.queries import (
    NOW,
    channel_joules,
    now,
    one_of_each,
    over_time,
    selected,
    watt_hours,
)

_INFO: Final = "aps_inverter_info"
_ONLINE: Final = "aps_inverter_online"
_LAST_SEEN: Final = "aps_inverter_last_seen_timestamp_seconds"
_POWER: Final = "aps_inverter_power_watts"
_TEMPERATURE: Final = "aps_inverter_temperature_celsius"
_VOLTAGE: Final = "aps_inverter_grid_voltage_volts"
_FREQUENCY: Final = "aps_inverter_grid_frequency_hertz"
_SIGNAL: Final = "aps_inverter_signal_strength_ratio"
_ECU_POWER: Final = "aps_ecu_power_watts"

_ON_OR_OFF: Final = (ValueText(0, "off", "blue"), ValueText(1, "on", "green"))
_HOT_CELSIUS: Final = 80
_BY_HEAT: Final = (Threshold(None, "green"), Threshold(_HOT_CELSIUS, "red"))
_MILLISECONDS: Final = 1000

_ROUND_MINUTES: Final = 5
_DAYS_REMEMBERED: Final = 7

_MODEL: Final = (
    f"max by (ecu, inverter, model) "
    f"(topk by (ecu, inverter) (1, last_over_time({selected(_INFO)}[{NOW}])))"
)
_ENERGY_OF_A_DAY: Final = watt_hours(f"sum by (ecu, inverter) ({channel_joules('1d')})")

_CELL_COLOR: Final = {"custom.cellOptions": {"type": "color-text"}}

_SERIAL: Final = {"unit": "string", "custom.minWidth": 115}

_COLUMNS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    (
        "On",
        now(_ONLINE),
        {"mappings": mappings(_ON_OR_OFF), "custom.minWidth": 45, **_CELL_COLOR},
    ),
    (
        "Last on",
        f"{now(_LAST_SEEN)} * {_MILLISECONDS}",
        {"unit": unit_of(_LAST_SEEN), "custom.minWidth": 113},
    ),
    ("Power", now(_POWER), {"unit": unit_of(_POWER)}),
    ("Energy, 24 h", _ENERGY_OF_A_DAY, {"unit": "watth", "decimals": 2}),
    (
        "Temperature",
        now(_TEMPERATURE),
        {
            "unit": unit_of(_TEMPERATURE),
            "color": {"mode": "thresholds"},
            "thresholds": {"mode": "absolute", "steps": [limit.to_json() for limit in _BY_HEAT]},
            **_CELL_COLOR,
        },
    ),
    (
        "Voltage",
        f"max by (ecu, inverter) ({now(_VOLTAGE)})",
        {"unit": unit_of(_VOLTAGE), "decimals": 0},
    ),
    ("Frequency", now(_FREQUENCY), {"unit": unit_of(_FREQUENCY), "decimals": 1}),
    ("Signal", now(_SIGNAL), {"unit": unit_of(_SIGNAL), "decimals": 0}),
)
"""Of the table: the title of a column, what it shows, and how."""

_LETTERS: Final = "BCDEFGHI"
"""Of the columns' targets; A has the models."""


_AT_A_GLANCE: Final = Table(
    id=1,
    title="Every inverter now",
    description="What each inverter last said, up to half an hour ago. An inverter that is off "
    "measures nothing, so its cells are empty, and at night all are off. By day look at the ones "
    "that are off, and since when. Voltage is the highest of the phases; a QT2 measures from phase "
    "to phase, about 400 V. An inverter that the ECU lists and has never heard has no model.",
    width=24,
    height=11,
    column_pixels=95,
    targets=(
        Promql(expr=_MODEL, instant=True, shape="table"),
        *(Promql(expr=expr, instant=True, shape="table") for _, expr, _ in _COLUMNS),
    ),
    transformations=(
        merge(),
        organize(
            ("inverter", *(f"Value #{letter}" for letter in _LETTERS), "model", "ecu"),
            {
                "inverter": "Inverter",
                "model": "Model",
                "ecu": "ECU",
                **{
                    f"Value #{letter}": title
                    for letter, (title, _, _) in zip(_LETTERS, _COLUMNS, strict=True)
                },
            },
            hidden=("Time", "Value #A"),
        ),
        sort_by("Inverter"),
    ),
    fields=Fields(
        unit="none",
        overrides=(
            *(by_name(title, properties) for title, _, properties in _COLUMNS),
            *(by_name(title, _SERIAL) for title in ("Inverter", "ECU")),
        ),
    ),
)

_TIMELINE: Final = StateTimeline(
    id=2,
    title="On and off",
    description="Green while an inverter answered its ECU, blue while it did not. All blue at "
    "night is normal; one that is blue while the others are green has lost its radio link, its "
    "breaker or itself, and the left edge of the blue says since when. Blank: nothing was heard "
    "from the ECU at all.",
    width=24,
    height=11,
    targets=(Promql(expr=over_time(_ONLINE), legend="{{inverter}}", min_step="1m"),),
    fields=Fields(
        unit=unit_of(_ONLINE),
        color="thresholds",
        thresholds=(Threshold(None, "blue"), Threshold(1, "green")),
        texts=_ON_OR_OFF,
    ),
)

_HEAT: Final = TimeSeries(
    id=3,
    title="Temperature",
    description="Inside each inverter. It follows the sun and the power, 20 to 40 degrees above "
    "the air on a bright day. One that is always hotter than its neighbours lies in still air or "
    "under leaves; over 80 degrees it makes less to protect itself, and ages fast: give it air.",
    width=12,
    height=11,
    limit_lines=True,
    targets=(Promql(expr=over_time(_TEMPERATURE), legend="{{inverter}}", min_step="1m"),),
    fields=Fields(unit=unit_of(_TEMPERATURE), decimals=0, thresholds=_BY_HEAT),
)

_POWER_AND_HEAT: Final = TimeSeries(
    id=4,
    title="Power against temperature",
    description="The chosen inverters' power together, filled, and the temperature of the hottest "
    "of them, dashed, on the right. Both rise and fall with the sun. Power that gives way while "
    "the temperature stays high on a clear day is heat protection. Choose a single inverter at "
    "the top to see only that one.",
    width=12,
    height=11,
    stacked=True,
    targets=(
        Promql(expr=f"sum({over_time(_POWER)})", legend="power", min_step="1m"),
        Promql(expr=f"max({over_time(_TEMPERATURE)})", legend="hottest", min_step="1m"),
    ),
    fields=Fields(
        unit=unit_of(_POWER),
        overrides=(
            by_query("A", {"min": 0}),
            by_query(
                "B",
                {
                    "unit": unit_of(_TEMPERATURE),
                    "custom.axisPlacement": "right",
                    "custom.stacking": {"mode": "none", "group": "temperature"},
                    "custom.fillOpacity": 0,
                    "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
                },
            ),
        ),
    ),
)

_RADIO: Final = TimeSeries(
    id=5,
    title="Radio signal",
    description="How well the ECU hears each inverter, as a share of the strongest signal there "
    "is. APsystems names no limit: what counts is change, and the one that is far below the "
    "others, as it will be the first to go missing. Moving the ECU by a metre, or away from metal "
    "and from other radios, may help. Inverters that are off have no signal.",
    width=12,
    height=11,
    legend_calculations=("mean", "min", "lastNotNull"),
    legend_to_the_right=True,
    legend_sorted_by="Mean",
    targets=(Promql(expr=over_time(_SIGNAL), legend="{{inverter}}", min_step="1m"),),
    fields=Fields(unit=unit_of(_SIGNAL), decimals=0, least=0, most=1),
)


def _daylight() -> str:
    """ECUs with power half an hour before and after: at this time today, or on a day before.

    The half hours leave out dawn and dusk, when inverters wake and fall asleep one after another.
    """
    series = selected(_ECU_POWER)
    offsets = ("-30m", *(f"{days * 24 * 60 - 30}m" for days in range(1, _DAYS_REMEMBERED + 1)))
    return " or ".join(f"min_over_time({series}[1h] offset {offset}) > 0" for offset in offsets)


def _minutes_offline() -> str:
    """Of each inverter in the day after each moment; none for one that was never on."""
    off = f"({one_of_each(_ONLINE, selected(_ONLINE))} == bool 0)"
    in_daylight = f"{off} and on (ecu) ({_daylight()})"
    minutes = f"sum_over_time(({in_daylight})[1d:{_ROUND_MINUTES}m] offset -1d) * {_ROUND_MINUTES}"
    ever_on = f"last_over_time({selected(_LAST_SEEN)}[1d] offset -1d)"
    return f"{minutes} and on (ecu, inverter) {ever_on}"


_OFFLINE: Final = TimeSeries(
    id=6,
    title="Minutes offline in daylight, per day",
    description="How long each inverter was off on each day while the roof makes power, or made "
    "power at that hour on one of the seven days before; the first and last half hour of the day "
    "do not count. None is normal, and a few now and then are lost radio. The same inverter again "
    "and again, or a whole day: look at its signal, then at its breaker. All at once: the grid or "
    "the breaker of the whole roof. Time in which the ECU itself did not answer is not counted.",
    width=12,
    height=11,
    time_from="now-13d/d",
    bars=True,
    stacked=True,
    legend_calculations=("sum",),
    legend_to_the_right=True,
    legend_sorted_by="Total",
    legend_descending=True,
    targets=(Promql(expr=_minutes_offline(), legend="{{inverter}}", min_step="1d"),),
    fields=Fields(unit="suffix:min", decimals=0, least=0),
)

INVERTERS: Final = Dashboard(
    uid="aps-inverters",
    title="APsystems inverters",
    description="Which box, since when?",
    variables=PROMETHEUS_CHOICES,
    rows=((_AT_A_GLANCE,), (_TIMELINE,), (_HEAT, _POWER_AND_HEAT), (_RADIO, _OFFLINE)),
    time_from="now-2d/d",
)
