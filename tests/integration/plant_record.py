"""What the plant of the scaled exporter did in every round, reckoned from the plant itself."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final

from aps_exporter.simulator.plant import ROUND, Plant, plant_inverters
from tests.integration.databases import Series
from tests.integration.scaled_exporter import INSTALLED_ON, INVERTERS, ZONE

ECU: Final = ("ecu", "216200000001")
PHASES: Final = {"02/5010": ("1", "2", "3"), "02/9010": ("1-2", "2-3", "3-1")}
"""By type code and beginning of the serial; all others have one."""

DAY_ENERGY: Final = "aps_ecu_day_energy_kwh"

_JOULES_PER_KWH: Final = 3_600_000


class _Energy:
    """Energy from the power of a channel, by the trapezoid."""

    def __init__(self) -> None:
        self._joules = 0.0
        self._before: tuple[datetime, int] | None = None

    @property
    def kwh(self) -> float:
        return self._joules / _JOULES_PER_KWH

    def add(self, round_: datetime, watts: int) -> None:
        if self._before is not None:
            since, watts_before = self._before
            if round_ - since <= 2 * ROUND:
                self._joules += (round_ - since).total_seconds() * (watts + watts_before) / 2
        self._before = round_, watts


def record(first: datetime, rounds: int) -> Series:
    """Every point of these rounds but the energy of the day, which nobody but the exporter says."""
    plant = Plant(plant_inverters(INVERTERS), INSTALLED_ON)
    series: Series = defaultdict(dict)
    energies: dict[tuple[str, int], _Energy] = defaultdict(_Energy)
    for round_ in (first + index * ROUND for index in range(rounds)):
        at, sun = int(round_.timestamp()), _sun_time(round_)

        def note(name: str, value: float, *tags: tuple[str, str], at: int = at) -> None:
            series[name, frozenset((ECU, *tags))][at] = value

        online = 0
        for inverter in plant.inverters:
            measured = plant.measure(inverter, sun)
            serial = "inverter", inverter.serial
            note("aps_inverter_online", float(measured.online), serial)
            for channel, watts in enumerate(measured.channel_watts, start=1):
                energy = energies[inverter.serial, channel]
                if measured.online:
                    energy.add(round_, watts)
                place = serial, ("channel", str(channel))
                note("aps_channel_integrated_energy_kwh", energy.kwh, *place)
            if not measured.online:
                continue
            online += 1
            note("aps_inverter_power_watts", sum(measured.channel_watts), serial)
            note("aps_inverter_temperature_celsius", measured.celsius, serial)
            note("aps_inverter_grid_frequency_hertz", measured.hertz, serial)
            note("aps_inverter_signal_strength_ratio", measured.signal / 255, serial)
            kind = f"{inverter.kind.type_code}/{inverter.kind.serial_prefix}"
            for phase, volts in zip(PHASES.get(kind, ("1",)), measured.volts, strict=True):
                note("aps_inverter_grid_voltage_volts", volts, serial, ("phase", phase))
            for channel, watts in enumerate(measured.channel_watts, start=1):
                place = serial, ("channel", str(channel))
                note("aps_channel_power_watts", watts, *place)
        note("aps_ecu_power_watts", plant.power_watts(sun))
        note("aps_ecu_inverters", len(plant.inverters))
        note("aps_ecu_inverters_online", online)
        note("aps_ecu_lifetime_energy_kwh", plant.lifetime_joules(sun) // 360_000 / 10)
        note("aps_ecu_today_energy_kwh", plant.today_joules(sun) // 36_000 / 100)
    return dict(series)


def midnight_after(moment: datetime) -> datetime:
    """The next local midnight of the plant."""
    day = moment.astimezone(ZONE).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def _sun_time(round_: datetime) -> datetime:
    return round_.astimezone(ZONE).replace(tzinfo=None)
