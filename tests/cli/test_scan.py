"""`check --scan` on loopback networks of its own, where all listen on one port."""

import asyncio
import ipaddress
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

import pytest

from aps_exporter.scanning import ALLOWED_NETWORKS, parse_network, scan
from tests.cli.console import COMMAND, TRACEBACK, running, status_of
from tests.cli.listeners import Listener, listening
from tests.protocol.captures import capture_named
from tests.virtual_time import in_virtual_time

INFO_QUERY: Final = b"APS1100160001END\n"
INFO: Final = capture_named("pro-ds3x6-info-2026-04-23").raw
NETWORK: Final = "127.77.0.0/28"
EMPTY: Final = "127.77.9.0/28"
HTTP: Final = b"HTTP/1.1 400 Bad Request\r\n\r\n"

SIMULATED: Final = "127.77.0.3"
REAL, REAL_AGAIN, SILENT, WEB, CLOSING = (f"127.77.0.{number}" for number in (5, 11, 7, 8, 9))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scan printed, and its exit status."""

    status: object
    printed: str
    progress: str

    @property
    def words(self) -> str:
        return " ".join(self.printed.split())


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Some that listen in NETWORK, on one port."""

    port: int
    listeners: tuple[Listener, ...]


Check = Callable[..., Outcome]


@pytest.fixture(scope="module")
def neighbours() -> Iterator[Neighbours]:
    """A simulated ECU, a real reply on two addresses, and some that are no ECU."""
    with ExitStack() as stack:
        first = stack.enter_context(listening(INFO, host=REAL))
        replies = {REAL_AGAIN: INFO, SILENT: None, WEB: HTTP, CLOSING: b""}
        others = [
            stack.enter_context(listening(reply, host=host, port=first.port))
            for host, reply in replies.items()
        ]
        flags = ("--listen", f"{SIMULATED}:{first.port}", "--inverters", "qs1:1")
        assert stack.enter_context(running("simulate", *flags)).address
        yield Neighbours(first.port, (first, *others))


