"""The rows of a simulated inverters reply, in the decoder's own layouts.

The faults `empty-list`, `unknown-row`, `never-heard` and `wild-values` change them here.
"""

from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Final

from aps_exporter.ecu.decode import TEMPERATURE_OFFSET
from aps_exporter.ecu.records import (
    NO_LAYOUT,
    ROW_LAYOUTS,
    FourChannelRow,
    MeasuredRow,
    RowHead,
    ThreePhaseRow,
    TwoChannelRow,
)
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import InverterMeasurement, PlantInverter
from aps_exporter.wire import to_bytes

NEVER_HEARD_SERIAL: Final = "802099999999"
UNKNOWN_SERIAL: Final = "999900000001"
UNKNOWN_TYPE_CODE: Final = "99"

WILD_HERTZ: Final = 65.0
WILD_VOLTS: Final = 5
WILD_WATTS: Final = 62_405

_UNKNOWN_MEASUREMENTS: Final = b"\xaa" * 22
"""A size that no known row has; no digits, lest another row could begin in the middle of it."""


def rows_listed(
    measured: Iterable[tuple[PlantInverter, InverterMeasurement]],
    ecu: str,
    faults: Container[Fault],
) -> list[bytes]:
    """What stands in the list of the ECU of this id."""
    if "empty-list" in faults:
        return []
    rows = [
        inverter_row(inverter, _wild(said) if _is_wild(inverter, faults) else said)
        for inverter, said in measured
    ]
    if "unknown-row" in faults:
        head = RowHead(UNKNOWN_SERIAL, 1, UNKNOWN_TYPE_CODE)
        rows.insert(len(rows) // 2, to_bytes(head) + _UNKNOWN_MEASUREMENTS)
    if "never-heard" in faults:
        rows.insert(0, to_bytes(RowHead(NEVER_HEARD_SERIAL, 0, NO_LAYOUT)))
        rows.append(to_bytes(RowHead(ecu, 0, NO_LAYOUT)))
    return rows


def others_registered(faults: Container[Fault]) -> int:
    """How many inverters the ECU counts beside those of its plant."""
    return others_online(faults) + ("never-heard" in faults)


def others_online(faults: Container[Fault]) -> int:
    """How many of them are online."""
    return int("unknown-row" in faults)


def inverter_row(inverter: PlantInverter, measured: InverterMeasurement) -> bytes:
    """A row of an inverters reply, in the layout of the inverter's type code."""
    head = RowHead(inverter.serial, int(measured.online), inverter.kind.type_code)
    layout = ROW_LAYOUTS[inverter.kind.type_code][0]
    return to_bytes(head) + to_bytes(_measured_row(layout, measured))


def _is_wild(inverter: PlantInverter, faults: Container[Fault]) -> bool:
    return inverter.place == 0 and "wild-values" in faults


def _wild(measured: InverterMeasurement) -> InverterMeasurement:
    return replace(
        measured,
        hertz=WILD_HERTZ,
        volts=(WILD_VOLTS,) * len(measured.volts),
        channel_watts=(WILD_WATTS, *measured.channel_watts[1:]),
    )


def _measured_row(layout: type[MeasuredRow], measured: InverterMeasurement) -> MeasuredRow:
    asleep = not measured.online
    frequency = 0 if asleep else round(measured.hertz * 10)
    temperature = TEMPERATURE_OFFSET + (0 if asleep else measured.celsius)
    watts, volts = measured.channel_watts, measured.volts
    if layout is ThreePhaseRow:
        return ThreePhaseRow(
            frequency,
            temperature,
            *(watts[0], volts[0], watts[1], volts[1], watts[2], volts[2], watts[3]),
        )
    if layout is FourChannelRow:
        return FourChannelRow(frequency, temperature, watts[0], volts[0], *watts[1:])
    return TwoChannelRow(frequency, temperature, watts[0], volts[0], watts[1], volts[0])
