"""From the environment to frozen values, every fault in one message.

One table of variables: reading, `aps-exporter config` and the README's table come from it.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from environs import Env

from aps_exporter.beliefs import LEAST_PERIODS_BEFORE_STALE
from aps_exporter.errors import ConfigError
from aps_exporter.logs import LOG_FORMATS, LOG_LEVELS, LogFormat

PREFIX: Final = "APS_"
ECU_PORT: Final = 8899
LISTEN_PORT: Final = 10899

_LABEL: Final = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
_TARGET_NAME: Final = re.compile(r"[^\s=,]{1,64}")
_HIGHEST_PORT: Final = 65_535
_STALE_AFTER: Final = 900
_MASK: Final = "********"


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
    log_level: str
    log_format: LogFormat


def parse_target(text: str) -> Target:
    """A target from `[name=]host[:port]`.

    Raises:
        ValueError: it is none.
    """
    name, equals, address = text.strip().rpartition("=")
    if equals and not _TARGET_NAME.fullmatch(name):
        raise ValueError(text)
    host, port = _host_and_port(address)
    if not host or port == 0:
        raise ValueError(text)
    return Target(name or address, host, port)


def _host_and_port(address: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:port`, `[v6]:port`, `:port` or a bare IPv6 address."""
    if address.count(":") > 1 and not address.startswith("["):
        return str(ipaddress.IPv6Address(address)), None
    bracketed = re.fullmatch(r"\[(?P<host>[^\]]+)\](:(?P<port>.*))?", address)
    if bracketed:
        host, port = str(ipaddress.IPv6Address(bracketed["host"])), bracketed["port"]
    else:
        host, colon, digits = address.partition(":")
        port = digits if colon else None
        if host and not _HOST_NAME.fullmatch(host):
            raise ValueError(address)
        if host and re.fullmatch(r"[0-9.]+", host):
            ipaddress.IPv4Address(host)
    return host, None if port is None else _port(port)


def _targets(text: str) -> tuple[Target, ...]:
    targets = tuple(parse_target(part) for part in text.split(","))
    if len({target.name for target in targets}) < len(targets):
        raise ValueError(text)
    return targets


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _HIGHEST_PORT:
        raise ValueError(text)
    return int(text)


def _ecu_port(text: str) -> int:
    port = _port(text)
    if port == 0:
        raise ValueError(text)
    return port


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        seconds = float(text)
        if not least <= seconds <= most:
            raise ValueError(text)
        return seconds

    return parse


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(text) from error


def parse_listen_address(text: str) -> ListenAddress:
    """A listen address from `host:port`, `[::1]:port` or `:port`.

    Raises:
        ValueError: it is none.
    """
    host, port = _host_and_port(text)
    if port is None:
        raise ValueError(text)
    return ListenAddress(host or None, port)


def _metrics_path(text: str) -> str:
    taken = text in ("/", "/api/v1/snapshots") or text.startswith("/-/")
    if taken or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text):
        raise ValueError(text)
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(text)
        return text.lower()

    return parse


def _not_yet(text: str) -> object:
    raise ValueError(text)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment.

    Attributes:
        about: for the README.
        accepts: what a good value looks like, for the message about a bad one.
        field: which field of Config it fills; None while its feature is not there yet.
        flag: the command-line flag that wins over it.
    """

    name: str
    about: str
    accepts: str
    parse: Callable[[str], object]
    default: str | None = None
    field: str | None = None
    flag: str | None = None
    secret: bool = False


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
        _targets,
        field="targets",
    ),
    Variable(
        "APS_ECU_PORT",
        "port of an ECU that names none",
        "a port number from 1 to 65535",
        _ecu_port,
        default=str(ECU_PORT),
        field="ecu_port",
    ),
    Variable(
        "APS_ECU_TIMEOUT",
        "seconds for one query: connect, send and receive together",
        "seconds from 0.1 to 120",
        _seconds(0.1, 120),
        default="10",
        field="ecu_timeout",
    ),
    Variable(
        "APS_ECU_PAUSE",
        "seconds between the queries of one refresh",
        "seconds from 0 to 60",
        _seconds(0, 60),
        default="0.5",
        field="ecu_pause",
    ),
    Variable(
        "APS_REFRESH",
        "seconds of the ECU's round; asking more often would only hang it",
        "seconds from 60 to 3600",
        _seconds(60, 3_600),
        default="300",
        field="refresh",
    ),
    Variable(
        "APS_STALE_AFTER",
        "seconds after which a measured value that was not renewed is withdrawn; never less than "
        "three rounds",
        "seconds from 60 to 86400",
        _seconds(60, 86_400),
        default=str(_STALE_AFTER),
        field="stale_after",
    ),
    Variable(
        "APS_TIMEZONE",
        "zone of the ECUs' clocks; unset: what the ECU says if it can be right, else this host's",
        "an IANA zone such as Europe/Amsterdam",
        _zone,
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
        _metrics_path,
        default="/metrics",
        field="metrics_path",
        flag="--web.telemetry-path",
    ),
    Variable(
        "APS_STATE_DIR",
        "what must survive a restart: counters, what was last seen, when rounds come. Where it "
        "cannot be written, a warning says so and it is kept in memory only",
        "a folder",
        Path,
        default="./aps-exporter-state",
        field="state_dir",
    ),
    Variable(
        "APS_LOG_LEVEL",
        "`debug`, `info`, `warn` or `error`",
        "debug, info, warn or error",
        _one_of(*LOG_LEVELS),
        default="info",
        field="log_level",
        flag="--log.level",
    ),
    Variable(
        "APS_LOG_FORMAT",
        "`logfmt` or `json`",
        "logfmt or json",
        _one_of(*LOG_FORMATS),
        default="logfmt",
        field="log_format",
        flag="--log.format",
    ),
    _later("APS_PANELS_FILE", "names and places of panels"),
    _later("APS_WEB_CONFIG_FILE", "TLS and passwords", flag="--web.config.file"),
    _later("APS_INFLUXDB_URL", "InfluxDB to push to; may hold a password", secret=True),
    _later("APS_INFLUXDB_TOKEN", "its token", secret=True),
    _later("APS_INFLUXDB_TOKEN_FILE", "a file with its token"),
    _later("APS_INFLUXDB_ORG", "its organisation"),
    _later("APS_INFLUXDB_BUCKET", "its bucket"),
    _later("APS_INFLUXDB_API", "`v2` or `v1`"),
    _later("APS_INFLUXDB_DATABASE", "database for `v1`"),
    _later("APS_INFLUXDB_USERNAME", "user for `v1`"),
    _later("APS_INFLUXDB_PASSWORD", "password for `v1`", secret=True),
    _later("APS_INFLUXDB_PASSWORD_FILE", "a file with the password for `v1`"),
    _later("APS_INFLUXDB_SPOOL_MAX_MIB", "disk for what could not be sent yet"),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the environment gave.

    Attributes:
        values: parsed values by variable; None where there is none.
        shown: values as text by variable, secrets masked.
        faults: one line for each bad value.
        warnings: one line for each APS_ variable that does nothing, or not what it says.
    """

    values: Mapping[str, Any]
    shown: Mapping[str, str]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]

    def config(self) -> Config:
        """The configuration.

        Raises:
            ConfigError: with every fault.
        """
        if self.faults:
            raise ConfigError(*self.faults)
        fields = {v.field: self.values[v.name] for v in VARIABLES if v.field is not None}
        fields["targets"] = fields["targets"] or ()
        return Config(**fields)


