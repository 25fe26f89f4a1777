"""The panels as a table of coloured cells, as they lie on the roof or hang on their inverters."""

from grafana.builder import (
    BLANK,
    Fields,
    Table,
    Target,
    by_name,
    grouping_to_matrix,
    organize,
    sort_by,
)
from grafana.published import unit_of


def roof(
    title: str, description: str, target: Target, cell: tuple[str, str, str], row_title: str
) -> Table:
    """A cell for each panel; `cell` names the fields with its column, its row and its watts."""
    column, row, watts = cell
    corner = rf"{row}\{column}"
    return Table(
        id=9,
        title=title,
        description=description,
        width=12,
        height=12,
        colored_cells=True,
        column_pixels=58,
        targets=(target,),
        transformations=(
            sort_by(column),
            grouping_to_matrix(column, row, watts),
            sort_by(corner),
            organize((corner,), {corner: row_title}),
        ),
        fields=Fields(
            unit=unit_of("aps_channel_power_watts"),
            least=0,
            color="continuous-RdYlGr",
            texts=(BLANK,),
            overrides=(
                by_name(
                    row_title,
                    {"unit": "string", "custom.cellOptions": {"type": "auto"}, "custom.width": 120},
                ),
            ),
        ),
    )
