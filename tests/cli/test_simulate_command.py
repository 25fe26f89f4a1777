"""`simulate` and `demo`."""

import json
import os
import re
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aps_exporter.config import Config
from aps_exporter.errors import ConfigError
from tests.cli.console import (
    EITHER_FAMILY_FIRST,
    PATIENCE_SECONDS,
    Running,
    Start,
    connect,
    get,
    running,
    status_of,
)
from tests.protocol.captures import CAPTURE_FILE, capture_named

INFO = b"APS1100160001END\n"
INVERTERS = b"APS1100280002216000000001END\n"
SIGNAL = b"APS1100280030216000000001END\n"

REPLAYED = "ecur-yc600x7-2020-11-24"

ON_A_FREE_PORT = ("--listen", "127.0.0.1:0")
LISTEN = ("--web.listen-address", "127.0.0.1:0")

OWN_ADDRESSES = ["127.0.0.1", *(["127.0.0.2"] if sys.platform == "linux" else [])]
"""Linux has all of 127.0.0.0/8; what listens on 127.0.0.1 alone is not found on the others."""

ALONE_SECONDS = 4.0
"""At a speed of 300, four rounds and more than the 900 seconds after which values are withdrawn."""

BAD_OPTIONS = {
    "--inverters": ["qs9:1", "qs1:x", "qs1:-1", "qs1:0", "qs1:301", ":3", "qs1:1;ds3:1", "qs1:1,"],
    "--speed": ["0", "-1", "0.05", "1001", "nan", "inf", "fast", ""],
    "--sun": ["25:00", "noon", "11h", "", "11:00+02:00", "11:00Z"],
    "--listen": [
        *("8899", "127.0.0.1", "127.0.0.1:65536", "http://127.0.0.1:8899", "999.1.1.1:8899"),
        *("two..dots:0", "nosuch.invalid:0"),
    ],
    "--fault": ["sleepy"],
    "--model": ["ecu-3"],
}


def _ask(address: str, request: bytes) -> bytes:
    """The reply to one query, as long as its header says and one byte more."""
    reply = b""
    with connect(address) as connection:
        connection.sendall(request)
        while len(reply) < 9 or len(reply) <= int(reply[5:9]):
            received = connection.recv(4_096)
            assert received, f"only {reply!r} came"
            reply += received
    return reply


