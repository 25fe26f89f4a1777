"""Grafana's classic dashboard JSON from frozen values: dashboards, panels, fields, targets.

Only what works unchanged from Grafana 10.4 on can be said with it.
"""

from grafana.builder.dashboard import Dashboard
from grafana.builder.fields import (
    BLANK,
    Fields,
    Json,
    Override,
    Threshold,
    ValueText,
    by_name,
    by_query,
    by_regexp,
    mappings,
)
from grafana.builder.panels import Panel, QueryPanel
from grafana.builder.series_panels import BarChart, HeatMap, StateTimeline, TimeSeries
from grafana.builder.table_panels import BarGauge, Stat, Table
from grafana.builder.targets import Influxql, Promql, Target
from grafana.builder.transformations import (
    TRANSFORMATIONS,
    Transformation,
    grouping_to_matrix,
    limit,
    merge,
    organize,
    reduce_to_rows,
    sort_by,
)
from grafana.builder.variables import (
    DatasourceVariable,
    QueryVariable,
    TextVariable,
    Variable,
)

__all__ = [
    "BLANK",
    "TRANSFORMATIONS",
    "BarChart",
    "BarGauge",
    "Dashboard",
    "DatasourceVariable",
    "Fields",
    "HeatMap",
    "Influxql",
    "Json",
    "Override",
    "Panel",
    "Promql",
    "QueryPanel",
    "QueryVariable",
    "Stat",
    "StateTimeline",
    "Table",
    "Target",
    "TextVariable",
    "Threshold",
    "TimeSeries",
    "Transformation",
    "ValueText",
    "Variable",
    "by_name",
    "by_query",
    "by_regexp",
    "grouping_to_matrix",
    "limit",
    "mappings",
    "merge",
    "organize",
    "reduce_to_rows",
    "sort_by",
]
