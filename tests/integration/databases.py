"""Real databases, and a proxy before them that can be told to misbehave."""

import gzip
import http.client
import json
import os
import signal
import socket
import threading
import time
from abc import abstractmethod
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlencode

import pytest

from tests.integration.programs import Program, running

Labels = frozenset[tuple[str, str]]
Series = dict[tuple[str, Labels], dict[int, float]]
"""Values by Unix seconds, by measurement_field and tags: as both databases name them here."""

Trouble = Literal["hang", "hang up", "lose answers", 400, 401, 404, 413, 503]

SECRET: Final = "kT7-never-to-be-seen"  # noqa: S105 - planted, to be looked for
DATABASE: Final = "solar"
ADMIN: Final = "admin"
ORGANISATION: Final = "home"
MOST_LINES_AT_ONCE: Final = 10
"""What the proxy lets through with trouble 413."""

_ANSWERS_WITHIN_SECONDS: Final = 20.0
_FIRST_SECOND: Final = 1
_LAST_SECOND: Final = 4_000_000_000


class Database(Protocol):
    """A database that can be started again where it was stopped."""

    @property
    def address(self) -> str:
        """Its host:port, the same at every start."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """How the exporter writes to it, without APS_INFLUXDB_URL."""
        ...

    def start(self) -> None:
        """Start it, and wait until it answers."""
        ...

    def stop(self) -> None:
        """Tell it to end, and wait until it has."""
        ...

    def series(self) -> Series:
        """All that is in it."""
        ...


class _Server:
    """A program that keeps its port and its folder from one start to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = free_address()
        self._running = ExitStack()

    def stop(self) -> None:
        self._running.close()

    def _started(
        self,
        *command: str,
        says: str,
        path: str,
        ends_on: signal.Signals = signal.SIGTERM,
        **environment: str,
    ) -> Program:
        program = self._running.enter_context(
            running(
                *command,
                says=says,
                folder=self.folder,
                environment=environment,
                ends_on=ends_on,
            )
        )
        _wait_for(self.address, path)
        return program


class VictoriaMetrics(_Server):
    """Written to through `/api/v2/write`."""

    settings: Final[Mapping[str, str]] = {
        "APS_INFLUXDB_TOKEN": SECRET,  # it asks for none, and the proxy may mind
        "APS_INFLUXDB_BUCKET": DATABASE,
    }

    def start(self) -> None:
        self._started(
            "victoria-metrics",
            f"-storageDataPath={self.folder / 'storage'}",
            f"-httpListenAddr={self.address}",
            "-retentionPeriod=100y",
            "-dedup.minScrapeInterval=1ms",
            "-memory.allowedBytes=100MB",
            says=r"starting http server at http://([^/]+)/",
            path="/health",
        )

    def series(self) -> Series:
        _request(self.address, "GET", "/internal/force_flush")
        every = {"match[]": '{__name__!=""}', "start": _FIRST_SECOND, "end": _LAST_SECOND}
        exported = _request(self.address, "GET", f"/api/v1/export?{urlencode(every)}")
        found: Series = {}
        for line in exported.splitlines():
            series = json.loads(line)
            labels = dict(series["metric"])
            key = labels.pop("__name__"), frozenset(labels.items())
            points = found.setdefault(key, {})
            for milliseconds, value in zip(series["timestamps"], series["values"], strict=True):
                seconds, rest = divmod(milliseconds, 1_000)
                assert (rest, seconds in points) == (0, False), f"{key} at {milliseconds} ms"
                points[seconds] = value
        return found


