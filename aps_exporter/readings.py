"""The domain, frozen: what an ECU said, in the units of the field names.

None means the ECU did not say; zero means it said zero. Times without a zone are the ECU's own
local time, exactly as it stamped them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal


@dataclass(frozen=True, slots=True)
class EcuReading:
    """What an info reply says of the whole ECU."""

    ecu: str
    lifetime_energy_joules: int
    power_watts: int
    today_energy_joules: int | None
    inverters: int | None
    inverters_online: int
    firmware: str | None = None
    timezone: str | None = None
    ethernet_mac: str | None = None
    wifi_mac: str | None = None
    last_ema_contact: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChannelReading:
    """One panel input of an inverter; channels count from 1."""

    channel: int
    power_watts: int | None


@dataclass(frozen=True, slots=True)
class PhaseReading:
    """The grid voltage at one phase: `1` to neutral, or `1-2` between two phases."""

    phase: str
    voltage_volts: int | None


@dataclass(frozen=True, slots=True)
class InverterReading:
    """One row of an inverters reply; an offline inverter has no measurements."""

    inverter: str
    type_code: str
    model: str | None
    online: bool
    frequency_hertz: float | None = None
    temperature_celsius: int | None = None
    phases: tuple[PhaseReading, ...] = ()
    channels: tuple[ChannelReading, ...] = ()

    @property
    def power_watts(self) -> int | None:
        """The sum of the channels; None as soon as one of them is not known."""
        powers = [channel.power_watts for channel in self.channels]
        known = [power for power in powers if power is not None]
        return sum(known) if known and len(known) == len(powers) else None


@dataclass(frozen=True, slots=True)
class RoundReading:
    """What an inverters reply says: one round, the inverters of it, and the rows nobody can read.

    `unknown_rows` counts rows by type code.
    """

    measured_at: datetime
    inverters: tuple[InverterReading, ...]
    unknown_rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SignalReading:
    """Radio signal by inverter serial, as a ratio 0..1 of the strongest the ECU can say."""

    ratios: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PowerOfDay:
    """The ECU's power by local minute of the day that was asked for."""

    power_watts: Mapping[time, int]


@dataclass(frozen=True, slots=True)
class EnergyOfPeriod:
    """Energy by local day (by month, on its first day, when the period is a year)."""

    period: Literal["week", "month", "year"]
    energy_joules: Mapping[date, int]


Reading = EcuReading | RoundReading | SignalReading | PowerOfDay | EnergyOfPeriod
