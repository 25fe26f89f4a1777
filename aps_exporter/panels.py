"""What the owner says of the panels: names and places, by the channel each is connected to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Channel = tuple[str, int]
"""Inverter serial, and channel of it."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The panel on one channel; None is what its owner did not say.

    Attributes:
        array: the part of the plant it belongs to; rows and columns are counted within it.
        rated_watts: what it makes in full sun, by its label.
        unused: nothing is connected; such a channel has no series.
    """

    name: str | None = None
    array: str | None = None
    row: int | None = None
    column: int | None = None
    rated_watts: float | None = None
    unused: bool = False


Panels = Mapping[Channel, Panel]

UNTOLD: Final = Panel()
"""The panel on a channel of which the owner said nothing."""

NO_PANELS: Final[Panels] = {}
