"""How readings look as JSON: what `decode` prints, and `/api/v1/snapshots` serves."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aps_exporter.errors import EcuStatusError, QueryError
from aps_exporter.readings import (
    JOULES_PER_KWH,
    EcuReading,
    EcuStatus,
    EnergyOfPeriod,
    InverterReading,
    PowerOfDay,
    Reading,
    RoundReading,
    SignalReading,
    Snapshot,
)

JsonObject = dict[str, Any]


def reading_as_json(reading: Reading) -> JsonObject:
    """One reply, as `decode` prints it. Times are the ECU's own, without a zone."""
    match reading:
        case EcuReading():
            return info_as_json(reading, reading.last_ema_contact)
        case RoundReading():
            unknown_rows = sum(reading.unknown_rows.values())
            return round_as_json(reading.measured_at, reading.inverters, unknown_rows)
        case SignalReading():
            return signal_as_json(reading.ratios)
        case PowerOfDay():
            return {
                "kind": "power_of_day",
                "power_watts": {
                    minute.isoformat("minutes"): power
                    for minute, power in reading.power_watts.items()
                },
            }
        case EnergyOfPeriod():
            return {
                "kind": "energy_of_period",
                "period": reading.period,
                "energy_kwh": {
                    day.isoformat(): kwh(energy) for day, energy in reading.energy_joules.items()
                },
            }


def error_as_json(error: QueryError) -> JsonObject:
    """A reply that gave no reading: a status, or why it could not be decoded."""
    if isinstance(error, EcuStatusError):
        return {
            "kind": "status",
            "command": error.command,
            "status": error.status,
            "meaning": error.meaning,
        }
    return {"kind": "error", "error": error.reason, "detail": error.detail}


def snapshot_as_json(status: EcuStatus, snapshot: Snapshot | None) -> JsonObject:
    """One entry of `/api/v1/snapshots`. Times are RFC 3339 in UTC."""
    error = status.last_error
    form: JsonObject = {
        "target": status.target,
        "ecu": None,
        "up": status.up,
        "data_age_seconds": None,
        "next_refresh": _utc(status.next_refresh),
        "last_error": error
        and {"query": error.query, "reason": error.reason, "detail": error.detail},
        "info": None,
        "inverters": None,
        "signal": None,
    }
    if snapshot is not None:
        form["ecu"] = snapshot.ecu
        form["info"] = info_as_json(snapshot.info, snapshot.last_ema_contact)
        form["signal"] = None if snapshot.signal is None else signal_as_json(snapshot.signal)
    if snapshot is not None and snapshot.measured_at is not None:
        form["data_age_seconds"] = snapshot.data_age_seconds
        form["inverters"] = round_as_json(
            snapshot.measured_at, snapshot.inverters, snapshot.unknown_rows_of_round
        )
    return form


def info_as_json(info: EcuReading, last_ema_contact: datetime | None) -> JsonObject:
    return {
        "kind": "info",
        "ecu": info.ecu,
        "lifetime_energy_kwh": kwh(info.lifetime_energy_joules),
        "power_watts": info.power_watts,
        "today_energy_kwh": kwh(info.today_energy_joules),
        "inverters": info.inverters,
        "inverters_online": info.inverters_online,
        "firmware": info.firmware,
        "timezone": info.timezone,
        "ethernet_mac": info.ethernet_mac,
        "wifi_mac": info.wifi_mac,
        "last_ema_contact": _utc(last_ema_contact),
    }


def round_as_json(
    measured_at: datetime, inverters: tuple[InverterReading, ...], unknown_rows: int
) -> JsonObject:
    form: JsonObject = {
        "kind": "inverters",
        "measured_at": _utc(measured_at),
        "inverters": [_inverter(inverter) for inverter in inverters],
    }
    if unknown_rows:
        form["unknown_rows"] = unknown_rows
    return form


def signal_as_json(ratios: Mapping[str, float]) -> JsonObject:
    return {
        "kind": "signal",
        "signal": {serial: round(ratio, 4) for serial, ratio in ratios.items()},
    }


def kwh(joules: int | None) -> float | None:
    """Kilowatt-hours, exact to the digit the ECU gave."""
    return None if joules is None else joules / JOULES_PER_KWH


def _inverter(inverter: InverterReading) -> JsonObject:
    return {
        "inverter": inverter.inverter,
        "type_code": inverter.type_code,
        "model": inverter.model,
        "online": inverter.online,
        "frequency_hertz": inverter.frequency_hertz,
        "temperature_celsius": inverter.temperature_celsius,
        "voltage_volts": _all_or_null([phase.voltage_volts for phase in inverter.phases]),
        "power_watts": _all_or_null([channel.power_watts for channel in inverter.channels]),
    }


def _all_or_null(values: list[float | None]) -> list[float | None] | None:
    """The values, or null when not one of them is known."""
    return values if any(value is not None for value in values) else None


def _utc(moment: datetime | None) -> str | None:
    """A UTC time with its Z; one without a zone, which is an ECU's own, stays without."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
