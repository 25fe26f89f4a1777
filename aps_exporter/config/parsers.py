"""From the text of a variable to its value; a ValueError means that it is none."""

import ipaddress
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aps_exporter.config.values import ListenAddress, Target

_LABEL: Final = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
_TARGET_NAME: Final = re.compile(r"[^\s=,]{1,64}")
_HIGHEST_PORT: Final = 65_535


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
    return host, None if port is None else parse_port(port)


def parse_targets(text: str) -> tuple[Target, ...]:
    targets = tuple(parse_target(part) for part in text.split(","))
    if len({target.name for target in targets}) < len(targets):
        raise ValueError(text)
    return targets


def parse_port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _HIGHEST_PORT:
        raise ValueError(text)
    return int(text)


def parse_ecu_port(text: str) -> int:
    port = parse_port(text)
    if port == 0:
        raise ValueError(text)
    return port


def seconds(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        seconds = float(text)
        if not least <= seconds <= most:
            raise ValueError(text)
        return seconds

    return parse


def parse_zone(text: str) -> ZoneInfo:
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


def parse_metrics_path(text: str) -> str:
    taken = text in ("/", "/api/v1/snapshots") or text.startswith("/-/")
    if taken or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text):
        raise ValueError(text)
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(text)
        return text.lower()

    return parse


def parse_url(text: str) -> str:
    """An HTTP address without user, password, query or a slash at its end."""
    url = urlsplit(text)
    is_plain = not (url.username or url.password or url.query or url.fragment)
    if url.scheme not in ("http", "https") or not url.hostname or not is_plain:
        raise ValueError(text)
    is_name = ":" in url.hostname or _HOST_NAME.fullmatch(url.hostname)  # else an IPv6 address
    if not is_name or url.port == 0 or not text.isprintable() or " " in text:
        raise ValueError(text)
    return text.rstrip("/")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return parse


def parse_user(text: str) -> str:
    """A user name as HTTP's basic authentication can carry it."""
    if ":" in text or not text.isprintable():
        raise ValueError(text)
    return text


def parse_secret(text: str) -> str:
    """A token or password that can stand in a header: no line breaks, no control characters."""
    if not text.isprintable():
        raise ValueError(text)
    return text
