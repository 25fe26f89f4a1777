"""HTTP to databases: a session, and what an answer other than success means for whoever asked."""

import asyncio
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from aiohttp import ClientSession
from aiohttp.abc import AbstractResolver, ResolveResult

from aps_exporter.errors import SinkFailure, SinkRejectedError, SinkUnavailableError
from aps_exporter.name_lookup import look_up

TIMEOUT_SECONDS: Final = 30.0
LONGEST_RETRY_AFTER_SECONDS: Final = 3_600.0

_REFUSALS: Final = (400, 413, 422)
_LASTING: Final[Mapping[int, SinkFailure]] = {
    401: "unauthorized",
    403: "unauthorized",
    404: "not_found",
}
_TOO_MANY_REQUESTS: Final = 429
_FIRST_SERVER_ERROR: Final = 500
_OK: Final = 200
MOST_DETAIL: Final = 300
_MOST_ANSWER_BYTES: Final = 32 * 2**20
"""A day of samples each second of a hundred scrapers is less."""

NETWORK_ERRORS: Final = (
    aiohttp.ClientError,
    TimeoutError,
    OSError,
    UnicodeError,  # a name that no DNS can have
    asyncio.IncompleteReadError,
)


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


def http_session(
    *, connector: aiohttp.TCPConnector | None = None, **settings: Any
) -> ClientSession:
    """A session with our resolver, in the place of the one that `connector` would have."""
    del connector
    return ClientSession(connector=aiohttp.TCPConnector(resolver=_Resolver()), **settings)


def failure(
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
    return not_a_database(detail)


def not_a_database(detail: str = "HTTP 200 instead of 204") -> SinkUnavailableError:
    return SinkUnavailableError("unexpected", detail, is_lasting=True)


def only_a_part(mark: str) -> SinkUnavailableError:
    """An answer that says by this mark that it is not whole."""
    return SinkUnavailableError(
        "server_error", f"only a part of the answer ({mark}): what it lacks would be written twice"
    )


def no_answer(error: BaseException) -> SinkUnavailableError:
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
    return "".join(c for c in said if c.isprintable())[:MOST_DETAIL]


async def get_json(session: ClientSession, url: str, parameters: Mapping[str, str]) -> Any:
    """What a database answers to a question.

    Raises:
        SinkUnavailableError: it does not answer it, or with no JSON.
    """
    try:
        async with session.get(url, params=parameters, allow_redirects=False) as answer:
            status, headers = answer.status, answer.headers
            said = bytearray()
            async for piece in answer.content.iter_chunked(_MOST_ANSWER_BYTES):
                said += piece
                if len(said) > _MOST_ANSWER_BYTES:
                    raise not_a_database(f"more than {_MOST_ANSWER_BYTES} bytes for one day")
    except NETWORK_ERRORS as error:
        raise no_answer(error) from error
    if status != _OK:
        what = failure(status, bytes(said), headers)
        if isinstance(what, SinkRejectedError):
            raise SinkUnavailableError("rejected", str(what), is_lasting=True)
        raise what
    try:
        return json.loads(said)
    except (ValueError, RecursionError) as error:
        raise not_a_database("HTTP 200 without JSON") from error
