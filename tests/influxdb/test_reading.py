"""Which points a database has: by InfluxQL, by PromQL, and in the spool beside it."""

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from aps_exporter.errors import SinkUnavailableError, SpoolUnavailableError
from aps_exporter.history import DayPoints, LocalDay, PowerPoint, Present
from aps_exporter.sinks.influxdb.destination import InfluxdbDestination
from aps_exporter.sinks.influxdb.points import DAY_ENERGY, ECU_POWER, day_lines
from aps_exporter.sinks.influxdb.readers import InfluxqlReader, Reader, VictoriaMetricsReader
from aps_exporter.sinks.influxdb.spool_reading import spooled_power
from aps_exporter.sinks.influxdb.writers import V1Writer
from aps_exporter.sinks.promql import PromqlReader, speaks_promql
from tests.influxdb.databases import Answer, PretendedDatabase, answering, database, refusing, taken
from tests.influxdb.spools import opened

ECU = "216000000001"
START = datetime(2026, 5, 30, 22, 0, tzinfo=UTC)
END = START + timedelta(days=1)
NOON = START + timedelta(hours=14)
DAY = LocalDay(ECU, (START + timedelta(hours=2)).date(), START, END)
ACCOUNT = "Token kT7-never-to-be-seen"

NewReader = Callable[[str], Reader]


def influxql(url: str) -> Reader:
    return InfluxqlReader(url, "solar", ACCOUNT)


def victoria(url: str) -> Reader:
    return VictoriaMetricsReader(url, ACCOUNT)


def said(form: object) -> Answer:
    return lambda _: web.json_response(form)


def rows(*moments: datetime) -> object:
    values = [[int(at.timestamp()), 600.0] for at in moments]
    return {"results": [{"statement_id": 0, "series": [{"name": "aps_ecu", "values": values}]}]}


def samples(*moments: datetime) -> dict[str, object]:
    values = [[at.timestamp(), "600"] for at in moments]
    result = [{"metric": {"ecu": ECU}, "values": values}]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


async def _asked(new_reader: NewReader, answer: Answer) -> tuple[list[datetime], web.Request]:
    async with database(answer) as db:
        reader = new_reader(db.url)
        try:
            moments = await reader.moments(ECU_POWER, ECU, START, END)
        finally:
            await reader.close()
    (request,) = db.requests
    return moments, request


async def test_influxql_asks_for_one_field_of_one_ecu() -> None:
    moments, request = await _asked(influxql, said(rows(START, NOON)))
    assert moments == [START, NOON]
    assert (request.method, request.path) == ("GET", "/query")
    assert request.headers["Authorization"] == ACCOUNT
    assert dict(request.query) == {
        "db": "solar",
        "epoch": "s",
        "q": 'SELECT "power_watts" FROM "aps_ecu" WHERE "ecu" = \'216000000001\''
        " AND time >= 1780178400s AND time < 1780264800s",
    }


async def test_bucket_with_a_retention_policy_is_both() -> None:
    _, request = await _asked(lambda url: InfluxqlReader(url, "solar/raw", None), said(rows()))
    assert (request.query["db"], request.query["rp"]) == ("solar", "raw")
    assert "Authorization" not in request.headers


async def test_influxdb_without_such_points_has_none() -> None:
    assert (await _asked(influxql, said({"results": [{"statement_id": 0}]})))[0] == []


async def test_victoriametrics_is_asked_for_pushed_samples_only() -> None:
    outside = START - timedelta(seconds=1)
    moments, request = await _asked(victoria, said(samples(outside, START, NOON, END)))
    assert moments == [START, NOON]
    assert request.path == "/api/v1/query"
    assert dict(request.query) == {
        "query": 'aps_ecu_power_watts{job="",ecu="216000000001"}[86401s]',
        "time": "1780264800.0",
    }


async def test_prometheus_is_asked_for_the_labels_of_the_live_series() -> None:
    async with database(said(samples(NOON))) as db:
        reader = PromqlReader(db.url, {"job": "aps", "instance": 'a"b\\cé'})
        assert await reader.moments("aps_ecu_power_watts", {"ecu": ECU}, START, END) == [NOON]
        await reader.close()
    (request,) = db.requests
    assert request.query["query"] == (
        'aps_ecu_power_watts{job="aps",instance="a\\"b\\\\cé",ecu="216000000001"}[86401s]'
    )


