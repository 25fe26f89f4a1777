"""The wire formats of the local protocol, each written once as a table.

Decoder and simulator read the same tables. Source: public reverse engineering and the captures
under `tests/captures`.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from aps_exporter.wire import CountedText, Filler, PackedDigits, Text, Unsigned

MAGIC: Final = "APS"
TRAILER: Final = b"END"
LINE_FEED: Final = b"\n"


@dataclass(frozen=True, slots=True)
class Header:
    """What every reply starts with.

    `length` counts every byte of the reply but the final line feed; `command` echoes the query's.
    """

    magic: Annotated[str, Text(3)]
    group: Annotated[str, Text(2)]
    length: Annotated[str, Text(4)]
    command: Annotated[str, Text(4)]


@dataclass(frozen=True, slots=True)
class InfoHead:
    """What every info reply starts with. Energies: lifetime 0.1 kWh, today 0.01 kWh; power 1 W."""

    ecu: Annotated[str, Text(12)]
    layout: Annotated[str, Text(2)]
    lifetime_energy: Annotated[int, Unsigned(4)]
    power: Annotated[int, Unsigned(4)]
    today_energy: Annotated[int, Unsigned(4)]


@dataclass(frozen=True, slots=True)
class InfoLayout01:
    """How an info reply of layout `01` goes on. Group `12` adds twelve bytes nobody knows."""

    last_ema_contact: Annotated[str, PackedDigits(7)]
    inverters: Annotated[int, Unsigned(2)]
    inverters_online: Annotated[int, Unsigned(2)]
    zigbee_channel: Annotated[str, Text(2)]
    firmware: Annotated[str, CountedText(3)]
    timezone: Annotated[str, CountedText(3)]
    ethernet_mac: Annotated[str, PackedDigits(6)]
    wifi_mac: Annotated[str, PackedDigits(6)]


@dataclass(frozen=True, slots=True)
class InfoLayout02:
    """How an info reply of layout `02` (an ECU with rapid shutdown) goes on."""

    inverters: Annotated[int, Unsigned(2)]
    inverters_online: Annotated[int, Unsigned(2)]
    unknown: Annotated[bytes, Filler(6)]
    firmware: Annotated[str, CountedText(3)]


@dataclass(frozen=True, slots=True)
class StatusHead:
    """What every reply but info starts with; `00` is good."""

    status: Annotated[str, Text(2)]


@dataclass(frozen=True, slots=True)
class RoundHead:
    """How an inverters reply goes on; `measured_at` is YYYYMMDDhhmmss, ECU local time."""

    layout: Annotated[str, Text(2)]
    row_count: Annotated[int, Unsigned(2)]
    measured_at: Annotated[str, PackedDigits(7)]


@dataclass(frozen=True, slots=True)
class RowHead:
    """What every inverter row starts with, whatever the model; a row of type `00` ends here."""

    serial: Annotated[str, PackedDigits(6)]
    online: Annotated[int, Unsigned(1)]
    type_code: Annotated[str, Text(2)]


@dataclass(frozen=True, slots=True)
class TwoChannelRow:
    """The rest of a row of type `01` or `04`. The AC voltage stands in it twice.

    Frequency 0.1 Hz, temperature degC + 100, powers 1 W, voltages 1 V, as in every layout.
    """

    frequency: Annotated[int, Unsigned(2)]
    temperature: Annotated[int, Unsigned(2)]
    power_1: Annotated[int, Unsigned(2)]
    voltage_1: Annotated[int, Unsigned(2)]
    power_2: Annotated[int, Unsigned(2)]
    voltage_1_again: Annotated[int, Unsigned(2)]

    @property
    def powers(self) -> tuple[int, ...]:
        return self.power_1, self.power_2

    @property
    def voltages(self) -> tuple[int, ...]:
        return (self.voltage_1,)


@dataclass(frozen=True, slots=True)
class ThreePhaseRow:
    """The rest of a row of type `02`: four powers, three voltages."""

    frequency: Annotated[int, Unsigned(2)]
    temperature: Annotated[int, Unsigned(2)]
    power_1: Annotated[int, Unsigned(2)]
    voltage_1: Annotated[int, Unsigned(2)]
    power_2: Annotated[int, Unsigned(2)]
    voltage_2: Annotated[int, Unsigned(2)]
    power_3: Annotated[int, Unsigned(2)]
    voltage_3: Annotated[int, Unsigned(2)]
    power_4: Annotated[int, Unsigned(2)]

    @property
    def powers(self) -> tuple[int, ...]:
        return self.power_1, self.power_2, self.power_3, self.power_4

    @property
    def voltages(self) -> tuple[int, ...]:
        return self.voltage_1, self.voltage_2, self.voltage_3


@dataclass(frozen=True, slots=True)
class FourChannelRow:
    """The rest of a row of type `03`: four powers, one voltage."""

    frequency: Annotated[int, Unsigned(2)]
    temperature: Annotated[int, Unsigned(2)]
    power_1: Annotated[int, Unsigned(2)]
    voltage_1: Annotated[int, Unsigned(2)]
    power_2: Annotated[int, Unsigned(2)]
    power_3: Annotated[int, Unsigned(2)]
    power_4: Annotated[int, Unsigned(2)]

    @property
    def powers(self) -> tuple[int, ...]:
        return self.power_1, self.power_2, self.power_3, self.power_4

    @property
    def voltages(self) -> tuple[int, ...]:
        return (self.voltage_1,)


MeasuredRow = TwoChannelRow | ThreePhaseRow | FourChannelRow

NO_LAYOUT: Final = "00"
"""Registered and never heard, replaced, or the ECU itself: a row of this type is only a head."""

ROW_LAYOUTS: Final[dict[str, tuple[type[MeasuredRow], ...]]] = {
    "01": (TwoChannelRow,),
    "02": (ThreePhaseRow,),
    "03": (FourChannelRow,),
    "04": (TwoChannelRow,),
    # Readers disagree: a DS3-H seen with 21 bytes a row, a QT2 with 27. The fit decides.
    "05": (TwoChannelRow, ThreePhaseRow),
}


@dataclass(frozen=True, slots=True)
class SignalRow:
    """Radio strength of one inverter, 0..255 in a unit nobody knows."""

    serial: Annotated[str, PackedDigits(6)]
    strength: Annotated[int, Unsigned(1)]


@dataclass(frozen=True, slots=True)
class PowerOfDayRow:
    """The ECU's power (1 W) at a local minute, hhmm."""

    minute: Annotated[str, PackedDigits(2)]
    power: Annotated[int, Unsigned(2)]


@dataclass(frozen=True, slots=True)
class EnergyHead:
    """How an energy-of-period reply goes on; `period` is as it was asked for."""

    period: Annotated[str, Text(2)]


@dataclass(frozen=True, slots=True)
class EnergyRow6:
    """Energy (0.01 kWh) of one day, YYYYMMDD, as older firmware sends it."""

    day: Annotated[str, PackedDigits(4)]
    energy: Annotated[int, Unsigned(2)]


@dataclass(frozen=True, slots=True)
class EnergyRow8:
    """Energy (0.01 kWh) of one day, YYYYMMDD, as newer firmware sends it."""

    day: Annotated[str, PackedDigits(4)]
    energy: Annotated[int, Unsigned(4)]
