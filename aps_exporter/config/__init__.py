"""From the environment to frozen values, every fault in one message."""

from aps_exporter.config.loading import Loaded, load
from aps_exporter.config.panels_file import read_panels
from aps_exporter.config.parsers import parse_listen_address, parse_target, parse_url
from aps_exporter.config.values import Config, InfluxdbConfig, ListenAddress, PanelsFile, Target
from aps_exporter.config.variables import ECU_PORT, LISTEN_PORT, VARIABLES, Variable

__all__ = [
    "ECU_PORT",
    "LISTEN_PORT",
    "VARIABLES",
    "Config",
    "InfluxdbConfig",
    "ListenAddress",
    "Loaded",
    "PanelsFile",
    "Target",
    "Variable",
    "load",
    "parse_listen_address",
    "parse_target",
    "parse_url",
    "read_panels",
]