def load(
    overrides: Mapping[str, str | None],
    *,
    defaults: Mapping[str, str] | None = None,
    targets_required: bool = True,
) -> Loaded:
    """Read flags, the environment and a `.env` in the working directory, in this order.

    `overrides` has values by variable name, from flags and arguments; None counts as not given.
    `defaults` are a command's own, by variable name.
    """
    _forget_empty_variables()
    env = Env(eager=False)
    faults: list[str] = []
    dotenv = Path(".env")
    try:
        text_of_dotenv = dotenv.read_text(encoding="utf-8") if dotenv.is_file() else ""
        if text_of_dotenv:
            env.read_env(dotenv, recurse=False)
    except (OSError, UnicodeDecodeError) as error:
        text_of_dotenv = ""
        faults.append(f"{dotenv}: expected readable UTF-8 text: {error}")
    warnings = _unknown_names(text_of_dotenv)
    values: dict[str, object] = {}
    shown: dict[str, str] = {}
    for variable in VARIABLES:
        override = overrides.get(variable.name)
        text = override if override is not None else _text(env, variable, defaults or {})
        source = variable.name if override is None else (variable.flag or "HOST")
        values[variable.name] = None
        if text is not None:
            shown[variable.name] = _MASK if variable.secret else text
            try:
                values[variable.name] = variable.parse(text)
            except ValueError:
                faults.append(f"{source}={shown[variable.name]}: expected {variable.accepts}")
    warnings += _short_staleness(values)
    if targets_required and "APS_ECU_HOSTS" not in shown:
        hosts = VARIABLES[0]
        faults.append(f"{hosts.name}: not set, and no HOST given: expected {hosts.accepts}")
    return Loaded(values, shown, tuple(faults), tuple(warnings))


def _forget_empty_variables() -> None:
    """An empty variable counts as unset, so it must not hide the one in `.env` either."""
    for variable in VARIABLES:
        if not os.environ.get(variable.name, "x").strip():
            del os.environ[variable.name]


def _short_staleness(values: Mapping[str, object]) -> list[str]:
    stale_after, refresh = values["APS_STALE_AFTER"], values["APS_REFRESH"]
    if not isinstance(stale_after, float) or not isinstance(refresh, float):
        return []
    least = LEAST_PERIODS_BEFORE_STALE * refresh
    if stale_after >= least or stale_after == _STALE_AFTER:
        return []
    return [f"APS_STALE_AFTER={stale_after:g}: less than three rounds; {least:g} holds"]


def _text(env: Env, variable: Variable, defaults: Mapping[str, str]) -> str | None:
    """The value of a variable or its default; an empty value counts as unset."""
    text = env.str(variable.name, default=None) or ""
    return text.strip() or defaults.get(variable.name, variable.default)


def _unknown_names(dotenv: str) -> list[str]:
    """A line for each APS_ name that nothing reads, with the name that was perhaps meant."""
    known = {variable.name for variable in VARIABLES}
    names = {name for name in os.environ if name.startswith(PREFIX)}
    names |= {*re.findall(rf"^\s*(?:export\s+)?({PREFIX}\w+)\s*=", dotenv, re.MULTILINE)}
    warnings = []
    for name in sorted(names - known):
        meant = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {meant[0]}?" if meant else ""
        warnings.append(f"{name}: no such variable, it does nothing{hint}")
    return warnings
