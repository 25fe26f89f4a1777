"""`--fault` and `--script` of `simulate` and `demo`."""

import re
import time
from pathlib import Path

import pytest

from aps_exporter.errors import ConfigError
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import FAULTS, Fault
from aps_exporter.simulator.running import Simulation
from aps_exporter.simulator.script import FaultWindow
from tests.cli.console import PATIENCE_SECONDS, Start, connect, get, status_of
from tests.protocol.captures import CAPTURE_FILE

ON_A_FREE_PORT = ("--listen", "127.0.0.1:0")
LISTEN = ("--web.listen-address", "127.0.0.1:0")
REPLAY = ("--replay", str(CAPTURE_FILE), "--only", "ecur-yc600x7-2020-11-24")
INFO = b"APS1100160001END\n"
INVERTERS = b"APS1100280002216000000001END\n"

COMMANDS = [("simulate", *ON_A_FREE_PORT), ("demo", *LISTEN)]

both_commands = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[Simulation]:
    """What was to be simulated; nothing is."""
    simulations: list[Simulation] = []

    def note(simulation: Simulation, *_: object) -> None:
        simulations.append(simulation)
        raise ConfigError("seen enough")

    monkeypatch.setattr("aps_exporter.cli.simulate.running_simulator", note)
    return simulations


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[FaultSchedule]:
    """The faults that a replay was to have; nothing is replayed."""
    schedules: list[FaultSchedule] = []

    def note(_: object, faults: FaultSchedule) -> None:
        schedules.append(faults)
        raise ConfigError("seen enough")

    monkeypatch.setattr("aps_exporter.cli.simulate.EcuServer", note)
    return schedules


def _script(*lines: str) -> str:
    Path("faults.txt").write_text("\n".join(lines), encoding="utf-8")
    return "--script=faults.txt"


def _answer(address: str, request: bytes = INVERTERS) -> bytes:
    """What comes until the simulator hangs up, or is silent for half a second."""
    with connect(address) as connection:
        connection.sendall(request)
        connection.settimeout(0.5)
        received = b""
        try:
            while piece := connection.recv(4_096):
                received += piece
        except TimeoutError:
            pass
        return received


@both_commands
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_can_be_asked_for(
    fault: Fault, command: tuple[str, ...], simulated: list[Simulation]
) -> None:
    status_of(*command, "--fault", fault, f"--fault={fault.replace('-', '_').upper()}")
    assert [simulation.faults for simulation in simulated] == [(fault, fault)]


@both_commands
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_can_stand_in_a_script(
    fault: Fault, command: tuple[str, ...], simulated: list[Simulation]
) -> None:
    status_of(*command, _script(f"+1:00:00 {fault} for 90s"))
    (simulation,) = simulated
    assert simulation.script == (FaultWindow(fault, 3_600, 3_690),)


@both_commands
def test_help_lists_every_fault_with_what_it_does(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(command[0], "--help") == 0
    help_ = capsys.readouterr().out
    for name, fault in FAULTS.items():
        assert re.search(rf"^  {name} +{re.escape(fault.about)}$", help_, re.MULTILINE)
    assert "--script FILE" in help_


@both_commands
def test_unknown_fault_is_told_the_known_ones(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*command, "--fault=slient") == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert "argument --fault: no fault is called 'slient' (perhaps silent?)" in complaint
    assert [name for name in FAULTS if name not in complaint] == []


@both_commands
def test_every_bad_line_of_a_script_is_named(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    script = _script("+0:00:00 sleepy for 1s", "+0:00:00 silent for 1s", "nonsense")
    assert status_of(*command, script) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("aps-exporter: faults.txt: line 1: no fault is called 'sleepy'")
    assert second == (
        "aps-exporter: faults.txt: line 3: expected +H:MM:SS FAULT for DURATION, got 'nonsense'"
    )


@both_commands
@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_script_that_cannot_be_read_is_refused(
    name: str, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(*command, "--script", name) == 2
    assert capsys.readouterr().err.startswith(f"aps-exporter: {name}: cannot be read: ")


PLANT_FAULTS = [name for name, fault in FAULTS.items() if fault.kind == "plant"]


@pytest.mark.parametrize("fault", PLANT_FAULTS)
def test_replay_refuses_the_faults_of_a_plant(
    fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of("simulate", *ON_A_FREE_PORT, *REPLAY, "--fault", fault) == 2
    assert capsys.readouterr().err.startswith(f"aps-exporter: --fault={fault}: a replay serves")


def test_replay_refuses_the_faults_of_a_plant_in_a_script_each_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = ("+0:00:00 silent for 1s", *[f"+0:00:0{n} zero-glitch for 1s" for n in range(3)])
    script = _script(*lines, "+0:00:00 offline for 1s")
    assert status_of("simulate", *ON_A_FREE_PORT, *REPLAY, script) == 2
    assert capsys.readouterr().err.startswith(
        "aps-exporter: --script=faults.txt (zero-glitch), --script=faults.txt (offline): a replay"
    )


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in PLANT_FAULTS])
def test_replay_takes_every_other_fault(fault: Fault, replayed: list[FaultSchedule]) -> None:
    status_of("simulate", *ON_A_FREE_PORT, *REPLAY, "--fault", fault)
    status_of("simulate", *ON_A_FREE_PORT, *REPLAY, _script(f"+0:00:00 {fault} for 1h"))
    assert [{*faults} for faults in replayed] == [{fault}, {fault}]


def test_replay_has_a_speed_when_it_has_a_script(replayed: list[FaultSchedule]) -> None:
    script = _script("+0:00:10 silent for 24h")
    status_of("simulate", *ON_A_FREE_PORT, *REPLAY, script, "--speed", "1000")
    (faults,) = replayed
    time.sleep(0.02)
    assert faults.elapsed >= 20
    assert "silent" in faults


def test_faults_given_to_simulate_combine(start: Start) -> None:
    faults = ("--fault", "glue", "--fault", "no_end", "--fault", "Unknown Row")
    address = start("simulate", *ON_A_FREE_PORT, "--inverters", "ds3:1", *faults).address
    answer = _answer(address)
    assert answer.count(b"APS110") == 2
    assert b"END" not in answer
    assert int.from_bytes(answer[17:19], "big") == 2


def test_script_of_simulate_opens_and_closes_the_port(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "refuse.txt"
    script.write_text("+0:10:00 refuse for 10m\n", encoding="utf-8")
    flags = ("--script", str(script), "--speed", "600")
    address = start("simulate", *ON_A_FREE_PORT, *flags).address
    outcomes: list[bool] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while outcomes != [True, False, True] and time.monotonic() < deadline:
        try:
            connect(address).close()
            outcome = True
        except ConnectionRefusedError:
            outcome = False
        if outcomes[-1:] != [outcome]:
            outcomes.append(outcome)
        time.sleep(0.02)
    assert outcomes == [True, False, True]


def test_demo_shows_what_its_faults_do(start: Start) -> None:
    faults = ("--fault", "unknown-row", "--fault", "no-end")
    demo = start("demo", *LISTEN, *faults, APS_ECU_PAUSE="0")
    page = get(demo.address, "/metrics")[1]
    assert re.search(r"aps_ecu_unknown_rows_total\{.*type_code=\"99\"\} 1\.0", page)
    odd = re.findall(r"aps_reply_oddities_total\{kind=\"trailer_missing\".* ([0-9.]+)", page)
    assert odd == ["1.0", "1.0", "1.0"]