TROUBLES = {
    "wrong token": (answering(401, "unauthorized"), "unauthorized"),
    "no permission": (answering(403, "forbidden"), "unauthorized"),
    "no such path": (answering(404, "page not found"), "not_found"),
    "bad query": (answering(400, "error parsing query"), "rejected"),
    "ill": (answering(500, "panic"), "server_error"),
    "busy": (answering(429, "wait"), "busy"),
    "redirect": (answering(302, Location="/login"), "unexpected"),
    "a page": (answering(200, "<html>"), "unexpected"),
    "a list": (said([]), "unexpected"),
    "a word": (said("success"), "unexpected"),
    "nothing in it": (said({"status": "success", "results": []}), "unexpected"),
    "no times": (
        said(
            {
                "status": "success",
                "data": {"result": [{"values": [["noon", 1]]}]},
                "results": [{"series": [{"values": [["noon", 1]]}]}],
            }
        ),
        "unexpected",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("new_reader", [influxql, victoria])
async def test_what_is_no_answer_is_told_by_its_reason(trouble: str, new_reader: NewReader) -> None:
    answer, reason = TROUBLES[trouble]
    with pytest.raises(SinkUnavailableError) as raised:
        await _asked(new_reader, answer)
    assert raised.value.reason == reason
    assert ACCOUNT not in str(raised.value)


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("database not found: solar", "not_found"),
        ('"aps" user is not authorized to execute', "unauthorized"),
        ("query interrupted", "rejected"),
    ],
)
async def test_error_within_a_good_answer_is_told_by_its_reason(why: str, reason: str) -> None:
    with pytest.raises(SinkUnavailableError, match=why) as raised:
        await _asked(influxql, said({"results": [{"statement_id": 0, "error": why}]}))
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("new_reader", "form"),
    [
        (victoria, samples(NOON) | {"isPartial": True}),
        (influxql, {"results": [{"partial": True, "series": [{"values": [[1_780_228_800, 1]]}]}]}),
        (influxql, {"results": [{"series": [{"partial": True, "values": [[1_780_228_800, 1]]}]}]}),
    ],
)
async def test_part_of_an_answer_is_none(new_reader: NewReader, form: object) -> None:
    with pytest.raises(SinkUnavailableError, match="only a part of the answer") as raised:
        await _asked(new_reader, said(form))
    assert raised.value.reason == "server_error"


async def test_answer_that_says_it_is_whole_is_one() -> None:
    assert (await _asked(victoria, said(samples(NOON) | {"isPartial": False})))[0] == [NOON]


@pytest.mark.parametrize(
    ("answer", "is_promql"),
    [
        (said({"status": "success", "data": {}}), True),
        (said({"status": "error"}), False),
        (answering(404, "404 page not found"), False),
        (answering(401, "unauthorized"), False),
        (answering(200, "<html>"), False),
    ],
)
async def test_database_tells_what_it_speaks(answer: Answer, *, is_promql: bool) -> None:
    async with database(answer) as db:
        assert await speaks_promql(db.url, ACCOUNT) is is_promql


@pytest.mark.parametrize("answer", [answering(503), answering(429)])
async def test_database_that_cannot_be_asked_is_not_guessed(answer: Answer) -> None:
    async with database(answer) as db:
        with pytest.raises(SinkUnavailableError):
            await speaks_promql(db.url, ACCOUNT)


def test_lines_of_a_day_are_power_and_its_energy_at_midnight() -> None:
    points = DayPoints((PowerPoint(NOON, 600),), 30_240_000)
    assert day_lines(DAY, points) == [
        "aps_ecu,ecu=216000000001 power_watts=600 1780228800",
        "aps_ecu_daily,ecu=216000000001 energy_kwh=8.4 1780178400",
    ]
    assert (DAY_ENERGY.measurement, DAY_ENERGY.name) == ("aps_ecu_daily", "energy_kwh")


