"""A solar plant as a pure function of time: the same moment always gives the same numbers.

Times are sun time: local, without a zone, noon when the sun is highest. Powers are whole watts and
hold for one round, so energies are exact sums of them.
"""

import math
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Final

ROUND_SECONDS: Final = 300
ROUND: Final = timedelta(seconds=ROUND_SECONDS)
ROUNDS_A_DAY: Final = 86_400 // ROUND_SECONDS

DEFAULT_INVERTERS: Final = "qs1:3,ds3:2,yc600:2,yc1000:1,qt2:1"
MOST_INVERTERS: Final = 300
"""What a reply of 10,000 bytes surely holds at 27 bytes a row and more."""

_LATITUDE: Final = math.radians(51)
_TILT_OF_EARTH: Final = math.radians(23.44)
_CHANNEL_RATED_WATTS: Final = 400
_CLOUD_MINUTES: Final = 30
_LEAST_LIGHT: Final = 0.012
"""The share of full sun at which the first inverter wakes; each next one needs a little more."""
_MORE_LIGHT_EACH: Final = 0.0015


@dataclass(frozen=True, slots=True)
class InverterKind:
    """An inverter type that can be asked for by name."""

    type_code: str
    serial_prefix: str
    channels: int
    volts: tuple[int, ...]


INVERTER_KINDS: Final[Mapping[str, InverterKind]] = {
    "qs1": InverterKind("03", "8020", 4, (231,)),
    "qs1a": InverterKind("03", "8060", 4, (231,)),
    "ds3": InverterKind("01", "7040", 2, (231,)),
    "ds3-h": InverterKind("04", "7050", 2, (231,)),
    "yc600": InverterKind("01", "4080", 2, (230,)),
    "yc1000": InverterKind("02", "5010", 4, (229, 230, 231)),
    "qt2": InverterKind("02", "9010", 4, (398, 400, 399)),
}


@dataclass(frozen=True, slots=True)
class PlantInverter:
    """One inverter of the plant; `place` counts from 0 in the order of installation."""

    serial: str
    kind: InverterKind
    place: int


@dataclass(frozen=True, slots=True)
class InverterMeasurement:
    """What one inverter measures in one round; an inverter asleep measures nothing."""

    online: bool
    channel_watts: tuple[int, ...]
    volts: tuple[int, ...]
    hertz: float
    celsius: int
    signal: int


def plant_inverters(wanted: str) -> tuple[PlantInverter, ...]:
    """The inverters that a text such as `qs1:3,ds3:2` asks for.

    Raises:
        ValueError: says what was expected.
    """
    kinds: list[InverterKind] = []
    for part in wanted.split(","):
        name, _, count = part.strip().partition(":")
        if name.lower() not in INVERTER_KINDS or not re.fullmatch(r"[0-9]{0,4}", count):
            expected = ", ".join(INVERTER_KINDS)
            raise ValueError(f"expected TYPE:COUNT with a type of {expected}; got {part!r}")
        kinds += [INVERTER_KINDS[name.lower()]] * int(count or "1")
    if not 0 < len(kinds) <= MOST_INVERTERS:
        raise ValueError(f"expected 1 to {MOST_INVERTERS} inverters, got {len(kinds)}")
    return tuple(
        PlantInverter(f"{kind.serial_prefix}{place + 1:08}", kind, place)
        for place, kind in enumerate(kinds)
    )


