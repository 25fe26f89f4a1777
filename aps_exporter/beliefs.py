"""What is known of one ECU: each believed value, and since when it has been."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Generic, TypeVar

from aps_exporter.ecu.models import ecu_model
from aps_exporter.plausibility import (
    LIKELY_CHANNEL_WATTS,
    PHYSICAL_RANGES,
    LifetimeCounter,
    Quantity,
)
from aps_exporter.readings import (
    EcuReading,
    InverterReading,
    RejectionReason,
    RoundReading,
    SignalReading,
    Snapshot,
)
from aps_exporter.round_time import RoundTimes

MOST_UNKNOWN_TYPE_CODES: Final = 8
"""Counted by name per ECU: what a LAN peer sends must not make series without end."""

MOST_SERIALS_REMEMBERED: Final = 2_000
"""Inverters that were ever online; a reply holds at most 1,100, an honest ECU far fewer."""

OTHER_TYPE_CODES: Final = "other"
FUTURE_SECONDS: Final = 60

LEAST_PERIODS_BEFORE_STALE: Final = 3
"""A value is not withdrawn before so many rounds could have renewed it."""

_CHANNELS_OF_AN_UNREAD_INVERTER: Final = 4

Value = TypeVar("Value", int, float)


@dataclass(frozen=True, slots=True)
class Believed(Generic[Value]):
    """A value, and the moment on our monotonic clock at which it was last believed."""

    value: Value
    at: float


Place = tuple[Quantity, str]
"""Where in an inverter a value belongs: the quantity, and the phase or channel if it has one."""


@dataclass(slots=True)
class _Inverter:
    row: InverterReading
    heard_at: float
    believed: dict[Place, Believed[float]] = field(default_factory=dict)


class EcuBeliefs:
    """Takes in the readings of one ECU and tells, at any moment, what is still known.

    All `at` are seconds on one monotonic clock; all `now` are wall-clock time in UTC.
    """

    def __init__(self, target: str, ecu: str, times: RoundTimes, stale_after: float) -> None:
        self.ecu = ecu
        self._rejected: Counter[str] = Counter()
        self._target = target
        self._times = times
        self._stale_after = stale_after
        self._lifetime = LifetimeCounter()
        self._info: EcuReading | None = None
        self._info_at = 0.0
        self._today: Believed[int] | None = None
        self._registered: Believed[int] | None = None
        self._info_heard: datetime | None = None
        self._inverters: dict[str, _Inverter] = {}
        self._unknown_rows: Counter[str] = Counter()
        self._unknown_rows_of_round = 0
        self._last_seen: dict[str, datetime] = {}
        self._signal: Mapping[str, float] | None = None
        self._signal_at = 0.0
        self._measured_at: datetime | None = None
        self._round_at: float | None = None
        self._clock_offset_seconds: float | None = None

    def hear_info(
        self, reading: EcuReading, at: float, now: datetime, round_seconds: float
    ) -> None:
        """Take in an info reply."""
        self._info = reading
        self._info_at = at
        if reading.lifetime_energy_joules is not None:
            self._count(
                self._lifetime.hear(
                    reading.lifetime_energy_joules, at, self._most_watts(), round_seconds
                )
            )
        if reading.inverters == 0 and reading.inverters_online:  # seen on PRO 2.1.17 and ECU-C
            self._count("registered_zero")
            if reading.today_energy_joules == 0:
                self._count("today_zero")
        else:
            self._today = _believed(reading.today_energy_joules, at)
            self._registered = _believed(reading.inverters, at)
        self._info_heard = now

    def hear_round(self, reading: RoundReading, at: float, now: datetime, *, new: bool) -> None:
        """Take in an inverters reply; `new` says that its round was not seen before."""
        if new:
            self._take_time_of_round(reading, at, now)
            for type_code, rows in reading.unknown_rows.items():
                self._count_unknown_rows(type_code, rows)
        self._unknown_rows_of_round = sum(reading.unknown_rows.values())
        if not reading.inverters:
            if not reading.unknown_rows:
                self._count("empty_list")
            return
        self._inverters = {row.inverter: self._heard(row, at, new=new) for row in reading.inverters}

    def hear_signal(self, reading: SignalReading, at: float) -> None:
        """Take in a signal reply."""
        self._signal = reading.ratios
        self._signal_at = at

    def reckon_clock_offset(self, visible_by: datetime) -> None:
        """The newest round is reckoned to have become visible at this moment of our own clock."""
        if self._measured_at is not None:
            self._clock_offset_seconds = (self._measured_at - visible_by).total_seconds()

    def snapshot(self, at: float, round_seconds: float) -> Snapshot | None:
        """What is known at this moment; None before the first info reply."""
        if self._info is None:
            return None
        oldest = at - max(self._stale_after, LEAST_PERIODS_BEFORE_STALE * round_seconds)
        inverters = tuple(_known(inverter, oldest) for inverter in self._inverters.values())
        return Snapshot(
            target=self._target,
            ecu=self.ecu,
            ecu_model=ecu_model(self.ecu),
            info=self._known_info(self._info, oldest),
            reported_lifetime_energy_joules=(
                self._info.lifetime_energy_joules if self._info_at >= oldest else None
            ),
            lifetime_energy_joules=self._lifetime.joules,
            inverters=inverters,
            signal=self._known_signal(inverters, oldest),
            measured_at=self._measured_at,
            last_ema_contact=self._ema_contact(self._info),
            last_seen={
                serial: moment
                for serial in self._inverters
                if (moment := self._last_seen.get(serial)) is not None
            },
            data_age_seconds=None if self._round_at is None else int(at - self._round_at),
            round_period_seconds=round_seconds,
            clock_offset_seconds=self._clock_offset_seconds,
            rejected_values=dict(self._rejected),
            unknown_rows=dict(self._unknown_rows),
            unknown_rows_of_round=self._unknown_rows_of_round,
        )

    def _ema_contact(self, info: EcuReading) -> datetime | None:
        """In UTC: told anew each time, for only a round shows what the ECU's clock means."""
        if info.last_ema_contact is None or self._info_heard is None:
            return None
        return self._times.moment(info.last_ema_contact, info.timezone, self._info_heard)

    def _known_info(self, info: EcuReading, oldest: float) -> EcuReading:
        fresh = self._info_at >= oldest
        return replace(
            info,
            lifetime_energy_joules=self._lifetime.believed_joules if fresh else None,
            power_watts=info.power_watts if fresh else None,
            inverters_online=info.inverters_online if fresh else None,
            today_energy_joules=_fresh(self._today, oldest),
            inverters=_fresh(self._registered, oldest),
        )

    def _known_signal(
        self, inverters: tuple[InverterReading, ...], oldest: float
    ) -> Mapping[str, float] | None:
        if self._signal is None or self._signal_at < oldest:
            return None
        online = [inverter.inverter for inverter in inverters if inverter.online]
        return {serial: self._signal[serial] for serial in online if serial in self._signal}

    def _take_time_of_round(self, reading: RoundReading, at: float, now: datetime) -> None:
        zone = self._info.timezone if self._info is not None else None
        online = [row.inverter for row in reading.inverters if row.online]
        self._round_at = at
        self._measured_at = self._times.moment_of_round(
            reading.measured_at, zone, now, awake=bool(online)
        )
        if (self._measured_at - now).total_seconds() > FUTURE_SECONDS:
            self._count("future_report")
        self._last_seen.update(dict.fromkeys(online, self._measured_at))
        if len(self._last_seen) > MOST_SERIALS_REMEMBERED:
            self._last_seen = dict.fromkeys(online, self._measured_at)

    def _heard(self, row: InverterReading, at: float, *, new: bool) -> _Inverter:
        if not row.online:
            return _Inverter(row, at)
        before = self._inverters.get(row.inverter)
        believed = dict(before.believed) if before is not None else {}
        if new:
            for place, value in _measurements(row):
                quantity, _ = place
                if PHYSICAL_RANGES[quantity].holds(value):
                    believed[place] = Believed(value, at)
                else:
                    self._count(quantity)
        return _Inverter(row, at, believed)

    def _most_watts(self) -> float:
        """What all channels can make together; infinite while nothing is known of them."""
        channels = [len(i.row.channels) for i in self._inverters.values() if i.row.channels]
        registered = self._registered.value if self._registered is not None else 0
        unread = max(0, registered - len(channels))
        known = sum(channels) + unread * _CHANNELS_OF_AN_UNREAD_INVERTER
        return LIKELY_CHANNEL_WATTS * known if known else math.inf

    def _count(self, reason: RejectionReason | None) -> None:
        if reason is not None:
            self._rejected[reason] += 1

    def _count_unknown_rows(self, type_code: str, rows: int) -> None:
        known = type_code in self._unknown_rows
        if not known and len(self._unknown_rows) >= MOST_UNKNOWN_TYPE_CODES:
            type_code = OTHER_TYPE_CODES
        self._unknown_rows[type_code] += rows


