"""What a simulated ECU says of its energies, in the units of its info reply.

The faults `lifetime-zero`, `lifetime-lower`, `lifetime-leap`, `zero-glitch` and `energy-frozen`
lie here; for the last one the ECU hands over the lifetime energy of when the fault began.
"""

from collections.abc import Container
from typing import Final

from aps_exporter.ecu.decode import JOULES_PER_HUNDREDTH_KWH, JOULES_PER_TENTH_KWH
from aps_exporter.simulator.faults import Fault

LOWER_BY_TENTHS_OF_KWH: Final = 50
LEAP_TENTHS_OF_KWH: Final = 10_000_000
_LARGEST: Final = 2**32 - 1
"""What the four bytes of the field hold."""


def lifetime_said(joules: int, faults: Container[Fault]) -> int:
    """The lifetime energy in 0.1 kWh, cut off as ECUs do."""
    if "lifetime-zero" in faults:
        return 0
    tenths = joules // JOULES_PER_TENTH_KWH
    if "lifetime-leap" in faults:
        tenths += LEAP_TENTHS_OF_KWH
    if "lifetime-lower" in faults:
        tenths -= LOWER_BY_TENTHS_OF_KWH
    return min(max(tenths, 0), _LARGEST)


def today_said(joules: int, faults: Container[Fault]) -> int:
    """The energy of today in 0.01 kWh, cut off as ECUs do."""
    if "zero-glitch" in faults or "energy-frozen" in faults:
        return 0
    return joules // JOULES_PER_HUNDREDTH_KWH