class Plant:
    """A plant whose energy counters start on the day it was installed."""

    def __init__(
        self,
        inverters: Iterable[PlantInverter],
        installed_on: date,
        lifetime_joules_before: int = 4_321 * 3_600_000,
    ) -> None:
        self.inverters = tuple(inverters)
        self._installed_on = installed_on
        self._lifetime_joules_before = lifetime_joules_before
        self._day = lru_cache(maxsize=400)(self._energy_by_round)
        self._panels = tuple((_light_to_wake(i), _qualities(i)) for i in self.inverters)

    def measure(self, inverter: PlantInverter, at: datetime) -> InverterMeasurement:
        """What this inverter measures in the round at this sun time."""
        light = _light(at)
        noise = random.Random(f"{inverter.serial} {at:%Y%m%d%H%M}")  # noqa: S311 - a plant, no secret
        online = light >= _light_to_wake(inverter)
        watts = _channel_watts(inverter, light) if online else (0,) * inverter.kind.channels
        return InverterMeasurement(
            online=online,
            channel_watts=watts,
            volts=tuple(volts + noise.randint(-2, 3) for volts in inverter.kind.volts),
            hertz=50 + noise.randint(-1, 1) / 10,
            celsius=round(
                6 + 10 * _warmth_of_season(at) + (30 + 8 * _share(inverter.serial, 0)) * light
            ),
            signal=150 + round(90 * _share(inverter.serial, -1)),
        )

    def power_watts(self, at: datetime) -> int:
        """What all inverters make in the round at this sun time."""
        light = _light(at)
        if light < _LEAST_LIGHT:
            return 0
        rated = _CHANNEL_RATED_WATTS * light
        return sum(
            int(rated * quality)
            for light_to_wake, qualities in self._panels
            if light >= light_to_wake
            for quality in qualities
        )

    def today_joules(self, at: datetime) -> int:
        """What has been made since sun-time midnight, the round at this time included."""
        return self._day(at.date())[_round_of_day(at)]

    def joules_between(self, since: datetime, until: datetime) -> int:
        """What the rounds from one sun time on make, until before the other."""
        days = (until.date() - since.date()).days
        whole_days = (since.date() + timedelta(days=day) for day in range(days))
        return (
            sum(self._day(day)[-1] for day in whole_days)
            + self._joules_before(until)
            - self._joules_before(since)
        )

    def lifetime_joules(self, at: datetime) -> int:
        """What has been made since the counters began, the round at this time included."""
        days = (at.date() - self._installed_on).days
        whole_days = (self._installed_on + timedelta(days=day) for day in range(days))
        return (
            self._lifetime_joules_before
            + sum(self._day(day)[-1] for day in whole_days)
            + self.today_joules(at)
        )

    def _joules_before(self, at: datetime) -> int:
        """What has been made since sun-time midnight, the round at this time left out."""
        round_of_day = _round_of_day(at)
        return self._day(at.date())[round_of_day - 1] if round_of_day else 0

    def _energy_by_round(self, day: date) -> tuple[int, ...]:
        """The energy made since midnight, by round of the day."""
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - sun time has no zone
        watts = (self.power_watts(midnight + ROUND * index) for index in range(ROUNDS_A_DAY))
        return tuple(accumulate(power * ROUND_SECONDS for power in watts))


def _round_of_day(at: datetime) -> int:
    return (at.hour * 3_600 + at.minute * 60 + at.second) // ROUND_SECONDS


def _light_to_wake(inverter: PlantInverter) -> float:
    return _LEAST_LIGHT + _MORE_LIGHT_EACH * inverter.place


def _channel_watts(inverter: PlantInverter, light: float) -> tuple[int, ...]:
    return tuple(int(_CHANNEL_RATED_WATTS * light * quality) for quality in _qualities(inverter))


@lru_cache(maxsize=MOST_INVERTERS)
def _qualities(inverter: PlantInverter) -> tuple[float, ...]:
    """Each panel is a little better or worse than the next, and always in the same way."""
    return tuple(
        0.92 + 0.08 * _share(inverter.serial, channel) for channel in range(inverter.kind.channels)
    )


@lru_cache(maxsize=4_096)
def _share(serial: str, channel: int) -> float:
    return random.Random(f"{serial}/{channel}").random()  # noqa: S311 - a plant, no secret


@lru_cache(maxsize=366)
def _path_of_sun(day_of_year: int) -> tuple[float, float]:
    """The height of the sun halfway between midnight and noon, and how far noon is above that."""
    declination = -_TILT_OF_EARTH * math.cos(2 * math.pi * (day_of_year + 10) / 365)
    return (
        math.sin(_LATITUDE) * math.sin(declination),
        math.cos(_LATITUDE) * math.cos(declination),
    )


@lru_cache(maxsize=4_096)
def _light(at: datetime) -> float:
    """The share of full sun on the panels, from 0 to 1: height of the sun, and clouds."""
    halfway, to_noon = _path_of_sun(at.timetuple().tm_yday)
    hour_angle = math.radians(15 * (at.hour + at.minute / 60 + at.second / 3_600 - 12))
    height = halfway + to_noon * math.cos(hour_angle)
    if height <= 0:
        return 0.0
    above_horizon: float = height**1.15
    return above_horizon * _clear_sky(at)


def _clear_sky(at: datetime) -> float:
    """The share that clouds let through, drifting from one half-hour to the next."""
    minutes = at.hour * 60 + at.minute
    slot, into = divmod(minutes, _CLOUD_MINUTES)
    here, there = (_cloudless(at.toordinal(), slot + step) for step in (0, 1))
    return here + (there - here) * into / _CLOUD_MINUTES


@lru_cache(maxsize=4_096)
def _cloudless(day: int, slot: int) -> float:
    return random.Random(f"{day} {slot}").uniform(0.72, 1.0)  # noqa: S311 - a plant, no secret


def _warmth_of_season(at: datetime) -> float:
    """-1 in January, 1 in July."""
    return -math.cos(2 * math.pi * (at.timetuple().tm_yday - 15) / 365)
