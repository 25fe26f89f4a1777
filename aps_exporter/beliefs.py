"""What is known of one ECU: each believed value, and since when it has been."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from aps_exporter.ecu.models import ecu_model
from aps_exporter.ecu_memory import EcuMemory
from aps_exporter.energy import EnergyAccount
from aps_exporter.inverter_beliefs import Believed, InverterBelief, believe, fresh
from aps_exporter.panels import NO_PANELS, Panels
from aps_exporter.plausibility import LIKELY_CHANNEL_WATTS, LifetimeCounter
from aps_exporter.readings import (
    EcuReading,
    InverterReading,
    RejectionReason,
    RoundReading,
    SignalReading,
    Snapshot,
)
from aps_exporter.round_time import RoundTimes
from aps_exporter.schedule import ScheduleMemory

MOST_UNKNOWN_TYPE_CODES: Final = 8
"""Counted by name per ECU: what a LAN peer sends must not make series without end."""

MOST_SERIALS_REMEMBERED: Final = 2_000
"""Inverters that were ever online; a reply holds at most 1,100, an honest ECU far fewer."""

OTHER_TYPE_CODES: Final = "other"
FUTURE_SECONDS: Final = 60

LEAST_PERIODS_BEFORE_STALE: Final = 3
"""A value is not withdrawn before so many rounds could have renewed it."""

_CHANNELS_OF_AN_UNREAD_INVERTER: Final = 4


class EcuBeliefs:
    """Takes in the readings of one ECU and tells, at any moment, what is still known.

    All `at` are seconds on one monotonic clock; all `now` are wall-clock time in UTC.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that beliefs stand on
        self,
        target: str,
        ecu: str,
        zone: ZoneInfo | None,
        stale_after: float,
        memory: EcuMemory | None = None,
        *,
        panels: Callable[[], Panels] = lambda: NO_PANELS,
    ) -> None:
        """`zone` is the configured one; `memory` is what was remembered of this ECU.

        `panels` gives what the owner says of panels at the moment.
        """
        memory = memory or EcuMemory()
        self.ecu = ecu
        self._rejected: Counter[str] = Counter()
        self._target = target
        self._stale_after = stale_after
        self._panels = panels
        self._times = RoundTimes(target, zone, memory.round_times)
        self._lifetime = LifetimeCounter(memory.lifetime)
        self._energy = EnergyAccount(memory.energy)
        self._info: EcuReading | None = None
        self._info_at = 0.0
        self._today: Believed[int] | None = None
        self._registered: Believed[int] | None = None
        self._info_heard: datetime | None = None
        self._inverters: dict[str, InverterBelief] = {}
        self._unknown_rows: Counter[str] = Counter()
        self._unknown_rows_of_round = 0
        self._last_seen = dict(memory.last_seen)
        self._signal: Mapping[str, float] | None = None
        self._signal_at = 0.0
        self._measured_at: datetime | None = None
        self._round_at: float | None = None
        self._clock_offset_seconds: float | None = None

    @property
    def lifetime_joules(self) -> int | None:
        """The lifetime counter that never falls."""
        return self._lifetime.joules

    def hear_info(
        self, reading: EcuReading, at: float, now: datetime, round_seconds: float
    ) -> None:
        """Take in an info reply."""
        self._info = reading
        self._info_at = at
        if reading.inverters == 0 and reading.inverters_online:  # seen on PRO 2.1.17 and ECU-C
            self._count("registered_zero")
            if reading.today_energy_joules == 0:
                self._count("today_zero")
        else:
            self._today = believe(reading.today_energy_joules, at)
            self._registered = believe(reading.inverters, at)
        if reading.lifetime_energy_joules is not None:
            self._count(
                self._lifetime.hear(
                    reading.lifetime_energy_joules, at, now, self._most_watts(), round_seconds
                )
            )
        self._info_heard = now
        self._note_energy(now, round_seconds)

    def hear_round(
        self, reading: RoundReading, at: float, now: datetime, round_seconds: float, *, new: bool
    ) -> None:
        """Take in an inverters reply; `new` says that its round was not seen before."""
        if new:
            self._measured_at = measured_at = self._time_of_round(reading, now)
            self._round_at = at
            for type_code, rows in reading.unknown_rows.items():
                self._count_unknown_rows(type_code, rows)
        self._unknown_rows_of_round = sum(reading.unknown_rows.values())
        if reading.inverters:
            self._hear_rows(reading.inverters, at, new=new)
        elif not reading.unknown_rows:
            self._count("empty_list")
        if new:
            self._integrate(measured_at, at, round_seconds)
            self._note_energy(now, round_seconds)

    def hear_signal(self, reading: SignalReading, at: float) -> None:
        """Take in a signal reply."""
        self._signal = reading.ratios
        self._signal_at = at

    def reckon_clock_offset(self, visible_by: datetime) -> None:
        """The newest round is reckoned to have become visible at this moment of our own clock."""
        if self._measured_at is not None:
            self._clock_offset_seconds = (self._measured_at - visible_by).total_seconds()

    def memory(self, schedule: ScheduleMemory | None) -> EcuMemory:
        """What is to be remembered of this ECU at this moment."""
        return EcuMemory(
            lifetime=self._lifetime.memory,
            energy=self._energy.memory,
            last_seen=dict(self._last_seen),
            round_times=self._times.memory,
            schedule=schedule,
        )

    def snapshot(
        self, at: float, now: datetime, round_seconds: float, *, heard_since: float | None = None
    ) -> Snapshot | None:
        """What is known at this moment; None before the first info reply.

        Values heard before `heard_since` are left out, or else those that are too old.
        """
        if self._info is None:
            return None
        oldest = heard_since
        if oldest is None:
            oldest = at - max(self._stale_after, LEAST_PERIODS_BEFORE_STALE * round_seconds)
        info = self._known_info(self._info, oldest)
        has_info = self._info_at >= oldest
        inverters = tuple(inverter.known(oldest) for inverter in self._inverters.values())
        return Snapshot(
            target=self._target,
            ecu=self.ecu,
            ecu_model=ecu_model(self.ecu),
            info=info,
            reported_lifetime_energy_joules=(
                self._info.lifetime_energy_joules if self._info_at >= oldest else None
            ),
            lifetime_energy_joules=(
                self.lifetime_joules if has_info or heard_since is None else None
            ),
            integrated_energy_joules=self._energy.integrated_joules,
            day_energy_joules=(
                self._energy.day_joules(self._day_told(now, heard_since)) if has_info else None
            ),
            inverters=inverters,
            panels=self._panels(),
            channel_energy_joules={
                (inverter.inverter, channel.channel): self._energy.channel_joules(
                    (inverter.inverter, channel.channel)
                )
                for inverter in inverters
                for channel in inverter.channels
            },
            signal=self._known_signal(info, inverters, oldest),
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

    def _day_told(self, now: datetime, heard_since: float | None) -> date:
        """The date today; for a round alone, that of the round."""
        zone = self._info.timezone if self._info is not None else None
        of_round = None if heard_since is None else self._measured_at
        return self._times.day(zone, of_round or now)

    def _ema_contact(self, info: EcuReading) -> datetime | None:
        """In UTC: told anew each time, for only a round shows what the ECU's clock means."""
        if info.last_ema_contact is None or self._info_heard is None:
            return None
        return self._times.moment(info.last_ema_contact, info.timezone, self._info_heard)

    def _known_info(self, info: EcuReading, oldest: float) -> EcuReading:
        is_fresh = self._info_at >= oldest
        return replace(
            info,
            lifetime_energy_joules=self._lifetime.believed_joules if is_fresh else None,
            power_watts=info.power_watts if is_fresh else None,
            inverters_online=info.inverters_online if is_fresh else None,
            today_energy_joules=fresh(self._today, oldest),
            inverters=fresh(self._registered, oldest),
        )

    def _known_signal(
        self, info: EcuReading, inverters: tuple[InverterReading, ...], oldest: float
    ) -> Mapping[str, float] | None:
        """Of whoever is online; it ages by itself, not with the rows.

        Where these are too old to tell, whoever was online in the last of them still has a signal,
        unless the ECU counts nobody online.
        """
        if self._signal is None or self._signal_at < oldest:
            return None
        online = [
            known.inverter
            for known in inverters
            if known.online
            or (
                known.online is None
                and self._inverters[known.inverter].row.online
                and info.inverters_online != 0
            )
        ]
        return {serial: self._signal[serial] for serial in online if serial in self._signal}

    def _time_of_round(self, reading: RoundReading, now: datetime) -> datetime:
        zone = self._info.timezone if self._info is not None else None
        online = [row.inverter for row in reading.inverters if row.online]
        moment = self._times.moment_of_round(reading.measured_at, zone, now, awake=bool(online))
        if (moment - now).total_seconds() > FUTURE_SECONDS:
            self._count("future_report")
        self._last_seen.update(dict.fromkeys(online, moment))
        if len(self._last_seen) > MOST_SERIALS_REMEMBERED:
            self._last_seen = dict.fromkeys(online, moment)
        return moment

    def _hear_rows(self, rows: Iterable[InverterReading], at: float, *, new: bool) -> None:
        before, self._inverters = self._inverters, {}
        for row in rows:
            inverter = before.get(row.inverter) or InverterBelief(row, at)
            inverter.hear(row, at)
            self._inverters[row.inverter] = inverter
            for quantity in inverter.measure(at) if new else ():
                self._count(quantity)

    def _integrate(self, measured_at: datetime, at: float, round_seconds: float) -> None:
        """Take the power of the round just heard into the account of energy."""
        info, is_of_this_round = self._info, at - self._info_at < round_seconds / 2
        watts = info.power_watts if info is not None and is_of_this_round else None
        if watts is not None and watts > self._most_watts():
            watts = None
        channel_watts = {
            (serial, channel): power
            for serial, inverter in self._inverters.items()
            for channel, power in inverter.channel_watts(measured_at=at)
        }
        self._energy.add_round(measured_at, watts, channel_watts, round_seconds)

    def _note_energy(self, now: datetime, round_seconds: float) -> None:
        if self._info is None:
            return
        self._energy.reach(
            self._times.day(self._info.timezone, now),
            now,
            lifetime_joules=self.lifetime_joules,
            watts=self._info.power_watts or 0,
            round_seconds=round_seconds,
        )

    def _most_watts(self) -> float:
        """What all channels can make together; infinite while nothing is known of them."""
        channels = [len(i.row.channels) for i in self._inverters.values() if i.row.channels]
        registered = self._registered.value if self._registered is not None else 0
        unread = max(0, registered - len(channels))
        known = sum(channels) + unread * _CHANNELS_OF_AN_UNREAD_INVERTER
        known = max(known, self._energy.channels_known)  # from before a restart
        return LIKELY_CHANNEL_WATTS * known if known else math.inf

    def _count(self, reason: RejectionReason | None) -> None:
        if reason is not None:
            self._rejected[reason] += 1

    def _count_unknown_rows(self, type_code: str, rows: int) -> None:
        known = type_code in self._unknown_rows
        if not known and len(self._unknown_rows) >= MOST_UNKNOWN_TYPE_CODES:
            type_code = OTHER_TYPE_CODES
        self._unknown_rows[type_code] += rows