def _samples(page: str) -> dict[str, dict[str, float]]:
    """The values of each metric, by inverter or else by ECU."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            what = sample.labels.get("inverter") or sample.labels.get("ecu", "")
            values[sample.name][what] = values[sample.name].get(what, 0) + sample.value
    return values


@pytest.fixture(scope="module")
def replaying() -> Iterator[str]:
    """The address of an ECU that replays one inverters reply and nothing else."""
    replay = ("--replay", str(CAPTURE_FILE), "--only", REPLAYED)
    with running("simulate", *ON_A_FREE_PORT, *replay) as simulator:
        yield simulator.address


def test_simulate_answers_with_the_replayed_capture(replaying: str) -> None:
    assert _ask(replaying, INVERTERS) == capture_named(REPLAYED).raw


def test_simulate_makes_up_an_info_reply_that_a_replay_lacks(replaying: str) -> None:
    info = _ask(replaying, INFO)
    assert (info[9:13], info[13:25]) == (b"0001", b"216000000001")


def test_simulate_makes_up_an_empty_signal_list_that_a_replay_lacks(replaying: str) -> None:
    assert _ask(replaying, SIGNAL) == b"APS110018003000END\n"


def test_simulate_replays_frames_of_one_query_in_order_and_the_last_for_ever(start: Start) -> None:
    only = "pro-info-2.0.0-?"
    simulator = start("simulate", *ON_A_FREE_PORT, "--replay", str(CAPTURE_FILE), "--only", only)
    first, last = (capture_named(f"pro-info-2.0.0-{which}").raw for which in "ab")
    assert [_ask(simulator.address, INFO) for _ in range(4)] == [first, last, last, last]


def test_simulate_says_what_it_is_and_where(start: Start) -> None:
    simulator = start("simulate", *ON_A_FREE_PORT, "--inverters", "qs1:2,ds3")
    assert simulator.address.startswith("127.0.0.1:")
    assert simulator.output.startswith("Simulated ecu-r with 3 inverters on 127.0.0.1:")


@pytest.mark.parametrize(
    ("model", "ecu", "group"),
    [("ecu-r", b"216000000001", b"11"), ("ecu-r-pro", b"216200000001", b"12")],
)
def test_simulate_is_the_model_that_was_asked_for(
    model: str, ecu: bytes, group: bytes, start: Start
) -> None:
    info = _ask(start("simulate", *ON_A_FREE_PORT, "--model", model).address, INFO)
    assert (info[3:5], info[13:25]) == (group, ecu)


@pytest.mark.parametrize(
    ("option", "text"), [(option, text) for option, texts in BAD_OPTIONS.items() for text in texts]
)
def test_bad_option_of_simulate_is_named(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("simulate", *ON_A_FREE_PORT, f"{option}={text}") == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert text in complaint
    assert option in complaint or "cannot listen on" in complaint


@pytest.mark.parametrize("option", ["--inverters", "--speed", "--sun"])
def test_bad_option_of_demo_is_named(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = BAD_OPTIONS[option][0]
    assert status_of("demo", *LISTEN, f"{option}={text}") == 2
    assert f"aps-exporter: {option}={text}: expected" in capsys.readouterr().err


def test_sun_and_real_sun_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("simulate", *ON_A_FREE_PORT, "--sun", "10:00", "--real-sun") == 2
    assert "--real-sun" in capsys.readouterr().err


def test_inverters_beyond_all_measure_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("simulate", *ON_A_FREE_PORT, "--inverters", f"qs1:{10**15}") == 2
    assert "--inverters" in capsys.readouterr().err


def test_simulate_on_a_taken_port_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert status_of("simulate", "--listen", address) == 2
    assert f"cannot listen on {address}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"{}",
        b"null",
        b"[]",
        b"[1]",
        b'["name and hex"]',
        b'[{"name": "a"}]',
        b'[{"hex": "41"}]',
        b'[{"name": "a", "hex": "4g"}]',
        b'[{"name": "a", "hex": 41}]',
        b'[{"name": "a", "hex": null}]',
        b"[" * 100_000,
    ],
    ids=lambda content: content[:20].decode("ascii", errors="replace"),
)
def test_file_that_is_no_capture_file_is_refused(
    content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("replies.json").write_bytes(content)
    assert status_of("simulate", *ON_A_FREE_PORT, "--replay", "replies.json") == 2
    (complaint,) = capsys.readouterr().err.splitlines()
    assert complaint.startswith("aps-exporter: replies.json: ")


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_capture_file_that_cannot_be_read_is_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("simulate", *ON_A_FREE_PORT, "--replay", name) == 2
    assert capsys.readouterr().err.startswith(f"aps-exporter: {name}: cannot be read: ")


def test_entry_that_is_no_capture_is_named_by_its_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = [{"name": "a", "hex": "41"}, {"name": "b", "hex": "4g"}]
    Path("replies.json").write_text(json.dumps(entries), encoding="utf-8")
    assert status_of("simulate", *ON_A_FREE_PORT, "--replay", "replies.json") == 2
    assert "entry 2" in capsys.readouterr().err


def test_glob_that_no_capture_matches_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--replay", str(CAPTURE_FILE), "--only", "ecu-3-*")
    assert status_of("simulate", *ON_A_FREE_PORT, *options) == 2
    assert "'ecu-3-*'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--fault zero-glitch", "--fault=zero-glitch"),
        ("--fault offline", "--fault=offline"),
        ("--fault silent --fault offline", "--fault=offline"),
        ("--inverters qs1:1", "--inverters"),
        ("--speed 60", "--speed"),
        ("--real-sun", "--real-sun"),
        ("--sun 12:00", "--sun"),
        ("--model ecu-r-pro", "--model"),
    ],
)
def test_what_a_replay_ignores_is_refused_by_its_name(
    option: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = ("--replay", str(CAPTURE_FILE), "--only", REPLAYED)
    assert status_of("simulate", *ON_A_FREE_PORT, *replay, *option.split()) == 2
    assert capsys.readouterr().err.startswith(f"aps-exporter: {named}: a replay ")


def test_everything_that_a_replay_ignores_is_named_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--fault", "offline", "--inverters", "qs1:1", "--speed", "60", "--real-sun")
    assert status_of("simulate", "--replay", str(CAPTURE_FILE), *options) == 2
    complaint = capsys.readouterr().err
    names = ("--fault=offline", "--inverters", "--speed", "--real-sun")
    assert [name for name in names if name not in complaint] == []


def test_replay_takes_the_faults_of_the_connection(start: Start) -> None:
    replay = ("--replay", str(CAPTURE_FILE), "--only", REPLAYED)
    simulator = start("simulate", *ON_A_FREE_PORT, *replay, "--fault", "close")
    with connect(simulator.address) as connection:
        assert connection.recv(1) == b""


def test_only_without_a_replay_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("simulate", *ON_A_FREE_PORT, "--only", REPLAYED) == 2
    assert capsys.readouterr().err.startswith(f"aps-exporter: --only={REPLAYED}: ")


@pytest.mark.parametrize("seed", EITHER_FAMILY_FIRST)
@pytest.mark.parametrize("host", OWN_ADDRESSES)
def test_simulate_on_a_port_without_a_host_listens_on_all_interfaces(
    host: str, seed: str, start: Start
) -> None:
    address = start("simulate", "--listen", ":0", PYTHONHASHSEED=seed).address
    assert _ask(f"{host}{address}", INFO)[9:13] == b"0001"


def test_demo_serves_the_power_of_ecu_inverters_and_channels(start: Start) -> None:
    demo = start("demo", *LISTEN, "--inverters", "qs1:2,yc600:1", APS_ECU_PAUSE="0")
    samples = _samples(get(demo.address, "/metrics")[1])
    inverters = samples["aps_inverter_power_watts"]
    assert sorted(inverters) == ["408000000003", "802000000001", "802000000002"]
    assert inverters == samples["aps_channel_power_watts"]
    assert samples["aps_ecu_power_watts"] == {"216000000001": sum(inverters.values())}
    assert min(inverters.values()) > 0


def test_demo_says_where_its_pages_are(start: Start) -> None:
    demo = start("demo", *LISTEN, "--web.telemetry-path", "/solar", APS_ECU_PAUSE="0")
    urls = re.findall(r"http://(\S+?)(/\S*)", demo.output if demo.address else "")
    assert [path for _, path in urls] == ["/", "/solar"]
    assert [get(address, path)[0] for address, path in urls] == [200, 200]


@pytest.fixture
def demoed(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that `demo` was run with; nothing is served."""
    configs: list[Config] = []

    def refuse(config: Config, *_: object, **__: object) -> None:
        configs.append(config)
        raise ConfigError("seen enough")

    monkeypatch.setattr("aps_exporter.app.running_exporter", refuse)
    return configs


