"""Hands lines to a database over HTTP, and says what came of it by whom it concerns.

Nothing is retried or kept here: a write is taken as a whole, or raises.
"""

import gzip
from collections.abc import Sequence
from typing import Final, Protocol

import aiohttp
from influxdb_client import WritePrecision
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from aps_exporter.sinks.http_client import (
    MOST_DETAIL,
    NETWORK_ERRORS,
    TIMEOUT_SECONDS,
    failure,
    http_session,
    no_answer,
    not_a_database,
)

_NO_CONTENT: Final = 204


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
            client_session_type=http_session,
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
            raise failure(error.status, error.body or b"", error.headers) from error
        except NETWORK_ERRORS as error:
            raise no_answer(error) from error
        if taken is not True:
            raise not_a_database()

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
        self._session = http_session(
            headers=headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        )

    async def write(self, lines: Sequence[str]) -> None:
        body = gzip.compress("\n".join(lines).encode())
        try:
            async with self._session.post(
                self._url, params=self._parameters, data=body, allow_redirects=False
            ) as answer:
                status, headers = answer.status, answer.headers
                said = await answer.content.read(MOST_DETAIL)
        except NETWORK_ERRORS as error:
            raise no_answer(error) from error
        if status != _NO_CONTENT:
            raise failure(status, said, headers)

    async def close(self) -> None:
        await self._session.close()
