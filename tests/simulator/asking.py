"""Asks a simulated ECU without a socket, and lets its time pass as told."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from aps_exporter.clock import ScaledClock
from aps_exporter.ecu.decode import decode
from aps_exporter.ecu.queries import InfoQuery, InvertersQuery, SignalQuery
from aps_exporter.readings import EcuReading, RoundReading, SignalReading
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import plant_inverters
from aps_exporter.simulator.script import parse_script

NOON: Final = datetime(2026, 6, 1, 12, 3, tzinfo=UTC)


@dataclass
class Ticks:
    """Seconds that pass only when a test says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


class WatchedEcu(SimulatedEcu):
    """An ECU-R-PRO whose time stands still until `pass_time`."""

    def __init__(
        self,
        inverters: str = "ds3:2",
        *,
        faults: Iterable[Fault] = (),
        script: str = "",
        sun: time | None = time(11, 0),
        start: datetime = NOON,
    ) -> None:
        self.ticks = Ticks()
        clock = ScaledClock(1, start, ticks=self.ticks)
        super().__init__(
            plant_inverters(inverters),
            clock,
            model="ecu-r-pro",
            sun_at_start=sun,
            faults=FaultSchedule(clock, faults, parse_script(script)),
        )

    def pass_time(self, passed: timedelta) -> None:
        self.ticks.seconds += passed.total_seconds()

    def stamps(self, step: timedelta, steps: int) -> list[datetime]:
        """The time of the newest round, now and after each of so many steps but the last."""
        stamps = []
        for _ in range(steps):
            stamps.append(round_of(self).measured_at)
            self.pass_time(step)
        return stamps


def raw_info(ecu: SimulatedEcu) -> bytes:
    return ecu.reply_to(InfoQuery().request) or b""


def raw_round(ecu: SimulatedEcu) -> bytes:
    return ecu.reply_to(InvertersQuery(ecu.ecu).request) or b""


def info_of(ecu: SimulatedEcu) -> EcuReading:
    reading = decode(raw_info(ecu))
    assert isinstance(reading, EcuReading)
    return reading


def round_of(ecu: SimulatedEcu) -> RoundReading:
    reading = decode(raw_round(ecu))
    assert isinstance(reading, RoundReading)
    return reading


def signal_of(ecu: SimulatedEcu) -> SignalReading:
    reading = decode(ecu.reply_to(SignalQuery(ecu.ecu).request) or b"")
    assert isinstance(reading, SignalReading)
    return reading
