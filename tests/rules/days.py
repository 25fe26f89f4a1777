"""Days of a small plant as Prometheus sees them, in half hours of winter: light from 9 to 16 h."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

HALF_HOURS: Final = 48
FIRST_LIGHT, LAST_LIGHT = 18, 32
"""The half hours of a day in which there is light: from the one, before the other."""

WATTS: Final = (20, 60, 120, 180, 230, 260, 280, 280, 260, 230, 180, 120, 60, 20)
"""What a plain panel makes on a bright day, by half hour of light."""

DULL: Final = 0.25
"""The share of it on a dull day, on which all panels make the same."""

EXPORTER: Final = 'job="aps", instance="pi:10899"'
ECU: Final = "216000000001"

Series = dict[str, list[float | None]]


@dataclass(frozen=True, slots=True)
class HalfHour:
    """One moment of these days: which day, the half hour of it, and how bright that day is."""

    day: int
    slot: int
    bright: bool

    @property
    def hours(self) -> float:
        """Since the start."""
        return self.day * 24 + self.slot / 2

    @property
    def watts(self) -> float:
        """What a plain panel makes."""
        if not FIRST_LIGHT <= self.slot < LAST_LIGHT:
            return 0
        return WATTS[self.slot - FIRST_LIGHT] * (1 if self.bright else DULL)


def half_hours(weather: str) -> list[HalfHour]:
    """The moments of days that are bright (`b`) or dull (`d`)."""
    return [
        HalfHour(day, slot, kind == "b")
        for day, kind in enumerate(weather)
        for slot in range(HALF_HOURS)
    ]


def by(
    moments: Iterable[HalfHour], value: Callable[[HalfHour], float | None]
) -> list[float | None]:
    return [value(moment) for moment in moments]


def ages(has_round: Iterable[bool]) -> list[float | None]:
    """Data ages in seconds: 0 with each new round, growing without."""
    age, found = 0.0, list[float | None]()
    for new in has_round:
        age = 0.0 if new else age + 1800
        found.append(age)
    return found


def target_series(up: list[float | None], ecu: str = ECU) -> Series:
    """The exporter, and one target at which this ECU is."""
    return {
        f"up{{{EXPORTER}}}": [1] * len(up),
        f'aps_up{{{EXPORTER}, target="roof"}}': up,
        f'aps_ecu_info{{{EXPORTER}, ecu="{ecu}", target="roof"}}': [1] * len(up),
    }


def ecu_series(
    watts: list[float | None], age: list[float | None], ecu: str = ECU, lifetime: float = 3.6e9
) -> Series:
    """An ECU whose clock is well and whose counters rise; None in `age` where there is no ECU."""
    joules, counter = lifetime, list[float | None]()
    for power, known in zip(watts, age, strict=True):
        joules += (power or 0) * 1800
        counter.append(None if known is None else joules)
    of = f'{EXPORTER}, ecu="{ecu}"'
    there = [None if known is None else 0 for known in age]
    return {
        f"aps_ecu_power_watts{{{of}}}": watts,
        f"aps_ecu_data_age_seconds{{{of}}}": age,
        f"aps_ecu_lifetime_energy_joules_total{{{of}}}": counter,
        f"aps_ecu_integrated_energy_joules_total{{{of}}}": [
            None if total is None else total - lifetime for total in counter
        ],
        f"aps_ecu_clock_offset_seconds{{{of}}}": [None if t is None else -200 for t in there],
        f'aps_ecu_rejected_values_total{{{of}, reason="voltage"}}': list(there),
    }


def inverter_series(
    inverter: str,
    online: list[float | None],
    channels: Mapping[int, list[float | None]],
    ecu: str = ECU,
) -> Series:
    """An inverter that measures good values while it is online, and the power of its channels."""
    of = f'{EXPORTER}, ecu="{ecu}", inverter="{inverter}"'

    def while_online(value: float) -> list[float | None]:
        return [value if on else None for on in online]

    series = {
        f"aps_inverter_online{{{of}}}": online,
        f"aps_inverter_temperature_celsius{{{of}}}": while_online(40),
        f"aps_inverter_grid_frequency_hertz{{{of}}}": while_online(50),
        f'aps_inverter_grid_voltage_volts{{{of}, phase="1"}}': while_online(235),
    }
    for channel, watts in channels.items():
        power = [w if on else None for w, on in zip(watts, online, strict=True)]
        series[f'aps_channel_power_watts{{{of}, channel="{channel}"}}'] = power
    return series
