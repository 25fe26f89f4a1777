"""What every command has in common, and `config`, `serve` and `healthcheck`."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from aps_exporter import __version__
from tests.cli.console import EITHER_FAMILY_FIRST, TRACEBACK, Start, get, run, status_of

COMMANDS = ["serve", "demo", "simulate", "check", "decode", "config", "healthcheck"]
NO_LISTEN_ADDRESS = ["nosuch.invalid:0", "192.0.2.1:0", "two..dots:0", f"{'x' * 64}:0"]


@contextmanager
def _taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_version_is_printed() -> None:
    ended = run("--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        0,
        f"aps-exporter {__version__}\n",
        "",
    )


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command(flag: str) -> None:
    ended = run(flag)
    words = ended.stdout.split()
    assert (ended.returncode, [name for name in COMMANDS if name not in words]) == (0, [])


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(command, "--help") == 0
    assert capsys.readouterr().out.startswith(f"usage: aps-exporter {command} ")


def test_no_command_means_serve() -> None:
    ended = run()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("aps-exporter: APS_ECU_HOSTS: not set, and no HOST given: ")


@pytest.mark.parametrize("arguments", [["bogus"], ["--bogus"], ["serve", "--bogus"]], ids=" ".join)
def test_what_is_no_command_or_flag_is_named(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "bogus" in ended.stderr.splitlines()[-1]
    assert TRACEBACK not in ended.stderr


@pytest.mark.parametrize(
    "arguments", [["decode", "reply"], ["config"], ["--help"], ["demo", "--help"]], ids=" ".join
)
def test_reader_of_the_output_may_go_away(arguments: list[str]) -> None:
    Path("reply").write_bytes(b"APS110015000202\n")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = run(*arguments, stdout=writing, APS_ECU_HOSTS="192.168.1.20")
    finally:
        os.close(writing)
    assert ended.stderr == ""


def test_config_prints_the_effective_configuration() -> None:
    ended = run(
        "config", APS_ECU_HOSTS="roof=192.168.1.20", APS_REFRESH="600", APS_LISTEN_ADDRESS=""
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert dict(line.split("=", 1) for line in ended.stdout.splitlines()) == {
        "APS_ECU_HOSTS": "roof=192.168.1.20",
        "APS_ECU_PORT": "8899",
        "APS_ECU_TIMEOUT": "10",
        "APS_ECU_PAUSE": "0.5",
        "APS_REFRESH": "600",
        "APS_STALE_AFTER": "900",
        "APS_TIMEZONE": "",
        "APS_LISTEN_ADDRESS": ":10899",
        "APS_METRICS_PATH": "/metrics",
        "APS_STATE_DIR": "./aps-exporter-state",
        "APS_PANELS_FILE": "",
        "APS_LOG_LEVEL": "info",
        "APS_LOG_FORMAT": "logfmt",
        "APS_INFLUXDB_URL": "",
        "APS_INFLUXDB_API": "v2",
        "APS_INFLUXDB_TOKEN": "",
        "APS_INFLUXDB_ORG": "",
        "APS_INFLUXDB_BUCKET": "",
        "APS_INFLUXDB_DATABASE": "",
        "APS_INFLUXDB_USERNAME": "",
        "APS_INFLUXDB_PASSWORD": "",
        "APS_INFLUXDB_SPOOL_MAX_MIB": "256",
    }


def test_config_with_faults_ends_with_status_2() -> None:
    ended = run("config", APS_ECU_HOSTS="192.168.1.20", APS_REFRESH="5", APS_LOG_LEVEL="loud")
    assert ended.returncode == 2
    assert [line.partition(": expected")[0] for line in ended.stderr.splitlines()] == [
        "aps-exporter: APS_REFRESH=5",
        "aps-exporter: APS_LOG_LEVEL=loud",
    ]
    assert "APS_ECU_TIMEOUT=10" in ended.stdout


@pytest.mark.parametrize("host", ["http://192.168.1.20", "999.1.1.1", "192.168.1.20:99999"])
def test_serve_with_a_bad_host_says_so_in_one_line(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("serve", host) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"aps-exporter: HOST={host}: expected ")


def test_serve_on_a_taken_port_says_so_in_one_line() -> None:
    with _taken_port() as port:
        ended = run("serve", "127.0.0.1:1", "--web.listen-address", f"127.0.0.1:{port}")
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert line.startswith(f"aps-exporter: cannot listen on 127.0.0.1:{port}: ")
    assert "in use" in line


@pytest.mark.parametrize("address", NO_LISTEN_ADDRESS)
def test_serve_where_nobody_can_listen_says_so_in_one_line(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("serve", "127.0.0.1:1", "--web.listen-address", address) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert address in line


@pytest.mark.parametrize("seed", EITHER_FAMILY_FIRST)
@pytest.mark.parametrize(
    "command", [["serve", "127.0.0.1:1"], ["demo"]], ids=lambda words: words[0]
)
def test_port_that_is_told_is_that_of_ipv4_where_no_host_is_given(
    command: list[str], seed: str, start: Start
) -> None:
    told = start(*command, "--web.listen-address", ":0", PYTHONHASHSEED=seed).address
    assert get(f"127.0.0.1:{told.rpartition(':')[2]}", "/-/healthy") == (200, "healthy\n")


def test_serve_serves_what_the_ecu_says(exporter: str) -> None:
    status, page = get(exporter, "/metrics")
    assert status == 200
    assert 'aps_inverter_online{ecu="216000000001",inverter="802000000001"} 1.0' in page


def test_serve_calls_an_ecu_by_its_name(ecu: str, start: Start) -> None:
    flags = ("--web.listen-address", "127.0.0.1:0")
    serve = start("serve", *flags, f"roof={ecu}", APS_ECU_PAUSE="0")
    assert 'aps_up{target="roof"} 1.0' in get(serve.address, "/metrics")[1]


def test_serve_has_its_metrics_where_it_is_told(ecu: str, start: Start) -> None:
    flags = ("--web.listen-address", "127.0.0.1:0", "--web.telemetry-path", "/solar")
    address = start(*flags, APS_ECU_HOSTS=ecu, APS_ECU_PAUSE="0").address
    assert [get(address, path)[0] for path in ("/solar", "/metrics")] == [200, 404]


@pytest.mark.parametrize(
    "names",
    [
        ["process_cpu_seconds_total"],
        ["python_info"],
        ["process_cpu_seconds_total", "python_info", "aps_up"],
        ["python_gc_collections_total"],
    ],
    ids=" ".join,
)
def test_metrics_that_are_asked_for_by_name_come_alone(names: list[str], exporter: str) -> None:
    query = "&".join(f"name[]={name}" for name in names)
    status, page = get(exporter, f"/metrics?{query}")
    samples = {sample.name for family in parse(page) for sample in family.samples}
    assert (status, samples) == (200, set(names))


def test_name_that_no_metric_has_gets_no_metrics(exporter: str) -> None:
    assert get(exporter, "/metrics?name[]=nosuch") == (200, "")


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "localhost:{}"])
def test_healthcheck_of_a_healthy_exporter_ends_with_status_0(form: str, exporter: str) -> None:
    address = form.format(exporter.rpartition(":")[2])
    assert status_of("healthcheck", "--web.listen-address", address) == 0


@pytest.mark.parametrize("form", [":{}", "0.0.0.0:{}", "[::]:{}"])
def test_healthcheck_asks_loopback_of_an_exporter_on_every_interface(
    form: str, ecu: str, start: Start
) -> None:
    with _taken_port() as free_in_a_moment:
        address = form.format(free_in_a_moment)
    start("serve", ecu, APS_LISTEN_ADDRESS=address).wait_for("(listening)")
    os.environ["APS_LISTEN_ADDRESS"] = address
    assert status_of("healthcheck") == 0


def test_healthcheck_says_nothing_to_standard_error_when_all_is_well(exporter: str) -> None:
    ended = run("healthcheck", APS_LISTEN_ADDRESS=exporter)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "healthy\n", "")


def test_healthcheck_starts_no_web_server() -> None:
    imported = _modules_after("healthcheck", "--web.listen-address", "127.0.0.1:1")
    assert "aps_exporter.cli.healthcheck" in imported
    assert {"aiohttp", "prometheus_client"} & imported == set()


def test_modules_of_a_command_that_serves_are_told() -> None:
    assert "aiohttp" in _modules_after("check", "127.0.0.1:1")


def _modules_after(*arguments: str) -> set[str]:
    """What is imported once this command has ended."""
    program = (
        f"import sys; from aps_exporter.cli import main; main({arguments!r}); print(*sys.modules)"
    )
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    return set(ended.stdout.splitlines()[-1].split())


@pytest.fixture
def crooked(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of something that gives this answer to whoever asks first, and hangs up."""
    answer: bytes = request.param

    def serve(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.recv(4_096)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=[server])
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "crooked",
    [b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 503 Service Unavailable\r\n\r\n"],
    indirect=True,
    ids=["404", "503"],
)
def test_healthcheck_of_another_answer_ends_with_status_1(
    crooked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("healthcheck", "--web.listen-address", crooked) == 1
    assert capsys.readouterr().err.startswith(f"not healthy: {crooked} answers ")


@pytest.mark.parametrize(
    "crooked", [b"", b"APS110015000202\n"], indirect=True, ids=["nothing", "an ECU's"]
)
def test_healthcheck_of_no_web_answer_ends_with_status_1(
    crooked: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("healthcheck", "--web.listen-address", crooked) == 1
    assert capsys.readouterr().err.startswith(f"not healthy: no answer from {crooked}: ")


def test_healthcheck_where_nobody_listens_ends_with_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("healthcheck", "--web.listen-address", "127.0.0.1:1") == 1
    assert capsys.readouterr().err.startswith("not healthy: no answer from 127.0.0.1:1: ")


def test_healthcheck_of_an_exporter_that_hangs_ends_with_status_1() -> None:
    with _taken_port() as port:
        assert status_of("healthcheck", "--web.listen-address", f"127.0.0.1:{port}") == 1


@pytest.mark.parametrize("address", NO_LISTEN_ADDRESS[2:])
def test_healthcheck_of_what_is_no_name_ends_without_a_traceback(address: str) -> None:
    assert status_of("healthcheck", "--web.listen-address", address) in {1, 2}


def test_healthcheck_of_a_bad_address_ends_with_status_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status_of("healthcheck", "--web.listen-address", "10899") == 2
    assert capsys.readouterr().err.startswith("aps-exporter: --web.listen-address=10899: expected")
