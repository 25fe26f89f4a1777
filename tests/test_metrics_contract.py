"""The published names, types and labels, literally: dashboards and rules are written against them.

A line here may be added. One that changes breaks somebody's dashboard.
"""

from datetime import UTC, datetime

import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from aps_exporter.panels import Panel
from aps_exporter.readings import InfluxdbStatus
from tests.exporter import registry_of
from tests.virtual_time import in_virtual_time
from tests.world import world

CONTRACT = """
aps_ecu_info                              info     ecu target model firmware timezone
aps_ecu_power_watts                       gauge    ecu
aps_ecu_lifetime_energy_joules_total      counter  ecu
aps_ecu_reported_lifetime_energy_joules   gauge    ecu
aps_ecu_today_energy_joules               gauge    ecu
aps_ecu_day_energy_joules                 gauge    ecu
aps_ecu_integrated_energy_joules_total    counter  ecu
aps_ecu_inverters                         gauge    ecu
aps_ecu_inverters_online                  gauge    ecu
aps_ecu_last_report_timestamp_seconds     gauge    ecu
aps_ecu_last_ema_contact_timestamp_seconds gauge   ecu
aps_ecu_data_age_seconds                  gauge    ecu
aps_ecu_round_period_seconds              gauge    ecu
aps_ecu_clock_offset_seconds              gauge    ecu
aps_ecu_rejected_values_total             counter  ecu reason
aps_ecu_unknown_rows_total                counter  ecu type_code
aps_inverter_info                         info     ecu inverter model type_code
aps_inverter_online                       gauge    ecu inverter
aps_inverter_last_seen_timestamp_seconds  gauge    ecu inverter
aps_inverter_power_watts                  gauge    ecu inverter
aps_inverter_temperature_celsius          gauge    ecu inverter
aps_inverter_grid_frequency_hertz         gauge    ecu inverter
aps_inverter_grid_voltage_volts           gauge    ecu inverter phase
aps_inverter_signal_strength_ratio        gauge    ecu inverter
aps_channel_info                          info     ecu inverter channel panel array row column
aps_channel_rated_watts                   gauge    ecu inverter channel
aps_channel_power_watts                   gauge    ecu inverter channel
aps_channel_integrated_energy_joules_total counter ecu inverter channel
aps_up                                    gauge    target
aps_query_success                         gauge    target query
aps_refresh_duration_seconds              gauge    target
aps_last_success_timestamp_seconds        gauge    target
aps_next_refresh_timestamp_seconds        gauge    target
aps_consecutive_failures                  gauge    target
aps_refreshes_total                       counter  target
aps_query_failures_total                  counter  target query reason
aps_reply_oddities_total                  counter  target query kind
aps_influxdb_up                           gauge
aps_influxdb_points_written_total         counter
aps_influxdb_points_dropped_total         counter  reason
aps_influxdb_write_failures_total         counter  reason
aps_influxdb_spool_points                 gauge
aps_influxdb_spool_bytes                  gauge
aps_influxdb_spool_oldest_timestamp_seconds gauge
aps_internal_errors_total                 counter  task
aps_exporter_build_info                   gauge    version revision python_version
"""

REJECTIONS = (
    "registered_zero today_zero lifetime_fell lifetime_leap frequency voltage temperature "
    "channel_power future_report empty_list"
)
FAILURES = "resolve refused unreachable timeout closed truncated framing malformed status duplicate"
BEFORE_MIDNIGHT = datetime(2026, 6, 1, 21, 57, 20, tzinfo=UTC)  # in Amsterdam
NEVER_FAILED = InfluxdbStatus(
    up=True,
    points_written=1,
    points_dropped={},
    write_failures={},
    spool_points=1,
    spool_bytes=4_096,
    spool_oldest=BEFORE_MIDNIGHT,
)
DROPS = "spool_full disk_full rejected damaged"
WRITE_FAILURES = "network tls busy server_error unauthorized not_found rejected unexpected spool"
UNKNOWN_ROW = bytes.fromhex("991000000001013037") + bytes(12)

Series = dict[str, tuple[str, set[tuple[str, ...]]]]


def _contract() -> dict[str, tuple[str, tuple[str, ...]]]:
    lines = [line.split() for line in CONTRACT.strip().splitlines()]
    return {name: (kind, tuple(labels)) for name, kind, *labels in lines}


