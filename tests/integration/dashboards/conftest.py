"""One history for all tests of dashboards, in the servers that dashboards ask."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from itertools import islice

import pytest

from tests.integration.dashboards import seed
from tests.integration.databases import DATABASE, InfluxDb1, started
from tests.integration.prometheus import Prometheus, create_blocks, running_prometheus

_LINES_AT_ONCE = 20_000


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> seed.History:
    """What the exporter published in fourteen days."""
    return seed.simulated_history(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="session")
def truth() -> seed.Truth:
    """What the plant made."""
    return seed.Truth()


@pytest.fixture(scope="session")
def prometheus(
    history: seed.History, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """A Prometheus that has it all."""
    folder = tmp_path_factory.mktemp("prometheus")
    seed.write_fixed_series(folder / "fixed.om")
    for file in (history.openmetrics, folder / "fixed.om"):
        create_blocks(file, folder)
    with running_prometheus(folder, {}) as server:
        yield server


@pytest.fixture(scope="session")
def influxdb(
    history: seed.History, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InfluxDb1]:
    """An InfluxDB 1.6 that has the lines of every round."""
    database = InfluxDb1(tmp_path_factory.mktemp("influxdb"))
    with started(database), history.line_protocol.open("rb") as lines:
        while batch := b"".join(islice(lines, _LINES_AT_ONCE)):
            _write(database, batch)
        yield database


def _write(database: InfluxDb1, lines: bytes) -> None:
    with closing(http.client.HTTPConnection(database.address, timeout=60)) as connection:
        connection.request(
            "POST",
            f"/write?db={DATABASE}&precision=s",
            lines,
            {"Authorization": database.account},
        )
        answer = connection.getresponse()
        said = answer.read().decode()
    assert answer.status == HTTPStatus.NO_CONTENT, said
