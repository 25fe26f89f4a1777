"""Panels that show how something stands: one figure, a bar for each, a table."""

from dataclasses import dataclass
from typing import Literal

from grafana.builder.fields import Json, without_nulls
from grafana.builder.panels import QueryPanel, newest_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat(QueryPanel):
    """Big figures. `shown` is "name" where the legend holds the words to read.

    `field` is shown in place of the numbers, such as "Time".
    """

    height: int = 4
    shown: Literal["value", "value_and_name", "name"] = "value"
    field: str = ""

    @property
    def kind(self) -> str:
        return "stat"

    def options(self) -> Json:
        return {
            "reduceOptions": newest_value(self.field),
            "textMode": self.shown,
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "wideLayout": True,
            "showPercentChange": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BarGauge(QueryPanel):
    """A horizontal bar for each series, in the order in which they come.

    Bars share the height, none higher than `most_pixels`; names and figures are as large as fits.
    With `every_row` one for each row of a table, such as that of `reduce_to_rows`.
    """

    most_pixels: int = 300
    every_row: bool = False

    @property
    def kind(self) -> str:
        return "bargauge"

    def options(self) -> Json:
        return {
            "reduceOptions": {**newest_value(), "values": self.every_row},
            "orientation": "horizontal",
            "displayMode": "basic",
            "namePlacement": "left",
            "valueMode": "color",
            "sizing": "auto",
            "showUnfilled": True,
            "minVizWidth": 8,
            "minVizHeight": 16,
            "maxVizHeight": self.most_pixels,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(QueryPanel):
    """Rows and columns; with `colored_cells` each number has its colour behind it.

    Columns share the width, each with at least `column_pixels` or 150; then the table scrolls.
    """

    colored_cells: bool = False
    column_pixels: int | None = None

    @property
    def kind(self) -> str:
        return "table"

    def options(self) -> Json:
        return {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}

    def custom(self) -> Json:
        cells: Json = {"type": "auto"}
        if self.colored_cells:
            cells = {"type": "color-background", "mode": "basic"}
        columns = {"align": "auto", "cellOptions": cells, "inspect": False}
        return without_nulls({**columns, "minWidth": self.column_pixels})