def _round(at: datetime, fields: str, ecu: str = ECU) -> tuple[str, int, list[str]]:
    seconds = int(at.timestamp())
    other = f"aps_inverter,ecu={ecu},inverter=8 power_watts=1 {seconds}"
    return ecu, seconds, [other, f"aps_ecu,ecu={ecu} {fields} {seconds}"]


def test_power_in_the_spool_of_a_pusher_at_work_is_seen(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.put(*_round(NOON, "power_watts=600,inverters=6"))
        spool.put(*_round(NOON + timedelta(minutes=5), "inverters=6,power_watts=600"))
        spool.put(*_round(NOON + timedelta(minutes=10), "inverters=6"))  # info failed
        spool.put(*_round(NOON, "power_watts=600", ecu="216000000002"))
        spool.put(*_round(END, "power_watts=600"))
        seen = spooled_power(tmp_path, ECU, START, END)
        assert sorted(seen) == [NOON, NOON + timedelta(minutes=5)]
        spool.put(*_round(NOON + timedelta(minutes=15), "power_watts=600"))
    before = {path.name for path in tmp_path.iterdir()}
    assert len(spooled_power(tmp_path, ECU, START, END)) == 3
    assert {path.name for path in tmp_path.iterdir()} == before


def test_without_a_spool_nothing_is_in_it(tmp_path: Path) -> None:
    assert spooled_power(tmp_path, ECU, START, END) == []
    assert [*tmp_path.iterdir()] == []


def test_damaged_spool_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "influxdb-spool.sqlite3"
    with opened(tmp_path) as spool:
        spool.put(*_round(NOON, "power_watts=600"))
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE rounds SET points = 7")
        other.commit()
    with pytest.raises(SpoolUnavailableError, match="is not what its body says"):
        spooled_power(tmp_path, ECU, START, END)
    file.write_bytes(b"no database, " * 100)
    with pytest.raises(SpoolUnavailableError, match="not a database"):
        spooled_power(tmp_path, ECU, START, END)


class Answers:
    """Answers questions as a reader would ask them, and writes as it is told."""

    def __init__(self, write: Answer, *moments: datetime) -> None:
        self.write = write
        self.moments = moments

    def __call__(self, lines: list[str]) -> web.StreamResponse:
        return self.write(lines) if lines else web.json_response(rows(*self.moments))


def _destination(db: PretendedDatabase, folder: Path) -> InfluxdbDestination:
    return InfluxdbDestination(
        "db", influxql(db.url), V1Writer(db.url, "solar", None, None), folder, 300
    )


async def test_what_is_in_the_spool_counts_as_present(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.put(*_round(NOON, "power_watts=600"))
        async with database(Answers(taken)) as db:
            destination = _destination(db, tmp_path)
            assert await destination.present(DAY) == Present([NOON], energy=False)
            await destination.close()


THREE = DayPoints(tuple(PowerPoint(NOON + timedelta(minutes=5 * n), 600) for n in range(3)))


async def test_refused_lines_are_set_aside_and_the_others_written(tmp_path: Path) -> None:
    async with database(Answers(refusing("1780229100"))) as db:
        destination = _destination(db, tmp_path)
        assert await destination.write(DAY, THREE) == 1
        only_bad = DayPoints(THREE.power[1:2])
        assert await destination.write(DAY, only_bad) == 1  # it took others before
        await destination.close()
    assert {line.rpartition(" ")[2] for line in db.lines} == {"1780228800", "1780229400"}
    letters = (tmp_path / "influxdb-refused.lp").read_text().splitlines()
    assert (
        letters
        == [
            "# HTTP 400: field type conflict",
            "aps_ecu,ecu=216000000001 power_watts=600 1780229100",
        ]
        * 2
    )


async def test_database_that_refuses_everything_is_unavailable(tmp_path: Path) -> None:
    async with database(Answers(refusing("aps"))) as db:
        destination = _destination(db, tmp_path)
        with pytest.raises(SinkUnavailableError, match="every point is refused: HTTP 400"):
            await destination.write(DAY, THREE)
        await destination.close()
    assert not (tmp_path / "influxdb-refused.lp").exists()
