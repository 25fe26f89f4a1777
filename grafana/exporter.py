"""Is the measuring chain well?"""

from typing import Final

from grafana.builder import (
    Dashboard,
    Fields,
    Promql,
    QueryVariable,
    Stat,
    StateTimeline,
    Table,
    Threshold,
    TimeSeries,
    ValueText,
    by_name,
    merge,
    organize,
)
from grafana.choices import ECU_CHOICES
from grafana.exporter_insides import CPU, MEMORY, SCRAPES, SENT, WAITING
from grafana.published import metric, unit_of
from grafana.queries import (
    NOW,
    data_age,
    now,
    one_of_each,
    over_time,
    risen_in_bar,
    selected,
    some_of_all,
)

_UP: Final = "aps_up"
_AGE: Final = "aps_ecu_data_age_seconds"
_REFRESH: Final = "aps_refresh_duration_seconds"
_FAILURES: Final = "aps_query_failures_total"
_ODDITIES: Final = "aps_reply_oddities_total"
_REJECTED: Final = "aps_ecu_rejected_values_total"
_UNKNOWN_ROWS: Final = "aps_ecu_unknown_rows_total"
_OLDEST: Final = "aps_influxdb_spool_oldest_timestamp_seconds"

_TARGETS: Final = 'target=~"$target"'

_LAST_SUCCESSES: Final = selected("aps_last_success_timestamp_seconds", _TARGETS)

_STALE_SECONDS: Final = 900
_UNREACHABLE_SECONDS: Final = 2700

_TARGET_VARIABLE: Final = QueryVariable(
    name="target",
    label="Target",
    description="Which addresses of ECUs to show, as the exporter was given them.",
    kind="prometheus",
    query=f"label_values({metric(_UP).name}, target)",
)


def _seen_by_any(name: str) -> str:
    """By how much a counter of an ECU rises in the time of each bar; several exporters see it."""
    return f"{one_of_each(name, risen_in_bar(selected(name)))} > 0"


_ANSWERING: Final = Stat(
    id=1,
    title="ECUs that answer, now",
    description="Of how many addresses the last refresh got a valid reply. An ECU may miss one "
    "around three o'clock at night, when it is busy with its cloud. One that stays away has lost "
    "its power, its WiFi or its address: aps-exporter check with its address says which.",
    width=4,
    shown="name",
    targets=(Promql(expr=some_of_all(now(_UP, _TARGETS)), legend="{{shown}}", instant=True),),
    fields=Fields(
        unit="percentunit",
        color="thresholds",
        thresholds=(Threshold(None, "red"), Threshold(0.001, "orange"), Threshold(1, "green")),
    ),
)

_LAST_REPLY: Final = Stat(
    id=2,
    title="Last good reply, now",
    description="How long ago the ECU last gave a valid reply; the one that is worst off, if there "
    "are several. Some five minutes are normal, day and night. It goes on counting when the "
    "exporter or Prometheus has lost its target.",
    width=4,
    targets=(
        Promql(
            expr=f"max(time() - max by (target) (last_over_time({_LAST_SUCCESSES}[1d])))",
            instant=True,
        ),
    ),
    fields=Fields(
        unit="s",
        color="thresholds",
        thresholds=(
            Threshold(None, "green"),
            Threshold(_STALE_SECONDS, "orange"),
            Threshold(_UNREACHABLE_SECONDS, "red"),
        ),
    ),
)

