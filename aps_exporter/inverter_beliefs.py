"""What is known of one inverter: each believed measurement, and since when it has been."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from aps_exporter.plausibility import PHYSICAL_RANGES, Quantity
from aps_exporter.readings import InverterReading

Value = TypeVar("Value", int, float)

Place = tuple[Quantity, str]
"""Where in an inverter a value belongs: the quantity, and the phase or channel if it has one."""

_POWER: Final = "channel_power"


@dataclass(frozen=True, slots=True)
class Believed(Generic[Value]):
    """A value, and the moment on our monotonic clock at which it was last believed."""

    value: Value
    at: float


def believe(value: int | None, at: float) -> Believed[int] | None:
    """A value that is believed from now on; None for what was not said."""
    return None if value is None else Believed(value, at)


def fresh(believed: Believed[Value] | None, oldest: float) -> Value | None:
    """The value, unless it was last believed before `oldest`."""
    return believed.value if believed is not None and believed.at >= oldest else None


class InverterBelief:
    """The newest row of one inverter, and what it measured that is believed.

    An offline row measures nothing; a value that is not believed leaves the one before it.
    """

    def __init__(self, row: InverterReading, heard_at: float) -> None:
        self.row = row
        self._heard_at = heard_at
        self._believed: dict[Place, Believed[float]] = {}

    def hear(self, row: InverterReading, at: float) -> None:
        """Take in a newer row of this inverter, but not yet what it measured."""
        self.row = row
        self._heard_at = at
        if not row.online:
            self._believed.clear()

    def measure(self, at: float) -> list[Quantity]:
        """Take in what the row measured; what is not believed of it."""
        rejected: list[Quantity] = []
        for place, value in _measurements(self.row) if self.row.online else ():
            quantity, _ = place
            if PHYSICAL_RANGES[quantity].holds(value):
                self._believed[place] = Believed(value, at)
            else:
                rejected.append(quantity)
        return rejected

    def channel_watts(self, measured_at: float) -> Iterator[tuple[int, float]]:
        """The believed power of each channel in the round that was taken in at this moment."""
        for (quantity, channel), believed in self._believed.items():
            if quantity == _POWER and believed.at == measured_at:
                yield int(channel), believed.value

    def known(self, oldest: float) -> InverterReading:
        """The row with only those values that are believed and not too old."""

        def known(quantity: Quantity, where: object = "") -> float | None:
            return fresh(self._believed.get((quantity, str(where))), oldest)

        row = self.row
        return replace(
            row,
            online=row.online if self._heard_at >= oldest else None,
            frequency_hertz=known("frequency"),
            temperature_celsius=known("temperature"),
            phases=tuple(
                replace(phase, voltage_volts=known("voltage", phase.phase)) for phase in row.phases
            ),
            channels=tuple(
                replace(channel, power_watts=known(_POWER, channel.channel))
                for channel in row.channels
            ),
        )


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
            yield (_POWER, str(channel.channel)), channel.power_watts
