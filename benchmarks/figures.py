"""What a benchmark finds, and how it is shown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and the most or the least it should be; None where there is no such aim."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def cells(self) -> tuple[str, str, str]:
        return self.name, _text(self.value, self.unit), ", ".join(self._aims())

    def _aims(self) -> Iterator[str]:
        if self.at_most is not None:
            yield self._aim("<=", self.at_most, holds=self.value <= self.at_most)
        if self.at_least is not None:
            yield self._aim(">=", self.at_least, holds=self.value >= self.at_least)

    def _aim(self, sign: str, bound: float, *, holds: bool) -> str:
        verdict = "" if holds else "  MISSED"
        return f"{sign} {bound:g} {self.unit}".rstrip() + verdict


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A number that could not be had here, and why."""

    name: str
    why: str

    @property
    def cells(self) -> tuple[str, str, str]:
        return self.name, "-", f"not measured: {self.why}"


Row = Figure | NotMeasured


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a table: name, figure, aim."""
    lines = [("", "figure", "aim"), *(row.cells for row in rows)]
    name_width, value_width = (max(len(line[column]) for line in lines) for column in (0, 1))
    for name, value, aim in lines:
        yield f"{name:{name_width}}  {value:>{value_width}}  {aim}".rstrip()


def _text(value: float, unit: str) -> str:
    if isinstance(value, int):
        return f"{value:,} {unit}".rstrip()
    digits = 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - three digits in all
    return f"{value:,.{digits}f} {unit}".rstrip()
