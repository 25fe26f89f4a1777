"""How the exporter itself is: what it hands on to InfluxDB, and its process."""

from typing import Final

from grafana.builder import Fields, Promql, TimeSeries, by_query
from grafana.published import metric
from grafana.queries import NOW, risen_in_bar

_BACKLOG: Final = metric("aps_influxdb_spool_points").name
_OLDEST: Final = metric("aps_influxdb_spool_oldest_timestamp_seconds").name
_WRITTEN: Final = metric("aps_influxdb_points_written_total").name
_DROPPED: Final = metric("aps_influxdb_points_dropped_total").name
_WRITE_FAILURES: Final = metric("aps_influxdb_write_failures_total").name


def _of_exporters(vector: str) -> str:
    """Of what every process has, or every scrape: that of our exporters only."""
    ours = f"last_over_time({metric('aps_exporter_build_info').name}[{NOW}])"
    return f"{vector} and on (job, instance) {ours}"


WAITING: Final = TimeSeries(
    id=13,
    title="InfluxDB backlog",
    description="Points that wait on disk for InfluxDB, and (scale on the right) the age of the "
    "oldest. Nearly always 0. A hill is an outage of the database that was made good; a slope "
    "without an end is one that still lasts. Empty while the exporter does not write to InfluxDB.",
    width=12,
    targets=(
        Promql(
            expr=f"max by (instance) ({_BACKLOG})",
            legend="points waiting at {{instance}}",
            min_step="1m",
        ),
        Promql(
            expr=f"max by (instance) (time() - {_OLDEST})",
            legend="age of the oldest at {{instance}}",
            min_step="1m",
        ),
    ),
    fields=Fields(
        unit="none",
        decimals=0,
        least=0,
        overrides=(by_query("B", {"unit": "s", "custom.axisPlacement": "right"}),),
    ),
)

SENT: Final = TimeSeries(
    id=14,
    title="InfluxDB: written, failed, lost",
    description="Points that InfluxDB took, writes that failed (their points are kept and sent "
    "again) and points that were lost, counted by the hour, or by more when you look at many days. "
    "Lost ones should not be: spool_full and disk_full want more room, rejected means that the "
    "database refuses them for ever. Empty while the exporter does not write to InfluxDB.",
    width=12,
    bars=True,
    targets=(
        Promql(
            expr=f"sum by (instance) ({risen_in_bar(_WRITTEN)})",
            legend="written by {{instance}}",
            min_step="1h",
        ),
        Promql(
            expr=f"sum by (reason) ({risen_in_bar(_WRITE_FAILURES)}) > 0",
            legend="failed: {{reason}}",
            min_step="1h",
        ),
        Promql(
            expr=f"sum by (reason) ({risen_in_bar(_DROPPED)}) > 0",
            legend="lost: {{reason}}",
            min_step="1h",
        ),
    ),
    fields=Fields(unit="none", decimals=0, least=0),
)

CPU: Final = TimeSeries(
    id=15,
    title="CPU of the exporter",
    description="How much of one processor core the exporter uses. A few percent at most "
    "is normal.",
    width=8,
    targets=(
        Promql(
            expr=_of_exporters("rate(process_cpu_seconds_total[15m])"),
            legend="{{instance}}",
            min_step="1m",
        ),
    ),
    fields=Fields(unit="percentunit", least=0),
)

MEMORY: Final = TimeSeries(
    id=16,
    title="Memory of the exporter",
    description="Memory that the exporter holds. Some 60 MB for a small plant, and level, is "
    "normal; a slope over days is a fault worth reporting.",
    width=8,
    targets=(
        Promql(
            expr=_of_exporters("process_resident_memory_bytes"),
            legend="{{instance}}",
            min_step="1m",
        ),
    ),
    fields=Fields(unit="bytes", least=0),
)

SCRAPES: Final = TimeSeries(
    id=17,
    title="How long a scrape takes",
    description="How long Prometheus waits for the exporter. A few milliseconds, and once in five "
    "minutes, while it reads the ECU, up to four seconds. Let scrape_timeout be five seconds or "
    "more.",
    width=8,
    targets=(
        Promql(expr=_of_exporters("scrape_duration_seconds"), legend="{{instance}}", min_step="1m"),
    ),
    fields=Fields(unit="s", least=0),
)
