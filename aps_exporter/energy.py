"""Energy that the ECU does not give: power integrated from round to round, and the sum of a day.

Firmware exists whose energy fields stay 0, or freeze, while power flows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from aps_exporter.panels import Channel

MOST_PERIODS_BETWEEN_ROUNDS: Final = 2.1
"""A gap of more than two periods counts as nothing; rounds are not punctual to the second."""

LONGEST_NIGHT: Final = timedelta(hours=16)
"""How long nothing may be heard in the dark for a day to be known from its midnight all the same:
longer than the nights where most people live, shorter than a night with a day beside it."""

MOST_CHANNELS_REMEMBERED: Final = 8_000
"""An honest ECU has some hundred; and a reply holds at most 4,400."""


@dataclass(frozen=True, slots=True)
class EnergyIntegral:
    """Energy from power, by the trapezoid between two rounds; from `measured_at` it goes on."""

    joules: float = 0.0
    measured_at: datetime | None = None
    watts: float = 0.0

    def with_round(
        self, measured_at: datetime, watts: float, round_seconds: float
    ) -> "EnergyIntegral":
        """The same with one more round; a round that was integrated before adds nothing."""
        return EnergyIntegral(
            self.joules + self._joules_until(measured_at, watts, round_seconds), measured_at, watts
        )

    def _joules_until(self, measured_at: datetime, watts: float, round_seconds: float) -> float:
        if self.measured_at is None:
            return 0.0
        seconds = (measured_at - self.measured_at).total_seconds()
        if not 0 < seconds <= MOST_PERIODS_BETWEEN_ROUNDS * round_seconds:
            return 0.0
        return seconds * (self.watts + watts) / 2


@dataclass(frozen=True, slots=True)
class EnergyReached:
    """Where the energy counters of an ECU stand, and what it makes, at one moment.

    `lifetime_joules` is None while no lifetime energy is believed.
    """

    at: datetime
    lifetime_joules: int | None
    integrated_joules: float
    watts: float

    def in_the_dark_until(self, later: "EnergyReached") -> bool:
        """Whether nothing can have been made from here to there."""
        return (
            not self.watts
            and not later.watts
            and self.lifetime_joules == later.lifetime_joules
            and later.at - self.at <= LONGEST_NIGHT
        )


@dataclass(frozen=True, slots=True)
class EnergyDay:
    """The energy of one local day, from where the counters stood at its midnight.

    `is_whole` says whether that is known: not on the day on which the exporter first ran, nor after
    a gap at midnight in which something may have been made.
    """

    day: date
    is_whole: bool
    midnight: EnergyReached
    newest: EnergyReached

    @classmethod
    def first(cls, day: date, reached: EnergyReached) -> "EnergyDay":
        """A day in the middle of which the counters are seen for the first time."""
        return cls(day, is_whole=False, midnight=reached, newest=reached)

    def with_reply(self, day: date, reached: EnergyReached, round_seconds: float) -> "EnergyDay":
        """The day after one more reply, which may be the first of the next one.

        An earlier day tells that a clock was wrong, now or before: then nothing is known of either.
        """
        if day == self.day:
            return replace(self, newest=reached)
        if day < self.day:
            return EnergyDay.first(day, reached)
        silent = (reached.at - self.newest.at).total_seconds()
        is_whole = silent <= (
            MOST_PERIODS_BETWEEN_ROUNDS * round_seconds
        ) or self.newest.in_the_dark_until(reached)
        return EnergyDay(day, is_whole=is_whole, midnight=self.newest, newest=reached)

    def joules(self, today: date) -> float | None:
        """What was made since midnight; None if that is not known.

        The larger of the lifetime counter's rise and the integrated energy: either may stand still.
        """
        if today > self.day:
            return 0.0  # midnight has passed, and nothing was heard since
        if today < self.day or not self.is_whole:
            return None
        risen = self.newest.integrated_joules - self.midnight.integrated_joules
        if self.newest.lifetime_joules is None or self.midnight.lifetime_joules is None:
            return risen
        return max(risen, self.newest.lifetime_joules - self.midnight.lifetime_joules)


@dataclass(frozen=True, slots=True)
class EnergyMemory:
    """What an account must not forget; channels are written `inverter/channel`."""

    integrated: EnergyIntegral = field(default_factory=EnergyIntegral)
    channels: Mapping[str, EnergyIntegral] = field(default_factory=dict)
    day: EnergyDay | None = None


class EnergyAccount:
    """The energy of one ECU and of each of its channels, as far as the exporter reckons it."""

    def __init__(self, memory: EnergyMemory | None = None) -> None:
        memory = memory or EnergyMemory()
        self._integrated = memory.integrated
        self._channels = dict(memory.channels)
        self._day = memory.day

    @property
    def memory(self) -> EnergyMemory:
        """What is to be remembered at this moment."""
        return EnergyMemory(self._integrated, dict(self._channels), self._day)

    @property
    def integrated_joules(self) -> float:
        """The ECU's power, integrated."""
        return self._integrated.joules

    @property
    def channels_known(self) -> int:
        """How many channels were ever seen at work."""
        return len(self._channels)

    def channel_joules(self, channel: Channel) -> float:
        """A channel's power, integrated."""
        integral = self._channels.get(_written(channel))
        return 0.0 if integral is None else integral.joules

    def day_joules(self, today: date) -> float | None:
        """What was made since local midnight; None if that is not known."""
        return None if self._day is None else self._day.joules(today)

    def add_round(
        self,
        measured_at: datetime,
        watts: float | None,
        channel_watts: Mapping[Channel, float],
        round_seconds: float,
    ) -> None:
        """Integrate over one more round; what has no believed power in it gets a gap."""
        if watts is not None:
            self._integrated = self._integrated.with_round(measured_at, watts, round_seconds)
        known = {_written(channel): power for channel, power in channel_watts.items()}
        if len(self._channels.keys() | known.keys()) > MOST_CHANNELS_REMEMBERED:
            self._channels = {c: i for c, i in self._channels.items() if c in known}
        for channel, power in known.items():
            integral = self._channels.get(channel, EnergyIntegral())
            self._channels[channel] = integral.with_round(measured_at, power, round_seconds)

    def reach(
        self,
        today: date,
        at: datetime,
        *,
        lifetime_joules: int | None,
        watts: float,
        round_seconds: float,
    ) -> None:
        """Note where the counters stand now; `today` is the ECU's own date."""
        reached = EnergyReached(at, lifetime_joules, self.integrated_joules, watts)
        if self._day is None:
            self._day = EnergyDay.first(today, reached)
        else:
            self._day = self._day.with_reply(today, reached, round_seconds)


def _written(channel: Channel) -> str:
    inverter, number = channel
    return f"{inverter}/{number}"
