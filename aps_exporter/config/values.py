"""The configuration as frozen values."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from aps_exporter.logs import LogFormat
from aps_exporter.panels import NO_PANELS, Panels

InfluxdbApi = Literal["v1", "v2"]
INFLUXDB_APIS: tuple[InfluxdbApi, ...] = ("v1", "v2")


@dataclass(frozen=True, slots=True)
class Target:
    """One ECU to read; a port of None is the one of `APS_ECU_PORT`."""

    name: str
    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to serve HTTP; a host of None is every interface."""

    host: str | None
    port: int

    def __str__(self) -> str:
        host = self.host or ""
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class InfluxdbConfig:
    """Where and how to push; what is not set is None."""

    url: str
    api: InfluxdbApi
    token: str | None = field(repr=False)
    org: str | None
    bucket: str | None
    database: str | None
    username: str | None
    password: str | None = field(repr=False)
    spool_max_mib: int


@dataclass(frozen=True, slots=True)
class PanelsFile:
    """What a file says of the panels."""

    path: Path
    panels: Panels


@dataclass(frozen=True, slots=True)
class Config:
    """All there is to configure; seconds where no unit is named."""

    targets: tuple[Target, ...]
    ecu_port: int
    ecu_timeout: float
    ecu_pause: float
    refresh: float
    stale_after: float
    timezone: ZoneInfo | None
    listen: ListenAddress
    metrics_path: str
    state_dir: Path
    panels_file: PanelsFile | None
    influxdb: InfluxdbConfig | None
    log_level: str
    log_format: LogFormat

    @property
    def panels(self) -> Panels:
        """What the panels file says; nothing without one."""
        return NO_PANELS if self.panels_file is None else self.panels_file.panels
