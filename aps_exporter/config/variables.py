"""The one table of variables: reading, `config` and the README's table come from it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aps_exporter.config.panels_file import read_panels
from aps_exporter.config.parsers import (
    one_of,
    parse_ecu_port,
    parse_listen_address,
    parse_metrics_path,
    parse_secret,
    parse_targets,
    parse_url,
    parse_user,
    parse_zone,
    seconds,
    whole_number,
)
from aps_exporter.config.values import INFLUXDB_APIS, PanelsFile
from aps_exporter.logs import LOG_FORMATS, LOG_LEVELS

ECU_PORT: Final = 8899
LISTEN_PORT: Final = 10899
STALE_AFTER: Final = 900


def _not_yet(text: str) -> object:
    raise ValueError(text)


def _panels_file(text: str) -> PanelsFile:
    path = Path(text)
    return PanelsFile(path, read_panels(path))


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment.

    Attributes:
        about: for the README.
        accepts: what a good value looks like, for the message about a bad one.
        parse: a ValueError means that the value is none, a ConfigError says what is wrong with it.
        field: which field of Config it fills (`influxdb.url`: which of InfluxdbConfig); None while
            its feature is not there yet.
        flag: the command-line flag that wins over it.
        secret: its value is never shown, and it may be given as a file by NAME_FILE.
        hide_when_bad: a bad value is not shown: it may hold a password.
    """

    name: str
    about: str
    accepts: str
    parse: Callable[[str], object]
    default: str | None = None
    field: str | None = None
    flag: str | None = None
    secret: bool = False
    hide_when_bad: bool = False

    @property
    def file_name(self) -> str | None:
        """The variable that names a file with this secret; None for what is no secret."""
        return f"{self.name}_FILE" if self.secret else None


def _later(name: str, about: str, *, flag: str | None = None, secret: bool = False) -> Variable:
    accepts = "nothing: this version does not have the feature yet; unset it"
    return Variable(name, about, accepts, _not_yet, flag=flag, secret=secret)


VARIABLES: Final = (
    Variable(
        "APS_ECU_HOSTS",
        "the ECUs to read, comma-separated `[name=]host[:port]`; the name becomes the `target` "
        "label, else what stands there does. Required for `serve` without HOST",
        "comma-separated [name=]host[:port], each name once, "
        "such as 192.168.1.20 or roof=192.168.1.20:8899",
        parse_targets,
        field="targets",
    ),
    Variable(
        "APS_ECU_PORT",
        "port of an ECU that names none",
        "a port number from 1 to 65535",
        parse_ecu_port,
        default=str(ECU_PORT),
        field="ecu_port",
    ),
    Variable(
        "APS_ECU_TIMEOUT",
        "seconds for one query: connect, send and receive together",
        "seconds from 0.1 to 120",
        seconds(0.1, 120),
        default="10",
        field="ecu_timeout",
    ),
    Variable(
        "APS_ECU_PAUSE",
        "seconds between the queries of one refresh",
        "seconds from 0 to 60",
        seconds(0, 60),
        default="0.5",
        field="ecu_pause",
    ),
    Variable(
        "APS_REFRESH",
        "seconds of the ECU's round; asking more often would only hang it",
        "seconds from 60 to 3600",
        seconds(60, 3_600),
        default="300",
        field="refresh",
    ),
    Variable(
        "APS_STALE_AFTER",
        "seconds after which a measured value that was not renewed is withdrawn; never less than "
        "three rounds",
        "seconds from 60 to 86400",
        seconds(60, 86_400),
        default=str(STALE_AFTER),
        field="stale_after",
    ),
    Variable(
        "APS_TIMEZONE",
        "zone of the ECUs' clocks; unset: what the ECU says if it can be right, else this host's",
        "an IANA zone such as Europe/Amsterdam",
        parse_zone,
        field="timezone",
    ),
    Variable(
        "APS_LISTEN_ADDRESS",
        "where to serve: `host:port`, `[::1]:port`, or `:port` for all interfaces",
        "host:port, [::1]:port or :port",
        parse_listen_address,
        default=f":{LISTEN_PORT}",
        field="listen",
        flag="--web.listen-address",
    ),
    Variable(
        "APS_METRICS_PATH",
        "path of the metrics",
        "a path such as /metrics that no other page has",
        parse_metrics_path,
        default="/metrics",
        field="metrics_path",
        flag="--web.telemetry-path",
    ),
    Variable(
        "APS_STATE_DIR",
        "what must survive a restart: counters, what was last seen, when rounds come, and what is "
        "to be pushed. Where it cannot be written, a warning says so and it is kept in memory "
        "only; with the InfluxDB pusher on that is a fault",
        "a folder",
        Path,
        default="./aps-exporter-state",
        field="state_dir",
    ),
    Variable(
        "APS_PANELS_FILE",
        "names and places of panels, in TOML: see Name your panels. Read at the start, and again "
        "on SIGHUP",
        "a TOML file",
        _panels_file,
        field="panels_file",
    ),
    Variable(
        "APS_LOG_LEVEL",
        "`debug`, `info`, `warn` or `error`",
        "debug, info, warn or error",
        one_of(*LOG_LEVELS),
        default="info",
        field="log_level",
        flag="--log.level",
    ),
    Variable(
        "APS_LOG_FORMAT",
        "`logfmt` or `json`",
        "logfmt or json",
        one_of(*LOG_FORMATS),
        default="logfmt",
        field="log_format",
        flag="--log.format",
    ),
    _later("APS_WEB_CONFIG_FILE", "TLS and passwords", flag="--web.config.file"),
    Variable(
        "APS_INFLUXDB_URL",
        "InfluxDB or VictoriaMetrics to push to; the pusher is on when this is set",
        "an address such as http://127.0.0.1:8086, without user, password or query",
        parse_url,
        field="influxdb.url",
        hide_when_bad=True,
    ),
    Variable(
        "APS_INFLUXDB_API",
        "`v2` for InfluxDB 2, 3, 1.8 and VictoriaMetrics; `v1` for InfluxDB up to 1.7",
        "v1 or v2",
        one_of(*INFLUXDB_APIS),
        default="v2",
        field="influxdb.api",
    ),
    Variable(
        "APS_INFLUXDB_TOKEN",
        "token for `v2`; InfluxDB 1.8: `user:password`",
        "a token",
        parse_secret,
        field="influxdb.token",
        secret=True,
    ),
    Variable(
        "APS_INFLUXDB_ORG",
        "organisation for `v2`; InfluxDB 2 wants one",
        "a name",
        str,
        field="influxdb.org",
    ),
    Variable(
        "APS_INFLUXDB_BUCKET",
        "bucket for `v2`; InfluxDB 3: the database; 1.8: `database/retention-policy`",
        "a name",
        str,
        field="influxdb.bucket",
    ),
    Variable(
        "APS_INFLUXDB_DATABASE",
        "database for `v1`",
        "a name",
        str,
        field="influxdb.database",
    ),
    Variable(
        "APS_INFLUXDB_USERNAME",
        "user for `v1`",
        "a name without a colon",
        parse_user,
        field="influxdb.username",
    ),
    Variable(
        "APS_INFLUXDB_PASSWORD",
        "password for `v1`",
        "a password",
        parse_secret,
        field="influxdb.password",
        secret=True,
    ),
    Variable(
        "APS_INFLUXDB_SPOOL_MAX_MIB",
        "MiB on disk for what the database has not taken yet; beyond, the oldest rounds go",
        "a whole number from 1 to 100000",
        whole_number(1, 100_000),
        default="256",
        field="influxdb.spool_max_mib",
    ),
)