def _measurements(row: InverterReading) -> Iterator[tuple[Place, float]]:
    if row.frequency_hertz is not None:
        yield ("frequency", ""), row.frequency_hertz
    if row.temperature_celsius is not None:
        yield ("temperature", ""), row.temperature_celsius
    for phase in row.phases:
        if phase.voltage_volts is not None:
            yield ("voltage", phase.phase), phase.voltage_volts
    for channel in row.channels:
        if channel.power_watts is not None:
            yield ("channel_power", str(channel.channel)), channel.power_watts


def _known(inverter: _Inverter, oldest: float) -> InverterReading:
    """The row with only those values that are believed and not too old."""
    row, believed = inverter.row, inverter.believed

    def known(quantity: Quantity, where: object = "") -> float | None:
        return _fresh(believed.get((quantity, str(where))), oldest)

    return replace(
        row,
        online=row.online if inverter.heard_at >= oldest else None,
        frequency_hertz=known("frequency"),
        temperature_celsius=known("temperature"),
        phases=tuple(
            replace(phase, voltage_volts=known("voltage", phase.phase)) for phase in row.phases
        ),
        channels=tuple(
            replace(channel, power_watts=known("channel_power", channel.channel))
            for channel in row.channels
        ),
    )


def _believed(value: int | None, at: float) -> Believed[int] | None:
    return None if value is None else Believed(value, at)


def _fresh(believed: Believed[Value] | None, oldest: float) -> Value | None:
    return believed.value if believed is not None and believed.at >= oldest else None
