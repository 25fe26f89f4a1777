"""What a benchmark finds, and how it is shown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One number; `aim` is the most it may be, None where there is no aim."""

    name: str
    value: float
    unit: str
    aim: float | None = None

    @property
    def cells(self) -> tuple[str, str, str]:
        if self.aim is None:
            return self.name, _text(self.value, self.unit), ""
        verdict = "" if self.value <= self.aim else "  MISSED"
        return (
            self.name,
            _text(self.value, self.unit),
            f"<= {self.aim:g} {self.unit}".rstrip() + verdict,
        )


def table(figures: Iterable[Figure]) -> Iterator[str]:
    """The lines of a table: name, figure, aim."""
    rows = [("", "figure", "aim"), *(figure.cells for figure in figures)]
    name_width, value_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, value, aim in rows:
        yield f"{name:{name_width}}  {value:>{value_width}}  {aim}".rstrip()


def _text(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - three digits in all
    return f"{value:,.{digits}f} {unit}".rstrip()