_AGE_NOW: Final = Stat(
    id=3,
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

_REJECTED_TODAY: Final = Stat(
    id=4,
    title="Values not believed, last 24 hours",
    description="How often an ECU said something that cannot be: no frequency, voltage or power of "
    "an inverter, a counter that fell, a list without rows. Such values are left out. A few a day "
    "happen; if there are many, see the bars further down for the reason.",
    width=4,
    targets=(
        Promql(
            expr=f"sum({one_of_each(_REJECTED, f'increase({selected(_REJECTED)}[1d])')})",
            instant=True,
        ),
    ),
    fields=Fields(
        unit="none",
        decimals=0,
        color="thresholds",
        thresholds=(Threshold(None, "green"), Threshold(20, "orange")),
    ),
)

_BACKLOG_NOW: Final = Stat(
    id=5,
    title="InfluxDB backlog now",
    description="How old the oldest round is that InfluxDB has not taken yet. None is normal; it "
    "says none as well while the exporter does not write to InfluxDB. After an outage of the "
    "database it shrinks by itself: nothing is lost while there is room on disk.",
    width=4,
    targets=(Promql(expr=f"max(time() - {selected(_OLDEST)})", instant=True),),
    fields=Fields(
        unit="s",
        color="thresholds",
        thresholds=(Threshold(None, "green"), Threshold(_STALE_SECONDS, "orange")),
        absent="none",
    ),
)

_ERRORS: Final = Stat(
    id=6,
    title="Unexpected errors, last 24 hours",
    description="Errors that nobody foresaw. 0 is normal. Each one is a fault of the exporter, "
    "which goes on all the same: please report it, with what its log says.",
    width=4,
    targets=(
        Promql(expr=f"sum(increase({selected('aps_internal_errors_total')}[1d]))", instant=True),
    ),
    fields=Fields(
        unit="none",
        decimals=0,
        color="thresholds",
        thresholds=(Threshold(None, "green"), Threshold(0.5, "red")),
    ),
)

_TIMELINE: Final = StateTimeline(
    id=7,
    title="Who answered, and when",
    description="One strip for each ECU as each exporter sees it: green while it gives valid "
    "replies, red while it does not. Below, a strip for each exporter as Prometheus sees it. Where "
    "an exporter's strip is red, or there is none, look there first: the strips of its ECUs are "
    "empty for that time.",
    width=24,
    height=7,
    targets=(
        Promql(
            expr=f"max by (instance, target) ({selected(_UP, _TARGETS)})",
            legend="{{target}} at {{instance}}",
            min_step="1m",
        ),
        Promql(
            expr="max by (instance) (up and on (job, instance) "
            "last_over_time(aps_exporter_build_info[1d]))",
            legend="exporter {{instance}}",
            min_step="1m",
        ),
    ),
    fields=Fields(
        unit="none",
        texts=(ValueText(0, "silent", "red"), ValueText(1, "answers", "green")),
    ),
)

_DURATION: Final = TimeSeries(
    id=8,
    title="How long a refresh takes",
    description="How long the exporter needs to ask an ECU its three questions, with the pauses "
    "between them. A few seconds are usual. Ten and more point to a weak WiFi at the ECU; a jump "
    "to half a minute or more is an ECU that does not answer at all.",
    width=12,
    targets=(
        Promql(
            expr=f"max by (instance, target) ({selected(_REFRESH, _TARGETS)})",
            legend="{{target}} at {{instance}}",
            min_step="1m",
        ),
    ),
    legend_calculations=("mean", "max"),
    fields=Fields(unit=unit_of(_REFRESH), decimals=1, least=0),
)

_FAILED: Final = TimeSeries(
    id=9,
    title="Queries that failed, by reason",
    description="Queries without a good reply, counted by the hour, or by more when you look at "
    "many days. Now and then one is normal. refused, unreachable and timeout: the ECU is off, "
    "elsewhere or out of reach of the WiFi. closed, truncated and framing: it is busy, perhaps "
    "with another program that asks it. trailer_missing and trailing_bytes are oddities of its "
    "firmware in good replies, and harmless.",
    width=12,
    bars=True,
    stacked=True,
    targets=(
        Promql(
            expr=f"sum by (query, reason) ({risen_in_bar(selected(_FAILURES, _TARGETS))}) > 0",
            legend="{{query}}: {{reason}}",
            min_step="1h",
        ),
        Promql(
            expr=f"sum by (query, kind) ({risen_in_bar(selected(_ODDITIES, _TARGETS))}) > 0",
            legend="{{query}}: {{kind}}",
            min_step="1h",
        ),
    ),
    fields=Fields(unit="none", decimals=0, least=0, absent="none"),
)

_AGES: Final = TimeSeries(
    id=10,
    title="Age of the data",
    description="Time since an ECU last showed a new round. By day a saw of five minutes; at "
    "night, when many ECUs rest, it climbs for hours and falls at dawn. A climb by day is an ECU "
    "that answers without news, or not at all.",
    width=12,
    targets=(Promql(expr=over_time(_AGE), legend="ECU {{ecu}}", min_step="1m"),),
    fields=Fields(unit=unit_of(_AGE), least=0),
)

_NOT_BELIEVED: Final = TimeSeries(
    id=11,
    title="Values not believed, by reason",
    description="What the ECU said and cannot be, counted by the hour, or by more when you look at "
    "many days. today_zero and registered_zero are known flaws of ECU firmware. frequency, "
    "voltage, temperature and channel_power of one inverter, again and again, may be a dying one. "
    "An unknown row is an inverter of a model that the exporter cannot read yet: please report "
    "it.",
    width=12,
    bars=True,
    stacked=True,
    targets=(
        Promql(
            expr=f"sum by (reason) ({_seen_by_any(_REJECTED)})", legend="{{reason}}", min_step="1h"
        ),
        Promql(
            expr=f"sum by (type_code) ({_seen_by_any(_UNKNOWN_ROWS)})",
            legend="unknown row {{type_code}}",
            min_step="1h",
        ),
    ),
    fields=Fields(unit="none", decimals=0, least=0, absent="none"),
)


def _moment(name: str) -> str:
    """In milliseconds, as Grafana tells times."""
    return f"1000 * {now(name)}"


_INFO: Final = f"topk by (ecu) (1, last_over_time({selected('aps_ecu_info')}[{NOW}]))"

_COLUMNS: Final = (
    ("Online", f"{now('aps_ecu_inverters_online')}", "none"),
    ("Inverters", f"{now('aps_ecu_inverters')}", "none"),
    ("Age", f"{data_age()}", "s"),
    ("Round", f"{now('aps_ecu_round_period_seconds')}", "s"),
    ("Clock off by", f"{now('aps_ecu_clock_offset_seconds')}", "s"),
    ("Last round", _moment("aps_ecu_last_report_timestamp_seconds"), "dateTimeFromNow"),
    ("Last cloud", _moment("aps_ecu_last_ema_contact_timestamp_seconds"), "dateTimeFromNow"),
)
"""Heading, query and unit of each number in the table of ECUs."""

_WORDS: Final = {
    "ecu": "ECU",
    "target": "Target",
    "model": "Model",
    "firmware": "Firmware",
    "timezone": "Time zone",
}


def _letter(column: int) -> str:
    """Of the target that asks for a column; the first one asks for the words."""
    return chr(ord("B") + column)


_ECUS: Final = Table(
    id=12,
    title="ECUs now",
    description="What each ECU says of itself, and how it does: the address it was found at, "
    "inverters online and known, age of its newest round, seconds from round to round (300 is "
    "normal), how far its clock is off (0 to -360 s is normal), when it last made a round and when "
    "it last reached the cloud. The cloud may be missing: not every firmware tells it.",
    width=24,
    height=7,
    targets=(
        Promql(expr=f"max by ({', '.join(_WORDS)}) ({_INFO})", instant=True, shape="table"),
        *(Promql(expr=expr, instant=True, shape="table") for _, expr, _ in _COLUMNS),
    ),
    transformations=(
        merge(),
        organize(
            (*_WORDS, *(f"Value #{_letter(at)}" for at in range(len(_COLUMNS)))),
            _WORDS
            | {f"Value #{_letter(at)}": heading for at, (heading, _, _) in enumerate(_COLUMNS)},
            hidden=("Time", "Value #A"),
        ),
    ),
    fields=Fields(
        unit="none",
        decimals=0,
        overrides=tuple(
            by_name(heading, {"unit": unit}) for heading, _, unit in _COLUMNS if unit != "none"
        ),
    ),
)

EXPORTER: Final = Dashboard(
    uid="aps-exporter",
    title="APsystems exporter",
    description="Is the measuring chain well?",
    variables=(*ECU_CHOICES, _TARGET_VARIABLE),
    rows=(
        (_ANSWERING, _LAST_REPLY, _AGE_NOW, _REJECTED_TODAY, _BACKLOG_NOW, _ERRORS),
        (_TIMELINE,),
        (_ECUS,),
        (_DURATION, _FAILED),
        (_AGES, _NOT_BELIEVED),
        (WAITING, SENT),
        (CPU, MEMORY, SCRAPES),
    ),
    time_from="now-1d",
)
