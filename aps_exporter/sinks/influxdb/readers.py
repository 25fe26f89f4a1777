"""Asks a database which points of an ECU it has."""

from datetime import UTC, datetime
from typing import Final, Protocol

from aps_exporter.errors import SinkUnavailableError
from aps_exporter.metrics import InfluxdbField
from aps_exporter.sinks.http_client import get_json, not_a_database, only_a_part
from aps_exporter.sinks.promql import PromqlReader, session_with

_PUSHED_NOT_SCRAPED: Final = {"job": ""}
"""Whatever scrapes adds this label, so a series without it was pushed."""

_NOT_FOUND: Final = "not found"
_NOT_ALLOWED: Final = "not authorized"


class Reader(Protocol):
    """A way to read from a database."""

    async def moments(
        self, field: InfluxdbField, ecu: str, start: datetime, end: datetime
    ) -> list[datetime]:
        """When there is a value in this field of an ECU, from `start` until before `end`.

        Raises:
            SinkUnavailableError: that cannot be learnt, or only a part of it.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class InfluxqlReader:
    """`/query`: InfluxDB 1, and 2 and 3, which answer InfluxQL too."""

    def __init__(self, url: str, database: str, account: str | None) -> None:
        """`database` may be `database/retention-policy`; `account` is the header of that name.

        Needs a running event loop.
        """
        self._url = f"{url}/query"
        name, _, policy = database.partition("/")
        self._parameters = {"db": name, "epoch": "s"} | ({"rp": policy} if policy else {})
        self._session = session_with(account)

    async def moments(
        self, field: InfluxdbField, ecu: str, start: datetime, end: datetime
    ) -> list[datetime]:
        query = (
            f'SELECT "{field.name}" FROM "{field.measurement}"'  # noqa: S608 - digits and our names
            f" WHERE \"ecu\" = '{ecu}'"
            f" AND time >= {int(start.timestamp())}s AND time < {int(end.timestamp())}s"
        )
        said = await get_json(self._session, self._url, {**self._parameters, "q": query})
        try:
            (result,) = said["results"]
            if "error" in result:
                raise _refusal(str(result["error"]))
            found = result.get("series", ())
            if any(part.get("partial") for part in (result, *found)):  # beyond max-row-limit
                raise only_a_part("partial")
            return [
                datetime.fromtimestamp(row[0], UTC) for series in found for row in series["values"]
            ]
        except (
            LookupError,
            TypeError,
            AttributeError,
            ValueError,
            OverflowError,
            OSError,
        ) as error:
            raise not_a_database(f"an answer that makes no sense: {error!r}") from error

    async def close(self) -> None:
        await self._session.close()


class VictoriaMetricsReader:
    """`/api/v1/query`: VictoriaMetrics joins measurement and field with an underscore."""

    def __init__(self, url: str, account: str | None) -> None:
        """Needs a running event loop."""
        self._promql = PromqlReader(url, _PUSHED_NOT_SCRAPED, account=account)

    async def moments(
        self, field: InfluxdbField, ecu: str, start: datetime, end: datetime
    ) -> list[datetime]:
        name = f"{field.measurement}_{field.name}"
        return await self._promql.moments(name, {"ecu": ecu}, start, end)

    async def close(self) -> None:
        await self._promql.close()


def _refusal(why: str) -> SinkUnavailableError:
    """What an error within a good answer means."""
    if _NOT_FOUND in why:
        return SinkUnavailableError("not_found", why, is_lasting=True)
    if _NOT_ALLOWED in why:
        return SinkUnavailableError("unauthorized", why, is_lasting=True)
    return SinkUnavailableError("rejected", why, is_lasting=True)
