"""What can be chosen on every dashboard: data source, ECUs, inverters."""

from typing import Final

from grafana.builder import DatasourceVariable, QueryVariable
from grafana.published import metric

ECU_CHOICES: Final = (
    DatasourceVariable(
        name="datasource",
        label="Prometheus",
        description="Which Prometheus has the exporter's numbers.",
        kind="prometheus",
    ),
    QueryVariable(
        name="ecu",
        label="ECU",
        description="Which gateways to show.",
        kind="prometheus",
        query=f"label_values({metric('aps_ecu_info').name}, ecu)",
    ),
)

PROMETHEUS_CHOICES: Final = (
    *ECU_CHOICES,
    QueryVariable(
        name="inverter",
        label="Inverter",
        description="Which inverters of these gateways to show.",
        kind="prometheus",
        query=f'label_values({metric("aps_inverter_info").name}{{ecu=~"$ecu"}}, inverter)',
    ),
)
