import socket
from collections.abc import Callable

import pytest
from aiohttp import web

from aps_exporter.errors import SinkRejectedError, SinkUnavailableError
from aps_exporter.sinks.influxdb.writers import V1Writer, V2Writer, Writer
from tests.influxdb.databases import answering, database

LINES = ["aps_ecu,ecu=216000000001 power_watts=5 1780000000", "aps_ecu,ecu=2 power_watts=6 1"]
TOKEN = "kT7-never-to-be-seen"  # noqa: S105 - planted, to be looked for

NewWriter = Callable[[str], Writer]


def v2(url: str) -> Writer:
    return V2Writer(url, TOKEN, "home", "solar")


def v1(url: str) -> Writer:
    return V1Writer(url, "solar", "aps", TOKEN)


both = pytest.mark.parametrize("new_writer", [v1, v2])


async def _failure(new_writer: NewWriter, url: str) -> SinkUnavailableError:
    writer = new_writer(url)
    try:
        with pytest.raises(SinkUnavailableError) as raised:
            await writer.write(LINES)
    finally:
        await writer.close()
    return raised.value


async def test_v2_writes_gzipped_lines_to_its_bucket_with_its_token() -> None:
    async with database() as db:
        writer = v2(db.url)
        await writer.write(LINES)
        await writer.close()
    (request,) = db.requests
    assert (request.method, request.path) == ("POST", "/api/v2/write")
    assert dict(request.query) == {"org": "home", "bucket": "solar", "precision": "s"}
    assert request.headers["Authorization"] == f"Token {TOKEN}"
    assert request.headers["Content-Encoding"] == "gzip"
    assert db.lines == LINES


async def test_v1_writes_gzipped_lines_to_its_database_with_user_and_password() -> None:
    async with database() as db:
        writer = v1(db.url)
        await writer.write(LINES)
        await writer.close()
    (request,) = db.requests
    assert (request.method, request.path) == ("POST", "/write")
    assert dict(request.query) == {"db": "solar", "precision": "s"}
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.headers["Content-Encoding"] == "gzip"
    assert db.lines == LINES


@pytest.mark.parametrize(
    "new_writer",
    [lambda url: V1Writer(url, "solar", None, None), lambda url: V2Writer(url, None, None, None)],
)
async def test_without_credentials_none_are_sent(new_writer: NewWriter) -> None:
    async with database() as db:
        writer = new_writer(db.url)
        await writer.write(LINES)
        await writer.close()
    assert "Authorization" not in db.requests[0].headers


@both
async def test_address_may_have_a_path(new_writer: NewWriter) -> None:
    async with database() as db:
        writer = new_writer(f"{db.url}/influx")
        await writer.write(LINES)
        await writer.close()
    assert db.requests[0].path.startswith("/influx/")


@both
@pytest.mark.parametrize(
    ("status", "reason", "is_lasting"),
    [
        (401, "unauthorized", True),
        (403, "unauthorized", True),
        (404, "not_found", True),
        (429, "busy", False),
        (500, "server_error", False),
        (502, "server_error", False),
        (503, "server_error", False),
        (200, "unexpected", True),
        (405, "unexpected", True),
        (301, "unexpected", True),
        (307, "unexpected", True),
    ],
)
async def test_each_answer_means_something(
    new_writer: NewWriter, status: int, reason: str, *, is_lasting: bool
) -> None:
    answer = answering(status, "<html>", Location="/elsewhere") if status < 400 else None
    async with database(answer or answering(status, "no")) as db:
        failure = await _failure(new_writer, db.url)
        assert (failure.reason, failure.is_lasting) == (reason, is_lasting)
        assert str(status) in failure.detail
        assert len(db.requests) == 1  # no redirect is followed


@both
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_refusal_says_what_the_database_said(new_writer: NewWriter, status: int) -> None:
    async with database(answering(status, "field type\nconflict")) as db:
        writer = new_writer(db.url)
        with pytest.raises(SinkRejectedError, match=f"HTTP {status}: field typeconflict"):
            await writer.write(LINES)
        await writer.close()


@both
@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("120", 120), ("0", 0), ("999999", 3_600), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-5", 0)],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_wish_to_be_left_alone_is_heard(
    new_writer: NewWriter, asked: str, seconds: float, status: int
) -> None:
    async with database(answering(status, Retry_After=asked)) as db:
        assert (await _failure(new_writer, db.url)).retry_after == seconds


@both
async def test_closed_port_is_a_network_failure(new_writer: NewWriter) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    failure = await _failure(new_writer, f"http://127.0.0.1:{port}")
    assert (failure.reason, failure.is_lasting) == ("network", False)
    assert "127.0.0.1" in failure.detail


@both
async def test_unknown_name_is_a_network_failure(new_writer: NewWriter) -> None:
    failure = await _failure(new_writer, "http://no-such-host.invalid:8086")
    assert failure.reason == "network"


@both
async def test_plain_http_where_tls_is_expected_will_not_mend_itself(
    new_writer: NewWriter,
) -> None:
    async with database() as db:
        failure = await _failure(new_writer, db.url.replace("http:", "https:"))
    assert (failure.reason, failure.is_lasting) == ("tls", True)


@both
async def test_name_that_no_dns_can_have_is_a_network_failure(new_writer: NewWriter) -> None:
    assert (await _failure(new_writer, "http://db..lan:8086")).reason == "network"


@both
async def test_hanging_database_is_left_after_a_while(
    new_writer: NewWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aps_exporter.sinks.influxdb.writers.TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        failure = await _failure(new_writer, f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert (failure.reason, failure.detail) == ("network", "no answer in time")


@both
async def test_connection_lost_half_way_is_a_network_failure(new_writer: NewWriter) -> None:
    def hang_up(_: list[str]) -> web.StreamResponse:
        raise ConnectionResetError

    async with database(hang_up) as db:
        failure = await _failure(new_writer, db.url)
    assert failure.reason in {"network", "server_error"}


@both
@pytest.mark.parametrize("status", [401, 400, 500, 200])
async def test_no_failure_shows_a_secret(new_writer: NewWriter, status: int) -> None:
    async with database(answering(status, "no")) as db:
        writer = new_writer(db.url)
        with pytest.raises((SinkUnavailableError, SinkRejectedError)) as raised:
            await writer.write(LINES)
        await writer.close()
    assert TOKEN not in repr(raised.value) + str(raised.value)