async def _families(text: bool) -> list[Family]:  # noqa: FBT001 - one private choice
    """What an exporter shows that has seen midnight, every inverter type and an unknown row.

    One panel has a rated power.
    """
    kinds = "qs1:1,ds3:1,ds3-h:1,yc600:1,yc1000:1,qt2:1"
    async with world(inverters=kinds, start=BEFORE_MIDNIGHT) as w:
        w.panels = {("802000000001", 1): Panel(rated_watts=400)}
        ids = w.simulated.ecu.encode()
        raw = w.simulated.reply_to(b"APS1100280002" + ids + b"END\n") or b""
        rows = raw[17:19], raw[19:-4]
        body = (int.from_bytes(rows[0], "big") + 1).to_bytes(2, "big") + rows[1] + UNKNOWN_ROW
        content = raw[9:17] + body + b"END"
        w.ecu.answers["inverters"] = b"APS11" + b"%04d" % (9 + len(content)) + content + b"\n"
        cache = w.cache()
        await cache.ask_once()
        await w.pass_time(300)
        await cache.ask_once()
        registry, _ = registry_of([cache], NEVER_FAILED)
        if text:
            return list(parse(generate_latest(registry).decode()))
        # prometheus-client leaves this module untyped.
        exposition = generate_openmetrics(registry)  # type: ignore[no-untyped-call]
        return list(parse_openmetrics(exposition.decode()))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def families() -> list[Family]:
    found: list[Family] = []

    @in_virtual_time
    async def read() -> None:
        found.extend(await _families(text=False))

    read()
    return found


def test_names_types_and_labels_are_those_of_the_contract(families: list[Family]) -> None:
    published = {
        sample.name: (
            "gauge" if family.name == "aps_exporter_build" else family.type,
            set(sample.labels),
        )
        for family in families
        for sample in family.samples
    }
    assert published == {name: (kind, set(labels)) for name, (kind, labels) in _contract().items()}


def test_labels_are_the_same_in_every_sample_of_a_family(families: list[Family]) -> None:
    for family in families:
        assert len({frozenset(sample.labels) for sample in family.samples}) == 1


def test_no_series_stands_twice_and_none_has_a_timestamp(families: list[Family]) -> None:
    samples = [sample for family in families for sample in family.samples]
    series = [(sample.name, frozenset(sample.labels.items())) for sample in samples]
    assert len(series) == len(set(series))
    assert {sample.timestamp for sample in samples} == {None}


def test_help_starts_with_apsystems_and_says_which_numbers_are_cached(
    families: list[Family],
) -> None:
    for family in families:
        assert family.documentation.startswith("APsystems ")
        measured = family.name.endswith(("_watts", "_joules", "_celsius", "_hertz", "_volts"))
        measured &= family.name != "aps_channel_rated_watts"  # the owner's word
        assert ("cached, refreshed about every 300 s" in family.documentation) or not measured


@pytest.mark.parametrize(
    ("name", "label", "values"),
    [
        ("aps_ecu_rejected_values_total", "reason", REJECTIONS),
        ("aps_query_failures_total", "reason", FAILURES),
        ("aps_query_failures_total", "query", "info inverters signal"),
        ("aps_query_success", "query", "info inverters signal"),
        ("aps_reply_oddities_total", "kind", "trailer_missing trailing_bytes"),
        ("aps_reply_oddities_total", "query", "info inverters signal"),
        ("aps_inverter_grid_voltage_volts", "phase", "1 2 3 1-2 2-3 3-1"),
        ("aps_internal_errors_total", "task", "refresh"),
        ("aps_ecu_unknown_rows_total", "type_code", "07"),
        ("aps_influxdb_points_dropped_total", "reason", DROPS),
        ("aps_influxdb_write_failures_total", "reason", WRITE_FAILURES),
    ],
)
def test_label_values_are_all_there_from_the_start(
    families: list[Family], name: str, label: str, values: str
) -> None:
    found = {s.labels[label] for f in families for s in f.samples if s.name == name}
    assert found == set(values.split())


def test_counters_of_trouble_start_at_zero(families: list[Family]) -> None:
    names = ("aps_query_failures", "aps_ecu_rejected_values", "aps_reply_oddities")
    influxdb = ("aps_influxdb_points_dropped", "aps_influxdb_write_failures")
    samples = [s for f in families if f.name in names + influxdb for s in f.samples]
    assert len(samples) == 3 * 10 + 10 + 3 * 2 + 4 + 9
    assert {sample.value for sample in samples} == {0}


@in_virtual_time
async def test_both_text_formats_parse_to_the_same_series() -> None:
    def series(found: list[Family]) -> set[tuple[str, frozenset[tuple[str, str]]]]:
        return {(s.name, frozenset(s.labels.items())) for f in found for s in f.samples}

    assert series(await _families(text=True)) == series(await _families(text=False))


@in_virtual_time
async def test_registration_asks_no_ecu() -> None:
    async with world() as w:
        registry_of([w.cache()])
        assert w.server.connections == 0


@in_virtual_time
async def test_ecu_that_never_answered_has_target_series_only() -> None:
    async with world(faults=["close"]) as w:
        cache = w.cache()
        await cache.ask_once()
        await w.pass_time(300)
        await cache.ask_once()
        registry, _ = registry_of([cache])
        names = {s.name for f in registry.collect() for s in f.samples}
        assert "aps_up" in names
        assert not [n for n in names if n.startswith(("aps_ecu_", "aps_inverter_", "aps_channel_"))]
