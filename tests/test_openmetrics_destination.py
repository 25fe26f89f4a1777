"""A file for Prometheus: what it lacks, in the order of time."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO

from aiohttp import web

from aps_exporter.history import DayPoints, LocalDay, PowerPoint, Present
from aps_exporter.sinks.openmetrics import SampleHistory
from aps_exporter.sinks.openmetrics_destination import OpenmetricsDestination
from aps_exporter.sinks.promql import PromqlReader
from tests.influxdb.databases import Answer, database

ECU = "216000000001"
START = datetime(2026, 5, 30, 22, 0, tzinfo=UTC)
DAY = LocalDay(ECU, date(2026, 5, 31), START, START + timedelta(days=1))
NOON = datetime(2026, 5, 31, 10, 0, tzinfo=UTC)
LAST_MINUTE = datetime(2026, 5, 31, 21, 59, tzinfo=UTC)


def _destination(file: StringIO, prometheus: PromqlReader | None = None) -> OpenmetricsDestination:
    def make_file(samples: SampleHistory) -> None:
        samples.write(file)

    return OpenmetricsDestination("file", SampleHistory({"job": "aps"}), prometheus, make_file)


async def test_power_is_at_its_minutes_and_energy_at_23_59() -> None:
    file = StringIO()
    destination = _destination(file)
    later = PowerPoint(NOON + timedelta(minutes=5), 700)
    await destination.write(DAY, DayPoints((later,), 30_240_000))
    await destination.write(DAY, DayPoints((PowerPoint(NOON, 600),)))
    assert file.getvalue() == ""
    destination.finish()
    assert [line for line in file.getvalue().splitlines() if not line.startswith("#")] == [
        'aps_ecu_power_watts{ecu="216000000001",job="aps"} 600.0 1780221600',
        'aps_ecu_power_watts{ecu="216000000001",job="aps"} 700.0 1780221900',
        'aps_ecu_day_energy_joules{ecu="216000000001",job="aps"} 30240000.0 1780264740',
    ]


async def test_without_a_prometheus_nothing_is_there() -> None:
    assert await _destination(StringIO()).present(DAY) == Present()


async def test_energy_is_there_when_prometheus_has_it_at_the_end_of_the_day() -> None:
    def having(*moments: datetime) -> Answer:
        values = [[at.timestamp(), "1"] for at in moments]
        said = {"status": "success", "data": {"result": [{"values": values}]}}
        return lambda _: web.json_response(said)

    cases = (
        ((NOON,), False),
        ((NOON, LAST_MINUTE), True),
        ((NOON, DAY.ends_at), False),  # the energy of the next day
    )
    for moments, has_energy in cases:
        async with database(having(*moments)) as db:
            prometheus = PromqlReader(db.url, {"job": "aps"})
            destination = _destination(StringIO(), prometheus)
            assert await destination.present(DAY) == Present([*moments], energy=has_energy)
            await destination.close()
        queries = [request.query["query"] for request in db.requests]
        assert [query.partition("[")[0] for query in queries] == [
            'aps_ecu_power_watts{job="aps",ecu="216000000001"}',
            'aps_ecu_day_energy_joules{job="aps",ecu="216000000001"}',
        ]
