"""Panels that show how something went: lines, bars, states and heat over time."""

from dataclasses import dataclass
from typing import Final

from grafana.builder.fields import Json, without_nulls
from grafana.builder.panels import QueryPanel, legend, tooltip

LONGEST_GAP_JOINED_MILLISECONDS: Final = 15 * 60 * 1000
"""Three rounds of an ECU: a night, or an outage, stays a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSeries(QueryPanel):
    """Lines over time, or bars that start at their time; `stacked` adds them up.

    `legend_calculations` makes the legend a table, sorted by the column of the heading
    `legend_sorted_by`; `limit_lines` draws the thresholds as lines.
    The axis goes from `usual_least` to `usual_most` at least, and further where the numbers do.
    """

    bars: bool = False
    stacked: bool = False
    limit_lines: bool = False
    legend_calculations: tuple[str, ...] = ()
    legend_to_the_right: bool = False
    legend_sorted_by: str | None = None
    legend_descending: bool = False
    legend_shown: bool = True
    usual_least: float | None = None
    usual_most: float | None = None

    @property
    def kind(self) -> str:
        return "timeseries"

    def options(self) -> Json:
        return {
            "legend": legend(
                *self.legend_calculations,
                to_the_right=self.legend_to_the_right,
                shown=self.legend_shown,
                sorted_by=self.legend_sorted_by,
                descending=self.legend_descending,
            ),
            "tooltip": tooltip(every_series=True),
        }

    def custom(self) -> Json:
        drawn = {
            "drawStyle": "bars" if self.bars else "line",
            "barAlignment": 1 if self.bars else 0,
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": 70 if self.bars else 40 if self.stacked else 0,
            "gradientMode": "none",
            "showPoints": "never",
            "pointSize": 4,
            "spanNulls": LONGEST_GAP_JOINED_MILLISECONDS,
            "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if self.limit_lines else "off"},
        }
        axis = {"axisSoftMin": self.usual_least, "axisSoftMax": self.usual_most}
        return {**drawn, **without_nulls(axis)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart(QueryPanel):
    """Bars side by side, named by a text field or by their time."""

    @property
    def kind(self) -> str:
        return "barchart"

    def options(self) -> Json:
        return {
            "orientation": "vertical",
            "stacking": "none",
            "showValue": "auto",
            "barWidth": 0.9,
            "groupWidth": 0.7,
            "barRadius": 0,
            "fullHighlight": False,
            "xTickLabelRotation": 0,
            "xTickLabelSpacing": 100,
            "xTickLabelMaxLength": 12,
            "legend": legend(),
            "tooltip": tooltip(every_series=False),
        }

    def custom(self) -> Json:
        return {"fillOpacity": 80, "lineWidth": 1, "gradientMode": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTimeline(QueryPanel):
    """A strip for each series that changes its colour with the value; absent is blank."""

    @property
    def kind(self) -> str:
        return "state-timeline"

    def options(self) -> Json:
        return {
            "mergeValues": True,
            "showValue": "never",
            "alignValue": "left",
            "rowHeight": 0.9,
            "legend": legend(),
            "tooltip": tooltip(every_series=False),
        }

    def custom(self) -> Json:
        return {"fillOpacity": 75, "lineWidth": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap(QueryPanel):
    """A row for each series, a cell for each point; it ends at the time of the point.

    So a day's cell wants the midnight after that day, where a bar wants the one before.
    """

    @property
    def kind(self) -> str:
        return "heatmap"

    def options(self) -> Json:
        return {
            "calculate": False,
            "cellGap": 1,
            "cellValues": {"unit": self.fields.unit},
            "color": {
                "mode": "scheme",
                "scheme": "YlOrRd",
                "fill": "dark-orange",
                "scale": "linear",
                "exponent": 1,
                "steps": 64,
                "reverse": False,
                "min": 0,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": True},
            "yAxis": {"axisPlacement": "left", "reverse": True},
        }

    def custom(self) -> Json:
        return {"scaleDistribution": {"type": "linear"}}
