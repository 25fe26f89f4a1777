"""What is known of ECUs, their inverters and channels."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, get_args

from aps_exporter.metrics.metric import InfluxdbField, Metric, Sample, timestamp
from aps_exporter.panels import UNTOLD, Channel, Panel
from aps_exporter.readings import (
    JOULES_PER_KWH,
    ChannelReading,
    InverterReading,
    PhaseReading,
    RejectionReason,
    Snapshot,
)

_CACHED: Final = "cached, refreshed about every 300 s."


def _of_ecu(read: Callable[[Snapshot], float | None]) -> Callable[[Snapshot], Iterable[Sample]]:
    return lambda snapshot: [((snapshot.ecu,), read(snapshot))]


def _of_inverters(
    read: Callable[[InverterReading], float | None],
) -> Callable[[Snapshot], Iterable[Sample]]:
    return lambda snapshot: [
        ((snapshot.ecu, inverter.inverter), read(inverter)) for inverter in snapshot.inverters
    ]


def _of_phases(
    read: Callable[[PhaseReading], float | None],
) -> Callable[[Snapshot], Iterable[Sample]]:
    return lambda snapshot: [
        ((snapshot.ecu, inverter.inverter, phase.phase), read(phase))
        for inverter in snapshot.inverters
        for phase in inverter.phases
    ]


def _used_channels(snapshot: Snapshot) -> Iterator[tuple[Channel, ChannelReading, Panel]]:
    for inverter in snapshot.inverters:
        for reading in inverter.channels:
            channel = inverter.inverter, reading.channel
            panel = snapshot.panels.get(channel, UNTOLD)
            if not panel.unused:
                yield channel, reading, panel


def _channel_labels(snapshot: Snapshot, channel: Channel) -> tuple[str, str, str]:
    inverter, number = channel
    return snapshot.ecu, inverter, str(number)


def _ecu_info(snapshot: Snapshot) -> Iterator[Sample]:
    info = snapshot.info
    labels = (snapshot.target, snapshot.ecu_model, info.firmware or "", info.timezone or "")
    yield (snapshot.ecu, *labels), 1


def _inverter_info(snapshot: Snapshot) -> Iterator[Sample]:
    for inverter in snapshot.inverters:
        yield (snapshot.ecu, inverter.inverter, inverter.model or "", inverter.type_code), 1


def _channel_info(snapshot: Snapshot) -> Iterator[Sample]:
    for channel, _, panel in _used_channels(snapshot):
        inverter, number = channel
        row, column = ("" if place is None else str(place) for place in (panel.row, panel.column))
        labels = (panel.name or f"{inverter}/{number}", panel.array or "", row, column)
        yield (*_channel_labels(snapshot, channel), *labels), 1


def _channel_rated_watts(snapshot: Snapshot) -> Iterator[Sample]:
    for channel, _, panel in _used_channels(snapshot):
        yield _channel_labels(snapshot, channel), panel.rated_watts


def _channel_power(snapshot: Snapshot) -> Iterator[Sample]:
    for channel, reading, _ in _used_channels(snapshot):
        yield _channel_labels(snapshot, channel), reading.power_watts


def _channel_energy(snapshot: Snapshot) -> Iterator[Sample]:
    for channel, _, _ in _used_channels(snapshot):
        yield _channel_labels(snapshot, channel), snapshot.channel_energy_joules.get(channel)


def _last_seen(snapshot: Snapshot) -> Iterator[Sample]:
    for inverter in snapshot.inverters:
        moment = snapshot.last_seen.get(inverter.inverter)
        yield (snapshot.ecu, inverter.inverter), timestamp(moment)


def _signal(snapshot: Snapshot) -> Iterator[Sample]:
    for serial, ratio in (snapshot.signal or {}).items():
        yield (snapshot.ecu, serial), ratio


def _rejected_values(snapshot: Snapshot) -> Iterator[Sample]:
    for reason in get_args(RejectionReason):
        yield (snapshot.ecu, reason), snapshot.rejected_values.get(reason, 0)


def _unknown_rows(snapshot: Snapshot) -> Iterator[Sample]:
    for type_code, count in snapshot.unknown_rows.items():
        yield (snapshot.ecu, type_code), count


ECU_METRICS: Final[tuple[Metric[Snapshot], ...]] = (
    Metric(
        "aps_ecu_info",
        "APsystems ECU: the target it was found at, its model, firmware and the time zone it says.",
        ("ecu", "target", "model", "firmware", "timezone"),
        _ecu_info,
        "info",
    ),
    Metric(
        "aps_ecu_power_watts",
        f"APsystems power of all online inverters, as the ECU reports it, {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.info.power_watts),
        influxdb=InfluxdbField("aps_ecu", "power_watts"),
    ),
    Metric(
        "aps_ecu_lifetime_energy_joules_total",
        f"APsystems lifetime energy, guarded so that it never falls, {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.lifetime_energy_joules),
        "counter",
        influxdb=InfluxdbField("aps_ecu", "lifetime_energy_kwh", JOULES_PER_KWH),
    ),
    Metric(
        "aps_ecu_reported_lifetime_energy_joules",
        f"APsystems lifetime energy, literally as the ECU says it, {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.reported_lifetime_energy_joules),
    ),
    Metric(
        "aps_ecu_today_energy_joules",
        f"APsystems energy of today, as the ECU says it (some firmware says 0), {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.info.today_energy_joules),
        influxdb=InfluxdbField("aps_ecu", "today_energy_kwh", JOULES_PER_KWH),
    ),
    Metric(
        "aps_ecu_day_energy_joules",
        "APsystems energy since local midnight, cached, refreshed about every 300 s: the larger of "
        "the lifetime counter's rise and the integrated energy. Absent in the first, partial day.",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.day_energy_joules),
        influxdb=InfluxdbField("aps_ecu", "day_energy_kwh", JOULES_PER_KWH),
    ),
    Metric(
        "aps_ecu_integrated_energy_joules_total",
        f"APsystems power of the ECU, integrated by the exporter from round to round, {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.integrated_energy_joules),
        "counter",
    ),
    Metric(
        "aps_ecu_inverters",
        f"APsystems inverters registered in the ECU, {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.info.inverters),
        influxdb=InfluxdbField("aps_ecu", "inverters"),
    ),
    Metric(
        "aps_ecu_inverters_online",
        f"APsystems inverters online in the ECU's last round, {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.info.inverters_online),
        influxdb=InfluxdbField("aps_ecu", "inverters_online"),
    ),
    Metric(
        "aps_ecu_last_report_timestamp_seconds",
        f"APsystems ECU: when it measured its newest round, {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: timestamp(snapshot.measured_at)),
    ),
    Metric(
        "aps_ecu_last_ema_contact_timestamp_seconds",
        f"APsystems ECU: when it last reached the EMA cloud, {_CACHED}",
        ("ecu",),
        _of_ecu(lambda snapshot: timestamp(snapshot.last_ema_contact)),
    ),
    Metric(
        "aps_ecu_data_age_seconds",
        "APsystems ECU: seconds since its newest round was first seen, by the exporter's clock.",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.data_age_seconds),
    ),
    Metric(
        "aps_ecu_round_period_seconds",
        "APsystems ECU: seconds from round to round, learned; the configured ones until then.",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.round_period_seconds),
    ),
    Metric(
        "aps_ecu_clock_offset_seconds",
        "APsystems ECU clock minus the exporter's: the time of its newest round less the moment it "
        "became visible. Rounds become visible late, so 0 to -360 s is normal.",
        ("ecu",),
        _of_ecu(lambda snapshot: snapshot.clock_offset_seconds),
    ),
    Metric(
        "aps_ecu_rejected_values_total",
        "APsystems values that were not believed, by reason.",
        ("ecu", "reason"),
        _rejected_values,
        "counter",
    ),
    Metric(
        "aps_ecu_unknown_rows_total",
        "APsystems inverter rows of a type code that nobody can read yet.",
        ("ecu", "type_code"),
        _unknown_rows,
        "counter",
    ),
    Metric(
        "aps_inverter_info",
        "APsystems inverter: its model and the type code of its row.",
        ("ecu", "inverter", "model", "type_code"),
        _inverter_info,
        "info",
    ),
    Metric(
        "aps_inverter_online",
        f"APsystems inverter: 1 if it answered the ECU in the last round, else 0, {_CACHED}",
        ("ecu", "inverter"),
        _of_inverters(lambda inverter: inverter.online),
        influxdb=InfluxdbField("aps_inverter", "online"),
    ),
    Metric(
        "aps_inverter_last_seen_timestamp_seconds",
        f"APsystems inverter: the newest round in which it was online, {_CACHED}",
        ("ecu", "inverter"),
        _last_seen,
    ),
    Metric(
        "aps_inverter_power_watts",
        f"APsystems inverter power: the sum of its channels, as the ECU reports them, {_CACHED}",
        ("ecu", "inverter"),
        _of_inverters(lambda inverter: inverter.power_watts),
        influxdb=InfluxdbField("aps_inverter", "power_watts"),
    ),
    Metric(
        "aps_inverter_temperature_celsius",
        f"APsystems inverter temperature, {_CACHED}",
        ("ecu", "inverter"),
        _of_inverters(lambda inverter: inverter.temperature_celsius),
        influxdb=InfluxdbField("aps_inverter", "temperature_celsius"),
    ),
    Metric(
        "aps_inverter_grid_frequency_hertz",
        f"APsystems inverter: frequency of the grid, {_CACHED}",
        ("ecu", "inverter"),
        _of_inverters(lambda inverter: inverter.frequency_hertz),
        influxdb=InfluxdbField("aps_inverter", "grid_frequency_hertz"),
    ),
    Metric(
        "aps_inverter_grid_voltage_volts",
        "APsystems inverter: AC voltage of the grid, phase 1, 2, 3 to neutral or 1-2, 2-3, 3-1 "
        f"between phases, {_CACHED}",
        ("ecu", "inverter", "phase"),
        _of_phases(lambda phase: phase.voltage_volts),
        influxdb=InfluxdbField("aps_inverter_grid", "voltage_volts"),
    ),
    Metric(
        "aps_inverter_signal_strength_ratio",
        f"APsystems inverter: radio signal as a share of the strongest, {_CACHED}",
        ("ecu", "inverter"),
        _signal,
        influxdb=InfluxdbField("aps_inverter", "signal_strength_ratio"),
    ),
    Metric(
        "aps_channel_info",
        "APsystems channel (a panel input) and the panel on it, by the panels file.",
        ("ecu", "inverter", "channel", "panel", "array", "row", "column"),
        _channel_info,
        "info",
    ),
    Metric(
        "aps_channel_rated_watts",
        "APsystems channel: rated power of the panel on it, by the panels file.",
        ("ecu", "inverter", "channel"),
        _channel_rated_watts,
    ),
    Metric(
        "aps_channel_power_watts",
        f"APsystems channel power, as the ECU reports it, {_CACHED}",
        ("ecu", "inverter", "channel"),
        _channel_power,
        influxdb=InfluxdbField("aps_channel", "power_watts"),
    ),
    Metric(
        "aps_channel_integrated_energy_joules_total",
        f"APsystems channel power, integrated by the exporter from round to round, {_CACHED}",
        ("ecu", "inverter", "channel"),
        _channel_energy,
        "counter",
        influxdb=InfluxdbField("aps_channel", "integrated_energy_kwh", JOULES_PER_KWH),
    ),
)
