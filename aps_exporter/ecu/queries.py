"""The five queries that may be sent to an ECU. Nothing else can be built here.

Neighbouring command numbers erase all energy, switch every inverter off or crash the ECU's server.
So a query is one of five closed types, and what goes into it is an ECU id of twelve digits, a date
or one of three periods: no user text ever becomes a command.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final, Literal

Period = Literal["week", "month", "year"]

PERIOD_CODES: Final[dict[Period, str]] = {"week": "00", "month": "01", "year": "02"}

REFRESH_QUERIES: Final = ("info", "inverters", "signal")
"""The names of what a refresh asks, in this order."""

_ECU_ID: Final = re.compile(r"[0-9]{12}", re.ASCII)


def is_ecu_id(text: str) -> bool:
    """Whether this can be the id of an ECU: twelve digits."""
    return _ECU_ID.fullmatch(text) is not None


def _checked(ecu: str) -> str:
    if not is_ecu_id(ecu):
        raise ValueError(f"expected an ECU id of twelve digits, got {ecu!r}")
    return ecu


@dataclass(frozen=True, slots=True)
class InfoQuery:
    """What the ECU says of itself. Needs no id: it is how the id is learnt."""

    name: ClassVar = "info"
    command: ClassVar = "0001"

    @property
    def request(self) -> bytes:
        return b"APS1100160001END\n"


@dataclass(frozen=True, slots=True)
class InvertersQuery:
    """The last round: every inverter with its measurements."""

    ecu: str
    name: ClassVar = "inverters"
    command: ClassVar = "0002"

    @property
    def request(self) -> bytes:
        return f"APS1100280002{_checked(self.ecu)}END\n".encode()


@dataclass(frozen=True, slots=True)
class SignalQuery:
    """The radio signal of every inverter."""

    ecu: str
    name: ClassVar = "signal"
    command: ClassVar = "0030"

    @property
    def request(self) -> bytes:
        return f"APS1100280030{_checked(self.ecu)}END\n".encode()


@dataclass(frozen=True, slots=True)
class PowerOfDayQuery:
    """The ECU's power through one day, out of its own memory."""

    ecu: str
    day: date
    name: ClassVar = "power_of_day"
    command: ClassVar = "0003"

    @property
    def request(self) -> bytes:
        day = self.day.isoformat().replace("-", "")
        return f"APS1100390003{_checked(self.ecu)}END{day}END\n".encode()


@dataclass(frozen=True, slots=True)
class EnergyOfPeriodQuery:
    """Energy by day (by month for a year), out of the ECU's own memory.

    The length 0039 is six too many; it is what the ECU's own app sends and what ECUs answer to.
    """

    ecu: str
    period: Period
    name: ClassVar = "energy_of_period"
    command: ClassVar = "0004"

    @property
    def request(self) -> bytes:
        code = PERIOD_CODES[self.period]
        return f"APS1100390004{_checked(self.ecu)}END{code}END\n".encode()


Query = InfoQuery | InvertersQuery | SignalQuery | PowerOfDayQuery | EnergyOfPeriodQuery
