"""The domain, frozen: what an ECU said, in the units of the field names.

None means the ECU did not say; zero means it said zero. Times without a zone are the ECU's own
local time, exactly as it stamped them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final, Literal, NewType

from aps_exporter.errors import FailureReason, SinkFailure
from aps_exporter.panels import Panels

JOULES_PER_KWH: Final = 3_600_000

LocalTime = NewType("LocalTime", datetime)
"""A time without a zone, as an ECU stamps its rounds."""

RejectionReason = Literal[
    "registered_zero",
    "today_zero",
    "lifetime_fell",
    "lifetime_leap",
    "frequency",
    "voltage",
    "temperature",
    "channel_power",
    "future_report",
    "empty_list",
]
"""Why a value is not believed."""

DropReason = Literal["spool_full", "disk_full", "rejected", "damaged"]
"""Why points never reach InfluxDB."""


@dataclass(frozen=True, slots=True)
class EcuReading:
    """What an info reply says of the whole ECU."""

    ecu: str
    lifetime_energy_joules: int | None
    power_watts: int | None
    today_energy_joules: int | None
    inverters: int | None
    inverters_online: int | None
    firmware: str | None = None
    timezone: str | None = None
    ethernet_mac: str | None = None
    wifi_mac: str | None = None
    last_ema_contact: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChannelReading:
    """One panel input of an inverter; channels count from 1."""

    channel: int
    power_watts: float | None


@dataclass(frozen=True, slots=True)
class PhaseReading:
    """The grid voltage at one phase: `1` to neutral, or `1-2` between two phases."""

    phase: str
    voltage_volts: float | None


@dataclass(frozen=True, slots=True)
class InverterReading:
    """One row of an inverters reply; what an offline inverter measures is None throughout."""

    inverter: str
    type_code: str
    model: str | None
    online: bool | None
    frequency_hertz: float | None = None
    temperature_celsius: float | None = None
    phases: tuple[PhaseReading, ...] = ()
    channels: tuple[ChannelReading, ...] = ()

    @property
    def power_watts(self) -> float | None:
        """The sum of the channels; None as soon as one of them is not known."""
        known = [c.power_watts for c in self.channels if c.power_watts is not None]
        return sum(known) if known and len(known) == len(self.channels) else None


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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known about one ECU at one moment: believed, and not too old.

    Facts (model, firmware, times, counters) stay; measured values that aged out are None.

    Attributes:
        info: the newest believed info reply.
        reported_lifetime_energy_joules: what the ECU literally said last, believed or not.
        lifetime_energy_joules: the counter that never falls.
        integrated_energy_joules: the ECU's power, integrated from round to round.
        day_energy_joules: since local midnight; None on a day not seen from its midnight.
        channel_energy_joules: power integrated, by inverter serial and channel.
        inverters: the newest round, with the values that are believed.
        panels: what the owner says of panels, those of other ECUs too.
        signal: by inverter serial, online inverters only; None when none is known.
        measured_at: when the newest round was stamped, in UTC.
        last_ema_contact: in UTC.
        last_seen: by inverter serial, the newest round in which it was online, in UTC.
        data_age_seconds: whole seconds since the time of the round last changed, by our own clock.
        clock_offset_seconds: the ECU's clock minus ours.
        rejected_values: how many, by reason.
        unknown_rows: how many so far, by type code.
        unknown_rows_of_round: how many in the newest round.
    """

    target: str
    ecu: str
    ecu_model: str
    info: EcuReading
    reported_lifetime_energy_joules: int | None
    lifetime_energy_joules: int | None
    integrated_energy_joules: float
    day_energy_joules: float | None
    inverters: tuple[InverterReading, ...]
    panels: Panels
    channel_energy_joules: Mapping[tuple[str, int], float]
    signal: Mapping[str, float] | None
    measured_at: datetime | None
    last_ema_contact: datetime | None
    last_seen: Mapping[str, datetime]
    data_age_seconds: int | None
    round_period_seconds: float
    clock_offset_seconds: float | None
    rejected_values: Mapping[str, int]
    unknown_rows: Mapping[str, int]
    unknown_rows_of_round: int


@dataclass(frozen=True, slots=True)
class QueryFailure:
    """The newest thing that went wrong with a target."""

    query: str
    reason: FailureReason
    detail: str


@dataclass(frozen=True, slots=True)
class EcuStatus:
    """How reading one target goes.

    Attributes:
        up: whether the last refresh, its retry included, got any valid reply.
        tried: whether a first refresh has got as far as an answer or a failure.
        query_success: by query, whether it answered in the last refresh.
        next_refresh: None when nothing will be asked any more.
        query_failures: how many, by query and reason.
        reply_oddities: how many, by query and kind.
    """

    target: str
    up: bool
    tried: bool
    query_success: Mapping[str, bool]
    refresh_duration_seconds: float | None
    last_success: datetime | None
    next_refresh: datetime | None
    consecutive_failures: int
    refreshes: int
    query_failures: Mapping[tuple[str, FailureReason], int]
    reply_oddities: Mapping[tuple[str, str], int]
    last_error: QueryFailure | None


@dataclass(frozen=True, slots=True)
class InfluxdbStatus:
    """How pushing to InfluxDB goes.

    Attributes:
        up: whether the last write was taken; None before the first.
        points_dropped: points lost for good, by reason.
        write_failures: by reason.
        spool_oldest: the time of the oldest round that is still to be sent.
    """

    up: bool | None
    points_written: int
    points_dropped: Mapping[DropReason, int]
    write_failures: Mapping[SinkFailure, int]
    spool_points: int
    spool_bytes: int
    spool_oldest: datetime | None


@dataclass(frozen=True, slots=True)
class ExporterStatus:
    """What the exporter says of itself; `internal_errors` counts by task."""

    version: str
    revision: str
    python_version: str
    internal_errors: Mapping[str, int]
