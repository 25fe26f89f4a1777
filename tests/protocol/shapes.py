"""Readings in the shape that `decode` prints, made here and not by the product's own JSON form."""

from typing import Any, Final

from aps_exporter.ecu.decode import decode
from aps_exporter.errors import EcuStatusError, MalformedReplyError
from aps_exporter.readings import (
    EcuReading,
    EnergyOfPeriod,
    InverterReading,
    PowerOfDay,
    Reading,
    RoundReading,
    SignalReading,
)

JOULES_PER_KWH: Final = 3_600_000


def said(raw: bytes) -> dict[str, Any]:
    """What the product makes of the bytes, in the shape of `expected`."""
    try:
        return shape(decode(raw))
    except EcuStatusError as error:
        return {"kind": "status", "command": error.command, "status": error.status}
    except MalformedReplyError as error:
        return {"kind": "error", "error": error.reason}


def shape(reading: Reading) -> dict[str, Any]:
    match reading:
        case EcuReading():
            return {
                "kind": "info",
                "ecu": reading.ecu,
                "lifetime_energy_kwh": _kwh(reading.lifetime_energy_joules),
                "power_watts": reading.power_watts,
                "today_energy_kwh": _kwh(reading.today_energy_joules),
                "inverters": reading.inverters,
                "inverters_online": reading.inverters_online,
                "firmware": reading.firmware,
                "timezone": reading.timezone,
                "ethernet_mac": reading.ethernet_mac,
                "wifi_mac": reading.wifi_mac,
                "last_ema_contact": reading.last_ema_contact
                and reading.last_ema_contact.isoformat(),
            }
        case RoundReading():
            said: dict[str, Any] = {
                "kind": "inverters",
                "measured_at": reading.measured_at.isoformat(),
                "inverters": [row_shape(inverter) for inverter in reading.inverters],
            }
            unknown_rows = sum(reading.unknown_rows.values())
            return said | ({"unknown_rows": unknown_rows} if unknown_rows else {})
        case SignalReading():
            ratios = {serial: round(ratio, 4) for serial, ratio in reading.ratios.items()}
            return {"kind": "signal", "signal": ratios}
        case PowerOfDay():
            powers = {f"{minute:%H:%M}": power for minute, power in reading.power_watts.items()}
            return {"kind": "power_of_day", "power_watts": powers}
        case EnergyOfPeriod():
            energies = {day.isoformat(): _kwh(e) for day, e in reading.energy_joules.items()}
            return {
                "kind": "energy_of_period",
                "period": reading.period,
                "energy_kwh": energies,
            }


def row_shape(inverter: InverterReading) -> dict[str, Any]:
    return {
        "inverter": inverter.inverter,
        "type_code": inverter.type_code,
        "model": inverter.model,
        "online": inverter.online,
        "frequency_hertz": inverter.frequency_hertz,
        "temperature_celsius": inverter.temperature_celsius,
        "voltage_volts": _known([phase.voltage_volts for phase in inverter.phases]),
        "power_watts": _known([channel.power_watts for channel in inverter.channels]),
    }


def _known(values: list[float | None]) -> list[float | None] | None:
    """The values, or None where there are none, or none that anybody measured."""
    return None if all(value is None for value in values) else values


def _kwh(joules: int | None) -> float | None:
    return None if joules is None else joules / JOULES_PER_KWH
