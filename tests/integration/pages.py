"""What an HTTP server of 127.0.0.1 answers."""

import http.client
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    status: int
    content_type: str
    text: str


def get(address: str, path: str, headers: Mapping[str, str] | None = None) -> Page:
    """The page at this path of host:port `address`."""
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        text = response.read().decode("utf-8")
        return Page(response.status, response.headers["Content-Type"], text)
