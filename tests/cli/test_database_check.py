"""`check` and `config` try the configured database; `serve` lives and ends well without it."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.console import PATIENCE_SECONDS, TRACEBACK, Running, Start, get, status_of
from tests.cli.listeners import listening
from tests.influxdb.databases import Answer, PretendedDatabase, answering, database, taken

SECRET = "kT7-never-to-be-seen"  # noqa: S105 - planted, to be looked for
LONGEST_STOP_SECONDS = 3.0
SETTINGS = {
    "v1": {
        "APS_INFLUXDB_API": "v1",
        "APS_INFLUXDB_DATABASE": "solar",
        "APS_INFLUXDB_USERNAME": "aps",
        "APS_INFLUXDB_PASSWORD": SECRET,
    },
    "v2": {
        "APS_INFLUXDB_BUCKET": "solar",
        "APS_INFLUXDB_ORG": "home",
        "APS_INFLUXDB_TOKEN": SECRET,
    },
}
TROUBLES = {
    "wrong token": (answering(401, "unauthorized access"), "unauthorized", "APS_INFLUXDB_TOKEN"),
    "no permission": (answering(403, "forbidden"), "unauthorized", "that they may write there"),
    "no such bucket": (answering(404, "bucket not found"), "not_found", "APS_INFLUXDB_BUCKET"),
    "no database at all": (answering(200, "<html>"), "unexpected", "no InfluxDB"),
    "redirect": (answering(302, Location="/login"), "unexpected", "a page that redirects"),
    "ill": (answering(500, "panic"), "server_error", "the database's own log"),
    "busy": (answering(429, "wait"), "busy", "nothing to do"),
}
"""An answer, the reason that is told, and a part of the advice."""


@contextmanager
def _pretended(answer: Answer) -> Iterator[PretendedDatabase]:
    """A database in a thread of its own: a command takes the main thread."""
    is_over = asyncio.Event()
    started: list[PretendedDatabase] = []
    has_started = threading.Event()

    async def serve() -> None:
        async with database(answer) as pretended:
            started.append(pretended)
            has_started.set()
            await is_over.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert has_started.wait(10)
        yield started[0]
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join()
        loop.close()


@contextmanager
def _closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(params=SETTINGS)
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    return dict(SETTINGS[request.param])


Command = Callable[[str], list[str]]
COMMANDS: dict[str, Command] = {
    "check": lambda ecu: ["check", ecu],
    "check --json": lambda ecu: ["check", "--json", ecu],
    "config": lambda _: ["config"],
}


@pytest.fixture(params=COMMANDS)
def arguments(request: pytest.FixtureRequest, ecu: str) -> list[str]:
    os.environ.update({"APS_ECU_HOSTS": ecu, "APS_ECU_PAUSE": "0"})
    return COMMANDS[request.param](ecu)


def _outcome(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    """Exit status, standard output, and all that was said, on one line."""
    status = status_of(*arguments)
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert TRACEBACK not in out + err
    if "--json" in arguments:
        assert json.loads(out)["up"] is True
    return status, out, " ".join((out + err).split())


def test_database_that_lets_us_write_is_fine(
    arguments: list[str], settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with _pretended(taken) as pretended:
        os.environ.update(settings, APS_INFLUXDB_URL=pretended.url)
        status, _, said = _outcome(arguments, capsys)
    assert status == 0
    assert (f"InfluxDB at {pretended.url} lets us write." in said) == (arguments[0] == "check")
    assert [line for line in pretended.lines if not line.startswith("#")] == []


@pytest.mark.parametrize("trouble", TROUBLES)
def test_database_that_does_not_is_explained(
    trouble: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    answer, reason, advice = TROUBLES[trouble]
    with _pretended(answer) as pretended:
        os.environ.update(SETTINGS["v2"], APS_INFLUXDB_URL=pretended.url)
        status, _, said = _outcome(arguments, capsys)
    assert status == 1
    assert f"InfluxDB at {pretended.url}: {reason} (" in said
    assert advice in said


def test_server_that_refuses_is_told_with_what_it_says(
    arguments: list[str], settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with _pretended(answering(400, "an HTTP request to an HTTPS server")) as pretended:
        os.environ.update(settings, APS_INFLUXDB_URL=pretended.url)
        status, _, said = _outcome(arguments, capsys)
    assert status == 1
    assert "rejected (HTTP 400: an HTTP request to an HTTPS server)" in said


def test_port_where_nothing_listens_is_explained(
    arguments: list[str], settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with _closed_port() as port:
        os.environ.update(settings, APS_INFLUXDB_URL=f"http://127.0.0.1:{port}")
        status, _, said = _outcome(arguments, capsys)
    assert status == 1
    assert "network (Cannot connect to host 127.0.0.1" in said
    assert "check APS_INFLUXDB_URL, and that the database runs" in said


def test_name_that_nobody_knows_is_explained(
    arguments: list[str], settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ.update(settings, APS_INFLUXDB_URL="http://nosuch.invalid:8086")
    status, _, said = _outcome(arguments, capsys)
    assert status == 1
    assert "network (Cannot connect to host nosuch.invalid:8086" in said


def test_port_that_speaks_no_tls_is_explained(
    arguments: list[str], settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with _pretended(taken) as pretended:
        https = pretended.url.replace("http:", "https:")
        os.environ.update(settings, APS_INFLUXDB_URL=https)
        status, _, said = _outcome(arguments, capsys)
    assert status == 1
    assert f"InfluxDB at {https}: tls (" in said
    assert "trusts the certificate" in said


def test_check_of_a_bad_ecu_tells_of_the_database_too(capsys: pytest.CaptureFixture[str]) -> None:
    with _pretended(taken) as pretended:
        os.environ.update(SETTINGS["v2"], APS_INFLUXDB_URL=pretended.url)
        status = status_of("check", "127.0.0.1:1")
    assert status == 1
    printed = capsys.readouterr().out
    assert "The info query failed: " in printed
    assert "lets us write." in printed


def test_config_with_a_fault_asks_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    with _pretended(taken) as pretended:
        os.environ.update(
            SETTINGS["v2"], APS_INFLUXDB_URL=pretended.url, APS_ECU_HOSTS="x", APS_ECU_PORT="0"
        )
        assert status_of("config") == 2
        assert pretended.requests == []
    assert "APS_ECU_PORT=0: expected " in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["/dev/null/state", "/proc/state"])
def test_serve_without_a_folder_for_the_spool_says_so(folder: str, ecu: str, start: Start) -> None:
    with _closed_port() as port:
        serve = _serve(start, ecu, f"http://127.0.0.1:{port}", "v2", Path(folder))
        assert serve.process.wait(PATIENCE_SECONDS) == 2
    assert serve.output.startswith(
        f"aps-exporter: APS_STATE_DIR={folder}: expected a folder to write to, as the InfluxDB "
        "pusher keeps there what it has not sent yet: "
    )
    assert len(serve.output.splitlines()) == 1


def _serve(start: Start, ecu: str, url: str, api: str, folder: Path) -> Running:
    return start(
        *("serve", ecu, "--web.listen-address", "127.0.0.1:0"),
        **SETTINGS[api],
        APS_INFLUXDB_URL=url,
        APS_ECU_PAUSE="0",
        APS_STATE_DIR=str(folder),
    )


def _stops_well(serve: Running, number: signal.Signals) -> None:
    status, seconds = serve.stop(number)
    assert status == 0
    assert seconds < LONGEST_STOP_SECONDS
    assert [word for word in (TRACEBACK, "Warning", "never") if word in serve.output] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("api", SETTINGS)
def test_serve_ends_while_the_database_hangs(
    number: signal.Signals, api: str, start: Start, ecu: str, tmp_path: Path
) -> None:
    with listening(None) as silent:
        serve = _serve(start, ecu, f"http://{silent.host}", api, tmp_path / "state")
        assert silent.asked.wait(20)
        assert get(serve.address, "/metrics")[0] == 200
        _stops_well(serve, number)


@pytest.mark.parametrize("api", SETTINGS)
def test_serve_ends_while_the_database_is_dead(
    api: str, start: Start, ecu: str, tmp_path: Path
) -> None:
    with _closed_port() as port:
        serve = _serve(start, ecu, f"http://127.0.0.1:{port}", api, tmp_path / "state")
        serve.wait_for("(InfluxDB takes no points)")
        _stops_well(serve, signal.SIGTERM)


@pytest.mark.parametrize("api", SETTINGS)
def test_what_was_not_taken_is_sent_after_a_restart(
    api: str, start: Start, ecu: str, tmp_path: Path
) -> None:
    with _pretended(answering(503)) as pretended:
        serve = _serve(start, ecu, pretended.url, api, tmp_path / "state")
        serve.wait_for("(InfluxDB takes no points)")
        _stops_well(serve, signal.SIGTERM)
        assert pretended.bodies
        refused = pretended.bodies[0]
        pretended.answer = taken
        again = _serve(start, "127.0.0.1:1", pretended.url, api, tmp_path / "state")
        while "\naps_influxdb_up 1.0\n" not in get(again.address, "/metrics")[1]:
            time.sleep(0.02)
        _stops_well(again, signal.SIGTERM)
        assert {*pretended.lines} >= {*refused}