class InfluxDb(_Server):
    """Any that answers InfluxQL."""

    @property
    @abstractmethod
    def account(self) -> str:
        """What its administrator puts into `Authorization`."""

    def series(self) -> Series:
        found: Series = {}
        fields = {
            (series["name"], field)
            for series in self.ask("SHOW FIELD KEYS")
            for field, _ in series["values"]
        }
        for measurement, field in fields:
            select = f'SELECT "{field}" FROM "{measurement}" GROUP BY *'  # noqa: S608 - ours
            for series in self.ask(select):
                key = f"{measurement}_{field}", frozenset(series["tags"].items())
                points = dict(series["values"])
                assert len(points) == len(series["values"]), key
                found[key] = points
        return found

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that answer an InfluxQL query."""
        body = urlencode({"q": query, "db": DATABASE, "epoch": "s"})
        said = json.loads(_request(self.address, "POST", "/query", body, self.account))
        (result,) = said["results"]
        assert "error" not in result, result
        return list(result.get("series", []))


class InfluxDb1(InfluxDb):
    """InfluxDB 1.6, written to through `/write`, with authentication on."""

    settings: Final[Mapping[str, str]] = {
        "APS_INFLUXDB_API": "v1",
        "APS_INFLUXDB_DATABASE": DATABASE,
        "APS_INFLUXDB_USERNAME": ADMIN,
        "APS_INFLUXDB_PASSWORD": SECRET,
    }

    @property
    def account(self) -> str:
        return f"Basic {b64encode(f'{ADMIN}:{SECRET}'.encode()).decode()}"

    def start(self) -> None:
        is_new = not (self.folder / "meta").exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "empty.conf").touch()
        self._started(
            "influxd",
            "-config",
            str(self.folder / "empty.conf"),
            says=r'"Listening on HTTP".* addr=(\S+)',
            path="/ping",
            INFLUXDB_META_DIR=str(self.folder / "meta"),
            INFLUXDB_DATA_DIR=str(self.folder / "data"),
            INFLUXDB_DATA_WAL_DIR=str(self.folder / "wal"),
            INFLUXDB_BIND_ADDRESS="127.0.0.1:0",
            INFLUXDB_HTTP_BIND_ADDRESS=self.address,
            INFLUXDB_HTTP_AUTH_ENABLED="true",
            INFLUXDB_REPORTING_DISABLED="true",
        )
        if is_new:
            self.ask(f"CREATE USER {ADMIN} WITH PASSWORD '{SECRET}' WITH ALL PRIVILEGES")
            self.ask(f"CREATE DATABASE {DATABASE}")


class InfluxDb2(InfluxDb):
    """InfluxDB 2.7, written to through `/api/v2/write`; the variable INFLUXD2 says where it is."""

    settings: Final[Mapping[str, str]] = {
        "APS_INFLUXDB_TOKEN": SECRET,
        "APS_INFLUXDB_ORG": ORGANISATION,
        "APS_INFLUXDB_BUCKET": DATABASE,
    }

    @property
    def account(self) -> str:
        return f"Token {SECRET}"

    def start(self) -> None:
        is_new = not (self.folder / "bolt").exists()
        self._started(
            os.environ["INFLUXD2"],
            f"--bolt-path={self.folder / 'bolt'}",
            f"--sqlite-path={self.folder / 'sqlite'}",
            f"--engine-path={self.folder / 'engine'}",
            f"--http-bind-address={self.address}",
            "--reporting-disabled",
            says=r"msg=Listening .*addr=(\S+)",
            path="/health",
            ends_on=signal.SIGINT,  # SIGTERM kills it on the spot
            INFLUXD_CONFIG_PATH=str(self.folder),
        )
        if is_new:
            setup = {
                "username": ADMIN,
                "password": SECRET,
                "token": SECRET,
                "org": ORGANISATION,
                "bucket": DATABASE,
            }
            _request(self.address, "POST", "/api/v2/setup", json.dumps(setup))


Kind = type[VictoriaMetrics | InfluxDb1 | InfluxDb2]
EVERY_KIND: Final = (
    VictoriaMetrics,
    InfluxDb1,
    pytest.param(InfluxDb2, marks=pytest.mark.influxdb2),
)


@contextmanager
def started(database: Database) -> Iterator[Database]:
    """This database, until the context ends."""
    try:
        database.start()
        yield database
    finally:
        database.stop()


class Proxy(ThreadingHTTPServer):
    """Lets writes through to a database, unless it is told otherwise."""

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Through)
        self.upstream = upstream
        self.trouble: Trouble | None = None
        self.taken: list[list[str]] = []
        """The lines of each write that the database has taken, in the order of their coming."""
        self.troubled: set[Trouble] = set()
        """What somebody has run into."""

    @property
    def address(self) -> str:
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""


class _Through(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        lines = gzip.decompress(body).decode().splitlines()
        trouble = self.server.trouble
        if trouble == 413 and len(lines) <= MOST_LINES_AT_ONCE:
            trouble = None
        if trouble is not None:
            self.server.troubled.add(trouble)
        if isinstance(trouble, int):
            self._answer(trouble, b'{"error":"as told"}')
            return
        while trouble == "hang" == self.server.trouble:
            time.sleep(0.02)
        status: int = HTTPStatus.BAD_GATEWAY
        said = b""
        if trouble in {None, "lose answers"}:
            status, said = self._pass_on(body, lines)
        if trouble is not None or status == HTTPStatus.BAD_GATEWAY:
            self.close_connection = True
            return
        self._answer(status, said)

    def _pass_on(self, body: bytes, lines: list[str]) -> tuple[int, bytes]:
        headers = {n: v for n, v in self.headers.items() if n.lower() not in {"host", "connection"}}
        try:
            with closing(http.client.HTTPConnection(self.server.upstream, timeout=20)) as database:
                database.request("POST", self.path, body, headers)
                answer = database.getresponse()
                said = answer.read()
        except OSError:
            return HTTPStatus.BAD_GATEWAY, b""
        if answer.status == HTTPStatus.NO_CONTENT:
            self.server.taken.append(lines)
        return answer.status, said

    def _answer(self, status: int, said: bytes) -> None:
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if status != HTTPStatus.NO_CONTENT:
            self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy, at work until the context ends."""
    with Proxy(upstream) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.trouble = None
            server.shutdown()
            thread.join()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of line protocol."""

    measurement: str
    tags: Labels
    fields: Mapping[str, str]
    seconds: int

    @classmethod
    def parsed(cls, line: str) -> "Line":
        """Of lines without escapes, as ours are."""
        series, fields, seconds = line.split(" ")
        measurement, *tags = series.split(",")
        return cls(
            measurement,
            frozenset(_pair(tag) for tag in tags),
            dict(_pair(field) for field in fields.split(",")),
            int(seconds),
        )


def free_address() -> str:
    """A host:port of loopback where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        return f"{host}:{port}"


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _wait_for(address: str, path: str) -> None:
    deadline = time.monotonic() + _ANSWERS_WITHIN_SECONDS
    while True:
        try:
            _request(address, "GET", path)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _request(
    address: str, method: str, path: str, body: str | None = None, account: str | None = None
) -> str:
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    if account:
        headers["Authorization"] = account
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read().decode()
    assert answer.status < HTTPStatus.BAD_REQUEST, said
    return said