def test_demo_listens_on_loopback_port_10899_unless_told_otherwise(demoed: list[Config]) -> None:
    status_of("demo")
    assert [str(config.listen) for config in demoed] == ["127.0.0.1:10899"]


@pytest.mark.parametrize(
    ("variable", "flags", "listen"),
    [
        ("127.0.0.1:9001", (), "127.0.0.1:9001"),
        (":9001", (), ":9001"),
        ("127.0.0.1:9001", ("--web.listen-address", "127.0.0.1:9002"), "127.0.0.1:9002"),
        ("", (), "127.0.0.1:10899"),
    ],
)
def test_demo_listens_where_its_flag_says_or_else_the_environment(
    variable: str, flags: tuple[str, ...], listen: str, demoed: list[Config]
) -> None:
    os.environ["APS_LISTEN_ADDRESS"] = variable
    status_of("demo", *flags)
    assert [str(config.listen) for config in demoed] == [listen]


def test_demo_listens_where_dotenv_says(demoed: list[Config]) -> None:
    Path(".env").write_text("APS_LISTEN_ADDRESS=127.0.0.1:9001\n", encoding="utf-8")
    status_of("demo")
    assert [str(config.listen) for config in demoed] == ["127.0.0.1:9001"]


def test_demo_at_high_speed_sees_round_after_round(start: Start) -> None:
    demo = start("demo", *LISTEN, "--speed", "1000")
    rounds: set[float] = set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(rounds) < 3 and time.monotonic() < deadline:
        samples = _samples(get(demo.address, "/metrics")[1])
        rounds.update(samples["aps_ecu_last_report_timestamp_seconds"].values())
        time.sleep(0.05)
    assert len(rounds) >= 3


def test_demo_with_the_sun_down_has_every_inverter_offline(start: Start) -> None:
    demo = start("demo", *LISTEN, "--sun", "00:30", APS_ECU_PAUSE="0")
    samples = _samples(get(demo.address, "/metrics")[1])
    assert set(samples["aps_inverter_online"].values()) == {0}
    assert samples["aps_inverter_power_watts"] == {}


@pytest.fixture(scope="module")
def left_alone() -> Iterator[dict[str, Running]]:
    """A demo by its speed, some seconds after it last was asked anything."""
    flags = (*LISTEN, "--inverters", "qs1:2", "--speed")
    with ExitStack() as stack:
        demos = {
            speed: stack.enter_context(running("demo", *flags, speed)) for speed in ("60", "300")
        }
        for demo in demos.values():
            demo.wait_for("(ECU found)")
        time.sleep(ALONE_SECONDS)
        yield demos


@pytest.mark.parametrize("speed", ["60", "300"])
def test_demo_that_nobody_asked_has_power_all_the_same(
    speed: str, left_alone: dict[str, Running]
) -> None:
    (entry,) = json.loads(get(left_alone[speed].address, "/api/v1/snapshots")[1])["ecus"]
    powers = [inverter["power_watts"] for inverter in entry["inverters"]["inverters"]]
    assert len(powers) == 2
    assert min(channel for channels in powers for channel in channels) > 0


@pytest.mark.parametrize("speed", ["60", "300"])
def test_metrics_of_a_demo_that_nobody_asked_have_power_all_the_same(
    speed: str, left_alone: dict[str, Running]
) -> None:
    samples = _samples(get(left_alone[speed].address, "/metrics")[1])
    inverters = samples["aps_inverter_power_watts"]
    # Info and inverters are no one moment: at such a speed they may tell of different rounds.
    assert samples["aps_ecu_power_watts"]["216000000001"] > 0
    assert len(inverters) == 2
    assert min(inverters.values()) > 0
