"""The metrics page: format, compression and filter by what the scraper asks for."""

import gzip
import re
from collections.abc import Callable
from typing import Final

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

NAME_FILTER: Final = "name[]"

_FASTEST: Final = 1
"""The gzip level: what Prometheus gets over a LAN need not be small, but soon."""


def exposition(request: web.Request, registry: CollectorRegistry) -> web.Response:
    """All metrics, or those that `name[]` names, in a format that the scraper accepts."""
    names = request.query.getall(NAME_FILTER, [])
    source: Collector = registry.restricted_registry(names) if names else registry
    encode, content_type = _encoder(",".join(request.headers.getall(hdrs.ACCEPT, [])))
    headers = {
        hdrs.CONTENT_TYPE: content_type,
        hdrs.VARY: f"{hdrs.ACCEPT}, {hdrs.ACCEPT_ENCODING}",
    }
    body = encode(source)
    if _accepts_gzip(",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, []))):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        body = gzip.compress(body, compresslevel=_FASTEST)
    return web.Response(body=body, headers=headers)


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """As prometheus-client chooses, which cannot take a version that is no number."""
    versions = re.findall(r"version\s*=([^;,]*)", accept)
    sane = all(re.fullmatch(r"\d{1,4}(\.\d{1,4}){0,2}", version.strip()) for version in versions)
    return choose_encoder(accept if sane else "")


def _accepts_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.split(","):
        coding, _, weight = part.replace(" ", "").lower().partition(";")
        if coding == "gzip":
            return weight.removeprefix("q=").strip("0.") != "" or not weight
    return False