@pytest.fixture
def check(neighbours: Neighbours, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs `check` on the port of the neighbours, which are to answer fast."""

    def run_check(*arguments: str, **environment: str) -> Outcome:
        own = {"APS_ECU_PORT": str(neighbours.port), "APS_ECU_TIMEOUT": "0.5"}
        os.environ.update({**own, **environment})
        status = status_of("check", *arguments)
        return Outcome(status, *capsys.readouterr())

    return run_check


def test_scan_shows_every_ecu(check: Check) -> None:
    outcome = check("--scan", NETWORK)
    rows = [line.split() for line in outcome.printed.splitlines()[:4]]
    assert outcome.status == 0
    assert rows == [
        ["address", "model", "ECU", "id", "firmware"],
        [SIMULATED, "ECU-R", "216000000001", "ECU_R_1.2.22"],
        [REAL, "ECU-R-PRO", "216217718243", "ECU_R_PRO_2.1.29A"],
        [REAL_AGAIN, "ECU-R-PRO", "216217718243", "ECU_R_PRO_2.1.29A"],
    ]


def test_scan_shows_what_answers_but_is_no_ecu(check: Check, neighbours: Neighbours) -> None:
    printed = check("--scan", NETWORK).printed
    strangers = re.findall(
        r"^(\S+) answers on port (\d+), but not as an ECU \((\w+): ", printed, re.MULTILINE
    )
    port = str(neighbours.port)
    assert strangers == [
        (SILENT, port, "timeout"),
        (WEB, port, "framing"),
        (CLOSING, port, "closed"),
    ]


def test_scan_ends_with_the_commands_that_go_on(check: Check, neighbours: Neighbours) -> None:
    lines = check("--scan", NETWORK).printed.splitlines()
    port = neighbours.port
    assert lines[lines.index("Go on with:") :] == [
        "Go on with:",
        f"  aps-exporter check {SIMULATED}:{port}",
        f"  aps-exporter check {REAL}:{port}",
    ]


def test_command_that_goes_on_works(check: Check) -> None:
    last = check("--scan", f"{SIMULATED}/32").printed.splitlines()[-1].split()
    assert last[:2] == ["aps-exporter", "check"]
    assert check(last[2], APS_ECU_PAUSE="0").status == 0


def test_scan_sends_the_info_query_and_nothing_else(check: Check) -> None:
    with ExitStack() as stack:
        listeners = [stack.enter_context(listening(INFO, host="127.77.1.1"))]
        port = listeners[0].port
        for number, reply in enumerate((None, HTTP, b"", INFO[:60]), start=2):
            host = f"127.77.1.{number}"
            listeners.append(stack.enter_context(listening(reply, host=host, port=port)))
        assert check("--scan", "127.77.1.0/29", APS_ECU_PORT=str(port)).status == 0
    assert [listener.received for listener in listeners] == [[INFO_QUERY]] * 5


def test_scan_as_json_is_a_list(check: Check) -> None:
    outcome = check("--scan", NETWORK, "--json")
    entries: list[dict[str, Any]] = json.loads(outcome.printed)
    assert outcome.status == 0
    assert entries[1] == {
        "address": REAL,
        "model": "ECU-R-PRO",
        "ecu": "216217718243",
        "firmware": "ECU_R_PRO_2.1.29A",
        "error": None,
    }
    assert [e["address"] for e in entries if e["error"]] == [SILENT, WEB, CLOSING]
    assert [e["error"]["reason"] for e in entries if e["error"]] == ["timeout", "framing", "closed"]


def test_scan_that_finds_nothing_tells_the_usual_causes(check: Check) -> None:
    outcome = check("--scan", EMPTY)
    assert (outcome.status, "Go on" in outcome.printed) == (1, False)
    assert outcome.words.startswith(
        "No ECU was found. (14 addresses in 127.77.9.0/28: 0 silent, 14 "
    )
    assert "connect the ECU to your WiFi" in outcome.words
    assert "different networks" in outcome.words
    assert "unplug the ECU for ten seconds" in outcome.words


def test_scan_that_finds_nothing_but_strangers_has_failed(check: Check) -> None:
    outcome = check("--scan", f"{WEB}/32")
    assert outcome.status == 1
    assert f"{WEB} answers on port" in outcome.words
    assert "No ECU was found." in outcome.words


def test_scan_that_finds_nothing_as_json_is_an_empty_list(check: Check) -> None:
    outcome = check("--scan", EMPTY, "--json")
    assert (outcome.status, outcome.printed) == (1, "[]\n")


def test_host_bits_are_forgiven(check: Check) -> None:
    outcome = check("--scan", f"{REAL}/28")
    assert (outcome.status, outcome.progress.startswith(f"Looking for ECUs in {NETWORK},")) == (
        0,
        True,
    )


def test_progress_is_not_told_where_nobody_looks(check: Check, neighbours: Neighbours) -> None:
    progress = check("--scan", EMPTY).progress
    assert progress == f"Looking for ECUs in {EMPTY}, port {neighbours.port} ...\n"


def test_progress_is_told_on_a_terminal() -> None:
    terminal, end = pty.openpty()
    try:
        with subprocess.Popen(  # noqa: S603 - our own command
            [COMMAND, "check", "--scan", EMPTY],
            stdout=subprocess.PIPE,
            stderr=end,
            env={**os.environ, "APS_ECU_PORT": "1"},
        ) as command:
            assert command.stdout is not None
            printed = command.stdout.read()
        told = os.read(terminal, 10_000).decode()
    finally:
        os.close(terminal)
        os.close(end)
    assert "\r14 of 14 addresses" in told
    assert b"of 14 addresses\r" not in printed


@pytest.mark.parametrize("arguments", [(), ("127.0.0.1", "--scan", EMPTY)])
def test_either_a_host_or_a_network_is_needed(arguments: tuple[str, ...], check: Check) -> None:
    outcome = check(*arguments)
    assert (outcome.status, outcome.printed) == (2, "")
    assert outcome.progress == (
        "aps-exporter: check: expected either a HOST, or --scan CIDR to find one\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.0/24",
        "192.168.0.0/15",
        "192.168.0.0/21",
        "172.32.0.0/24",
        "169.254.0.0/24",
        "0.0.0.0/0",
        "fe80::/120",
        "2001:db8::/120",
        "::/128",
        "::2/128",
        "fd00::/117",
        "::ffff:192.168.1.0/120",
        "192.168.1.0/33",
        "192.168.1.x",
        "router",
        "",
    ],
)
def test_what_may_not_be_scanned_is_refused_with_what_may(text: str, check: Check) -> None:
    outcome = check("--scan", text)
    assert (outcome.status, outcome.printed) == (2, "")
    assert outcome.progress.startswith(
        f"aps-exporter: --scan={text}: expected a private network of at most 1,024 addresses"
    )
    assert [network for network in ALLOWED_NETWORKS if network not in outcome.progress] == []


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.168.1.0/24", "192.168.1.0/24"),
        ("192.168.1.20/24", "192.168.1.0/24"),
        ("192.168.1.20", "192.168.1.20/32"),
        ("10.255.252.0/22", "10.255.252.0/22"),
        ("172.31.255.0/24", "172.31.255.0/24"),
        ("fd12:3456::/118", "fd12:3456::/118"),
        ("::1", "::1/128"),
    ],
)
def test_private_networks_may_be_scanned(text: str, network: str) -> None:
    assert str(parse_network(text)) == network


@in_virtual_time
async def test_never_more_than_32_connects_are_under_way_and_each_has_half_a_second() -> None:
    under_way, most = set(), 0

    async def never(_: object, address: tuple[str, int]) -> None:
        nonlocal most
        under_way.add(address)
        most = max(most, len(under_way))
        try:
            await asyncio.sleep(3_600)
        finally:
            under_way.remove(address)

    loop = asyncio.get_running_loop()
    began, steps = loop.time(), []
    with patch.object(loop, "sock_connect", never):
        network = ipaddress.ip_network("10.1.0.0/22")
        found = await scan(network, 8899, 4, lambda *step: steps.append(step))
    assert most == 32
    assert loop.time() - began == pytest.approx(1_022 / 32 * 0.5, abs=0.5)
    assert (found.ecus, found.strangers) == ((), ())
    assert found.silent == {"timeout": 1_022}
    assert steps == [(tried, 1_022) for tried in range(1, 1_023)]


def test_scan_that_is_interrupted_ends_at_once(neighbours: Neighbours) -> None:
    silent = next(listener for listener in neighbours.listeners if listener.replies == [None])
    silent.asked.clear()
    flags = {"APS_ECU_PORT": str(neighbours.port), "APS_ECU_TIMEOUT": "60"}
    with running("check", "--scan", f"{SILENT}/32", **flags) as command:
        assert silent.asked.wait(10)
        status, seconds = command.stop(signal.SIGINT)
        output = command.output
    assert status == 130
    assert seconds < 2
    assert TRACEBACK not in output
