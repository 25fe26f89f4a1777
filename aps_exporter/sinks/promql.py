"""Asks a Prometheus, or a VictoriaMetrics, which samples it has."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import aiohttp
from aiohttp import ClientSession

from aps_exporter.errors import SinkUnavailableError
from aps_exporter.sinks.http_client import (
    TIMEOUT_SECONDS,
    get_json,
    http_session,
    not_a_database,
    only_a_part,
)

_PATH: Final = "/api/v1/query"

_SAYS_NOTHING: Final = ("network", "tls", "busy", "server_error")
"""About what a database is that does not answer like this."""


class PromqlReader:
    """`/api/v1/query` with a range selector, which gives samples as they are."""

    def __init__(
        self, url: str, matchers: Mapping[str, str], *, account: str | None = None
    ) -> None:
        """`matchers` are label values that every series must have; empty: it has no such label.

        `account` is the header of that name. Needs a running event loop.
        """
        self._url = f"{url}{_PATH}"
        self._matchers = dict(matchers)
        self._session = session_with(account)

    async def moments(
        self, name: str, labels: Mapping[str, str], start: datetime, end: datetime
    ) -> list[datetime]:
        """When there is a sample of such a series, from `start` until before `end`.

        Raises:
            SinkUnavailableError: that cannot be learnt, or only a part of it.
        """
        pairs = (self._matchers | dict(labels)).items()
        matchers = ",".join(
            f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in pairs
        )
        # One second more: at its far end a range leaves out what stands there.
        seconds = math.ceil((end - start).total_seconds()) + 1
        said = await get_json(
            self._session,
            self._url,
            {"query": f"{name}{{{matchers}}}[{seconds}s]", "time": str(end.timestamp())},
        )
        if not is_success(said):
            raise not_a_database("no answer of a Prometheus")
        if said.get("isPartial"):  # a storage node of a VictoriaMetrics cluster is away
            raise only_a_part("isPartial")
        try:
            moments = [
                datetime.fromtimestamp(float(seconds), UTC)
                for series in said["data"]["result"]
                for seconds, _ in series["values"]
            ]
        except (LookupError, TypeError, ValueError, OverflowError, OSError) as error:
            raise not_a_database(f"an answer that makes no sense: {error!r}") from error
        return [moment for moment in moments if start <= moment < end]

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


async def speaks_promql(url: str, account: str | None) -> bool:
    """Whether a database answers PromQL: VictoriaMetrics does, InfluxDB does not.

    Raises:
        SinkUnavailableError: it does not answer at all.
    """
    session = session_with(account)
    try:
        return is_success(await get_json(session, f"{url}{_PATH}", {"query": "1"}))
    except SinkUnavailableError as error:
        if error.reason in _SAYS_NOTHING:
            raise
        return False
    finally:
        await session.close()


def is_success(said: object) -> bool:
    """Whether this is the good answer of a Prometheus."""
    return isinstance(said, dict) and said.get("status") == "success"


def session_with(account: str | None) -> ClientSession:
    """A session that says so in `Authorization`."""
    headers = {} if account is None else {"Authorization": account}
    return http_session(headers=headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
