"""SIGTERM and SIGINT end what runs, within 3 seconds, whatever it is waiting for."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.cli.console import Running, Start, connect, running

LONGEST_STOP_SECONDS = 3.0
UNDER_WAY_SECONDS = 0.2
"""Long enough for the first query to be sent, once it says where it listens."""

LISTEN = ("--web.listen-address", "127.0.0.1:0")

COMMANDS_THAT_RUN = [
    ("serve", *LISTEN, "127.0.0.1:1"),
    ("demo", *LISTEN),
    ("simulate", "--listen", "127.0.0.1:0"),
]

DROPS_EXCEPTIONS = """
import contextlib, signal, sys

class SendsSigterm:
    def find_spec(self, name, *_):
        if name == "asyncio":
            sys.meta_path.remove(self)
            with contextlib.suppress(BaseException):
                signal.raise_signal(signal.SIGTERM)

sys.meta_path.insert(0, SendsSigterm())
"""
"""A sitecustomize.py: SIGTERM comes while asyncio is imported, where what is raised gets lost."""

of_each_signal = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def _stops_well(running: Running, number: signal.Signals = signal.SIGTERM) -> None:
    status, seconds = running.stop(number)
    assert status == 0
    assert seconds < LONGEST_STOP_SECONDS
    assert [word for word in ("Traceback", "Warning", "never") if word in running.output] == []


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """The address of something that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """An address where nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(scope="module")
def dead() -> Iterator[str]:
    """An address where no connection is ever made: what listens there has its queue full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            queued = stack.enter_context(socket.socket())
            queued.settimeout(0)
            with suppress(BlockingIOError):
                queued.connect(server.getsockname())
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def hosts(ecu: str, silent: str, refusing: str, dead: str) -> dict[str, str]:
    """An ECU of each kind there is to wait for."""
    return {
        "healthy": ecu,
        "silent": silent,
        "refusing": refusing,
        "dead": dead,
        "unresolvable": "nosuch.invalid",
    }


@pytest.fixture(scope="module")
def serves(hosts: dict[str, str]) -> Iterator[dict[tuple[str, signal.Signals], Running]]:
    """An exporter for each kind of ECU and each signal, all started at once to save time."""
    with ExitStack() as stack:
        started = {
            (kind, number): stack.enter_context(running("serve", *LISTEN, host))
            for kind, host in hosts.items()
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        assert all(serve.address for serve in started.values())
        time.sleep(UNDER_WAY_SECONDS)
        yield started


@of_each_signal
@pytest.mark.parametrize("kind", ["healthy", "silent", "refusing", "dead", "unresolvable"])
def test_serve_ends_whatever_its_ecu_does(
    number: signal.Signals, kind: str, serves: dict[tuple[str, signal.Signals], Running]
) -> None:
    _stops_well(serves[kind, number], number)


def test_serve_ends_with_many_ecus_of_every_kind(hosts: dict[str, str], start: Start) -> None:
    targets = [f"{kind}{place}={host}" for kind, host in hosts.items() for place in range(5)]
    serve = start("serve", *LISTEN, *targets)
    assert serve.address
    time.sleep(UNDER_WAY_SECONDS)
    _stops_well(serve)


def test_serve_ends_while_the_name_server_keeps_silent(tmp_path: Path, start: Start) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, time\nsocket.getaddrinfo = lambda *_, **__: time.sleep(60)\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", str(tmp_path))])
    serve = start("serve", *LISTEN, "ecu.lan", PYTHONPATH=path)
    assert serve.address
    time.sleep(UNDER_WAY_SECONDS)
    assert "resolve" not in serve.output
    _stops_well(serve)


def test_serve_ends_while_a_scrape_waits(silent: str, start: Start) -> None:
    serve = start("serve", *LISTEN, silent)
    with connect(serve.address) as scraper:
        scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(UNDER_WAY_SECONDS)
        _stops_well(serve)


@pytest.mark.parametrize(
    "request_bytes",
    [b"", b"GET /metr", b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"],
    ids=["nothing", "half a request", "keep-alive"],
)
def test_serve_ends_while_a_client_stays_connected(
    request_bytes: bytes, ecu: str, start: Start
) -> None:
    serve = start("serve", *LISTEN, ecu)
    with connect(serve.address) as client:
        client.sendall(request_bytes)
        time.sleep(UNDER_WAY_SECONDS)
        _stops_well(serve)


@of_each_signal
def test_demo_ends(number: signal.Signals, start: Start) -> None:
    demo = start("demo", *LISTEN)
    demo.wait_for("(ECU found)")
    _stops_well(demo, number)


@of_each_signal
@pytest.mark.parametrize("fault", [(), ("--fault", "silent")], ids=["good", "silent"])
def test_simulate_ends_while_a_client_stays_connected(
    number: signal.Signals, fault: tuple[str, ...], start: Start
) -> None:
    simulator = start("simulate", "--listen", "127.0.0.1:0", *fault)
    with connect(simulator.address) as one, connect(simulator.address) as another:
        one.sendall(b"APS1100160001END\n")
        another.sendall(b"APS11")
        time.sleep(UNDER_WAY_SECONDS)
        _stops_well(simulator, number)


@pytest.mark.parametrize("milliseconds", [50, 100, 200, 300])
@pytest.mark.parametrize("command", COMMANDS_THAT_RUN, ids=lambda command: command[0])
def test_sigterm_right_after_the_start_ends_well(
    command: tuple[str, ...], milliseconds: int, start: Start
) -> None:
    """Until the interpreter runs anything of ours, it ends by the signal; no command can help."""
    begun = start(*command)
    time.sleep(milliseconds / 1_000)
    status, seconds = begun.stop()
    assert status in {0, -signal.SIGTERM}
    assert seconds < LONGEST_STOP_SECONDS
    assert [word for word in ("Traceback", "Warning", "never") if word in begun.output] == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("milliseconds", [0, 20, 50, 100, 200, 300])
@pytest.mark.parametrize("command", COMMANDS_THAT_RUN, ids=lambda command: command[0])
def test_sigterm_ends_well_from_the_moment_it_is_taken(
    command: tuple[str, ...], milliseconds: int, start: Start
) -> None:
    begun = start(*command)
    begun.wait_until_it_takes_sigterm()
    time.sleep(milliseconds / 1_000)
    _stops_well(begun)


@pytest.mark.parametrize("command", COMMANDS_THAT_RUN, ids=lambda command: command[0])
def test_sigterm_is_not_lost_where_python_drops_exceptions(
    command: tuple[str, ...], tmp_path: Path, start: Start
) -> None:
    """While modules load there is such code, in C, in `__del__` and behind `except:`."""
    (tmp_path / "sitecustomize.py").write_text(DROPS_EXCEPTIONS, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", str(tmp_path))])
    begun = start(*command, PYTHONPATH=path)
    try:
        assert begun.process.wait(LONGEST_STOP_SECONDS) == 0
    finally:
        begun.process.kill()
