"""One table: type code and serial prefix -> model, channels and phases.

The type code of a row decides its layout; the serial prefix is only good for a label. An inverter
of a new batch therefore reads correctly before anybody adds a line here: it only shows the name of
its family.

Source: serial prefixes and type codes as collected from public reverse engineering, 2020-2026.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

SINGLE_PHASE: Final = ("1",)
PHASES_TO_NEUTRAL: Final = ("1", "2", "3")
PHASE_TO_PHASE: Final = ("1-2", "2-3", "3-1")


@dataclass(frozen=True, slots=True)
class InverterType:
    """What a type code and a serial prefix tell of an inverter. The longest prefix wins."""

    type_code: str
    serial_prefix: str
    model: str
    channels: int
    phases: tuple[str, ...]

    def phases_of(self, voltages: Sequence[int]) -> tuple[str, ...]:
        """What the voltages of a row lie between; a row that breaks the table is not cut."""
        if len(voltages) == len(self.phases):
            return self.phases
        if len(voltages) == len(SINGLE_PHASE):
            return SINGLE_PHASE
        return PHASE_TO_PHASE if self.type_code == "05" else PHASES_TO_NEUTRAL


def _family(
    type_codes: str, channels: int, phases: tuple[str, ...], models: dict[str, str]
) -> Iterable[InverterType]:
    for type_code in type_codes.split():
        for serial_prefix, model in models.items():
            yield InverterType(type_code, serial_prefix, model, channels, phases)


INVERTER_TYPES: Final = (
    *_family(
        "01",
        2,
        SINGLE_PHASE,
        {"": "YC600/DS3", "10": "YC500", "40": "YC600"},
    ),
    *_family(
        "01 04 05",
        2,
        SINGLE_PHASE,
        {"70": "DS3", "702": "DS3-S", "703": "DS3-L", "705": "DS3-H", "707": "DS3-M"},
    ),
    *_family("04 05", 2, SINGLE_PHASE, {"": "DS3"}),
    *_family("02", 4, PHASES_TO_NEUTRAL, {"": "YC1000/QT2", "50": "YC1000"}),
    *_family("02 05", 4, PHASE_TO_PHASE, {"90": "QT2"}),
    *_family(
        "03",
        4,
        SINGLE_PHASE,
        {
            "": "QS1",
            "80": "QS1",
            "804": "QS1A",
            "805": "QS1A",
            "806": "QS1A",
        },
    ),
)

_BY_CODE_AND_PREFIX: Final = {
    (known.type_code, known.serial_prefix): known for known in INVERTER_TYPES
}
_LONGEST_PREFIX: Final = max(len(known.serial_prefix) for known in INVERTER_TYPES)


def inverter_type(type_code: str, serial: str) -> InverterType | None:
    """The type of an inverter, or None for a type code without a known layout."""
    for length in range(_LONGEST_PREFIX, -1, -1):
        known = _BY_CODE_AND_PREFIX.get((type_code, serial[:length]))
        if known is not None:
            return known
    return None
