"""Hands lines to a database over HTTP, and says what came of it by whom it concerns.

Nothing is retried or kept here: a write is taken as a whole, or raises.
"""

import asyncio
import gzip
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import aiohttp
from aiohttp import ClientSession
from aiohttp.abc import AbstractResolver, ResolveResult
from influxdb_client import WritePrecision
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from aps_exporter.errors import SinkFailure, SinkRejectedError, SinkUnavailableError
from aps_exporter.name_lookup import look_up

TIMEOUT_SECONDS: Final = 30.0
LONGEST_RETRY_AFTER_SECONDS: Final = 3_600.0

_NO_CONTENT: Final = 204
_REFUSALS: Final = (400, 413, 422)
_LASTING: Final[Mapping[int, SinkFailure]] = {
    401: "unauthorized",
    403: "unauthorized",
    404: "not_found",
}
_TOO_MANY_REQUESTS: Final = 429
_FIRST_SERVER_ERROR: Final = 500
_MOST_DETAIL: Final = 300

_NETWORK_ERRORS: Final = (
    aiohttp.ClientError,
    TimeoutError,
    OSError,
    UnicodeError,  # a name that no DNS can have
    asyncio.IncompleteReadError,
)


class Writer(Protocol):
    """A way to write to a database."""

    async def write(self, lines: Sequence[str]) -> None:
        """Hand over these lines, times in whole seconds.

        Raises:
            SinkUnavailableError: not one of them was surely taken.
            SinkRejectedError: the database refuses them, or some of them, or so many.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class V2Writer:
    """`/api/v2/write`: InfluxDB 2, 3 and 1.8, and VictoriaMetrics."""

    def __init__(self, url: str, token: str | None, org: str | None, bucket: str | None) -> None:
        """Needs a running event loop."""
        self._org = org or ""
        self._bucket = bucket or ""
        self._client = InfluxDBClientAsync(
            url,
            token=token,
            org=self._org,
            timeout=int(TIMEOUT_SECONDS * 1_000),
            enable_gzip=True,
            allow_redirects=False,
            client_session_type=_session,
        )

    async def write(self, lines: Sequence[str]) -> None:
        try:
            taken = await self._client.write_api().write(
                self._bucket,
                self._org,
                record="\n".join(lines),
                write_precision=WritePrecision.S,
            )
        except ApiException as error:
            raise _failure(error.status, error.body or b"", error.headers) from error
        except _NETWORK_ERRORS as error:
            raise _no_answer(error) from error
        if taken is not True:
            raise _not_a_database()

    async def close(self) -> None:
        await self._client.close()


class V1Writer:
    """`/write?db=`: InfluxDB up to 1.7, and whatever speaks like it."""

    def __init__(self, url: str, database: str, username: str | None, password: str | None) -> None:
        """Needs a running event loop."""
        self._url = f"{url}/write"
        self._parameters = {"db": database, "precision": "s"}
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
        if username is not None:
            headers["Authorization"] = aiohttp.encode_basic_auth(username, password or "")
        self._session = _session(
            headers=headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        )

    async def write(self, lines: Sequence[str]) -> None:
        body = gzip.compress("\n".join(lines).encode())
        try:
            async with self._session.post(
                self._url, params=self._parameters, data=body, allow_redirects=False
            ) as answer:
                status, headers = answer.status, answer.headers
                said = await answer.content.read(_MOST_DETAIL)
        except _NETWORK_ERRORS as error:
            raise _no_answer(error) from error
        if status != _NO_CONTENT:
            raise _failure(status, said, headers)

    async def close(self) -> None:
        await self._session.close()


class _Resolver(AbstractResolver):
    """Looks names up as for ECUs: one that hangs must not hold up the end of the process."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=found,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for found, (address, _) in await look_up(host, port)
            if family in (socket.AF_UNSPEC, found)
        ]

    async def close(self) -> None:
        pass


def _session(*, connector: aiohttp.TCPConnector | None = None, **settings: Any) -> ClientSession:
    """A session with our resolver, in the place of the one that `connector` would have."""
    del connector
    return ClientSession(connector=aiohttp.TCPConnector(resolver=_Resolver()), **settings)


def _failure(
    status: int, said: bytes, headers: Mapping[str, str] | None
) -> SinkUnavailableError | SinkRejectedError:
    """What an answer other than success means."""
    detail = f"HTTP {status}: {_printable(said.decode('utf-8', errors='replace'))}"
    if status in _REFUSALS:
        return SinkRejectedError(detail)
    if status in _LASTING:
        return SinkUnavailableError(_LASTING[status], detail, is_lasting=True)
    retry_after = _retry_after(headers)
    if status == _TOO_MANY_REQUESTS:
        return SinkUnavailableError("busy", detail, retry_after=retry_after)
    if status >= _FIRST_SERVER_ERROR:
        return SinkUnavailableError("server_error", detail, retry_after=retry_after)
    return _not_a_database(detail)


def _not_a_database(detail: str = "HTTP 200 instead of 204") -> SinkUnavailableError:
    return SinkUnavailableError("unexpected", detail, is_lasting=True)


def _no_answer(error: BaseException) -> SinkUnavailableError:
    what = "no answer in time" if isinstance(error, TimeoutError) else _printable(str(error))
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return SinkUnavailableError("tls", what, is_lasting=True)
    return SinkUnavailableError("network", what)


def _retry_after(headers: Mapping[str, str] | None) -> float:
    """Seconds that the database asks to wait; a date instead counts as none."""
    asked = (headers or {}).get("Retry-After", "")
    if not (asked.isascii() and asked.isdecimal()):
        return 0.0
    return min(float(asked), LONGEST_RETRY_AFTER_SECONDS)


def _printable(said: str) -> str:
    return "".join(c for c in said if c.isprintable())[:_MOST_DETAIL]
