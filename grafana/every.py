"""Every dashboard, and the files they are written to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from grafana.builder import Dashboard
from grafana.energy import ENERGY
from grafana.exporter import EXPORTER
from grafana.grid import GRID
from grafana.inverters import INVERTERS
from grafana.overview import OVERVIEW
from grafana.overview_influxdb import OVERVIEW_INFLUXDB
from grafana.panels import PANELS
from grafana.panels_influxdb import PANELS_INFLUXDB

DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    OVERVIEW,
    PANELS,
    INVERTERS,
    ENERGY,
    GRID,
    EXPORTER,
    OVERVIEW_INFLUXDB,
    PANELS_INFLUXDB,
)

FOLDER: Final = Path(__file__).parent / "dashboards"


def files() -> Mapping[str, str]:
    """What is to stand in the files, by name."""
    return {f"{dashboard.uid}.json": dashboard.to_text() for dashboard in DASHBOARDS}
