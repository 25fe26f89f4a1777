import json
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest

from aps_exporter.config import Config
from tests.cli.console import ON_A_FREE_PORT, ReplayRaw, Running, Start, StartEcu, running
from tests.protocol.captures import CAPTURE_FILE


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No APS_ variable and no .env; what `load` writes into the environment is undone."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("APS_")]:
            del os.environ[name]
        monkeypatch.chdir(tmp_path)
        yield


@pytest.fixture(autouse=True, scope="session")
def _sigint_reaches_commands() -> Iterator[None]:
    """A shell starts what runs in its background with SIGINT ignored, and children inherit that."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Whatever a command makes of the root logger is undone."""
    root, asyncio_logger = logging.getLogger(), logging.getLogger("asyncio")
    handlers, levels = root.handlers[:], (root.level, asyncio_logger.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    asyncio_logger.setLevel(levels[1])


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts commands that run until the test is over."""
    with ExitStack() as stack:

        def start_command(*arguments: str, **environment: str) -> Running:
            return stack.enter_context(running(*arguments, **environment))

        yield start_command


@pytest.fixture
def simulate(start: Start) -> StartEcu:
    """Starts a simulated ECU; gives its address."""

    def start_simulator(*arguments: str) -> str:
        return start("simulate", *ON_A_FREE_PORT, *arguments).address

    return start_simulator


@pytest.fixture
def replay(simulate: StartEcu) -> StartEcu:
    """Starts an ECU that serves the captures of these names; gives its address."""
    return lambda only: simulate("--replay", str(CAPTURE_FILE), "--only", only)


@pytest.fixture
def replay_raw(simulate: StartEcu) -> ReplayRaw:
    """Starts an ECU that serves these replies; gives its address."""

    def start_simulator(*replies: bytes) -> str:
        entries = [{"name": str(n), "hex": reply.hex()} for n, reply in enumerate(replies)]
        file = Path("replies.json").absolute()
        file.write_text(json.dumps(entries), encoding="utf-8")
        return simulate("--replay", str(file))

    return start_simulator


@pytest.fixture(scope="session")
def ecu() -> Iterator[str]:
    """The address of a healthy simulated ECU with one inverter of each model."""
    kinds = "qs1:1,ds3:1,yc600:1,yc1000:1,qt2:1"
    with running("simulate", "--listen", "127.0.0.1:0", "--inverters", kinds) as simulator:
        yield simulator.address


@pytest.fixture(scope="session")
def exporter(ecu: str) -> Iterator[str]:
    """The address of an exporter that reads the healthy ECU."""
    flags = ("--web.listen-address", "127.0.0.1:0")
    with running("serve", ecu, *flags, APS_ECU_PAUSE="0") as serve:
        yield serve.address


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that `serve` was run with; nothing is served."""
    configs: list[Config] = []

    async def note(config: Config) -> None:
        configs.append(config)

    monkeypatch.setattr("aps_exporter.app.serve", note)
    return configs
