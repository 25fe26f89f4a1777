"""Good values, bad values and what is accepted, by variable; and how to load them."""

import os
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from aps_exporter.config import Config, ListenAddress, Loaded, load

GOOD: Final = [
    ("APS_ECU_PORT", "1", "ecu_port", 1),
    ("APS_ECU_PORT", "65535", "ecu_port", 65_535),
    ("APS_ECU_TIMEOUT", "0.3", "ecu_timeout", 0.3),
    ("APS_ECU_TIMEOUT", "30", "ecu_timeout", 30),
    ("APS_ECU_PAUSE", "0", "ecu_pause", 0),
    ("APS_ECU_PAUSE", "1.5", "ecu_pause", 1.5),
    ("APS_REFRESH", "60", "refresh", 60),
    ("APS_REFRESH", "600", "refresh", 600),
    ("APS_STALE_AFTER", "1800", "stale_after", 1800),
    ("APS_TIMEZONE", "Europe/Amsterdam", "timezone", ZoneInfo("Europe/Amsterdam")),
    ("APS_LISTEN_ADDRESS", ":9000", "listen", ListenAddress(None, 9000)),
    ("APS_LISTEN_ADDRESS", "127.0.0.1:0", "listen", ListenAddress("127.0.0.1", 0)),
    ("APS_LISTEN_ADDRESS", "0.0.0.0:9000", "listen", ListenAddress("0.0.0.0", 9000)),  # noqa: S104 - parsed, not bound
    ("APS_LISTEN_ADDRESS", "localhost:9000", "listen", ListenAddress("localhost", 9000)),
    ("APS_LISTEN_ADDRESS", "[::1]:9000", "listen", ListenAddress("::1", 9000)),
    ("APS_LISTEN_ADDRESS", "[::]:9000", "listen", ListenAddress("::", 9000)),
    ("APS_METRICS_PATH", "/solar", "metrics_path", "/solar"),
    ("APS_METRICS_PATH", "/solar/metrics", "metrics_path", "/solar/metrics"),
    ("APS_STATE_DIR", "/var/lib/aps", "state_dir", Path("/var/lib/aps")),
    ("APS_LOG_LEVEL", "debug", "log_level", "debug"),
    ("APS_LOG_LEVEL", "warn", "log_level", "warn"),
    ("APS_LOG_LEVEL", "error", "log_level", "error"),
    ("APS_LOG_FORMAT", "json", "log_format", "json"),
]

A_PORT = "port number from 1 to 65535"
AN_ADDRESS = "host:port, [::1]:port or :port"
A_PATH = "path such as /metrics that no other page has"

BAD: Final = {
    ("APS_ECU_PORT", A_PORT): ["0", "65536", "-1", "8899.0", "http", "88 99", "0x22", "٨٨٩٩"],
    ("APS_ECU_TIMEOUT", "seconds from 0.1 to"): ["0", "-1", "nan", "inf", "1e9", "ten", "10s"],
    ("APS_ECU_PAUSE", "seconds from 0 to"): ["-0.1", "nan", "inf", "-inf", "a while"],
    ("APS_REFRESH", "seconds from 60 to"): ["59", "59.9", "0", "-300", "nan", "inf", "5m"],
    ("APS_STALE_AFTER", "seconds from"): ["0", "-900", "nan", "inf", "15m"],
    ("APS_TIMEZONE", "IANA zone such as Europe/Amsterdam"): [
        *("Europe/Nowhere", "Europe", "+02:00", "/etc/localtime", "../../etc/localtime"),
    ],
    ("APS_LISTEN_ADDRESS", AN_ADDRESS): [
        *("10899", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", ":http"),
        *("999.1.1.1:80", "[::1]", "::1", "[::g]:80", "[127.0.0.1]:80"),
        *("http://127.0.0.1:80", "127.0.0.1:80/metrics", "my host:80"),
    ],
    ("APS_METRICS_PATH", A_PATH): [
        *("/", "/api/v1/snapshots", "/-/healthy", "/-/ready", "/-/other"),
        *("metrics", "/metrics/", "//metrics", "/{path}", "/a b", "/metrics?x=1", "/métriques"),
    ],
    ("APS_LOG_LEVEL", "debug, info, warn or error"): ["verbose", "10", "debug,info"],
    ("APS_LOG_FORMAT", "logfmt or json"): ["xml", "logfmt json"],
    ("APS_INFLUXDB_API", "v1 or v2"): ["3", "v3", "V 2"],
    ("APS_INFLUXDB_USERNAME", "a name without a colon"): ["a:b", "a\nb"],
    ("APS_INFLUXDB_SPOOL_MAX_MIB", "whole number from 1 to"): ["0", "-1", "1.5", "1e3", "256MiB"],
}

LATER: Final = ["APS_WEB_CONFIG_FILE"]

SECRETS: Final = ["APS_INFLUXDB_TOKEN", "APS_INFLUXDB_PASSWORD"]


def loaded(**environment: str) -> Loaded:
    os.environ.update({"APS_ECU_HOSTS": "192.168.1.20", **environment})
    return load({})


def configured(**environment: str) -> Config:
    return loaded(**environment).config()


def only_fault(**environment: str) -> str:
    (fault,) = loaded(**environment).faults
    return fault
