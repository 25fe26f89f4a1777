"""The one list of published numbers: name, help, kind, labels, and how to read it.

The collector, InfluxDB's points and the README's metric table are made from it. A new number is one
entry, in the module of what it is read from.
"""

from aps_exporter.metrics.ecu import ECU_METRICS
from aps_exporter.metrics.exporter import EXPORTER_METRICS
from aps_exporter.metrics.influxdb import INFLUXDB_METRICS
from aps_exporter.metrics.metric import InfluxdbField, Metric, Sample, Source
from aps_exporter.metrics.target import TARGET_METRICS

__all__ = [
    "ECU_METRICS",
    "EXPORTER_METRICS",
    "INFLUXDB_METRICS",
    "TARGET_METRICS",
    "InfluxdbField",
    "Metric",
    "Sample",
    "Source",
]
