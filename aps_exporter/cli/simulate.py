"""`simulate` and `demo`: an ECU without hardware."""

import argparse
import asyncio
import logging
import math
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Final

from aps_exporter import app
from aps_exporter.cli import EXIT_OK
from aps_exporter.cli.options import configure, flag_values
from aps_exporter.clock import Clock, RealClock, ScaledClock
from aps_exporter.config import Config, ListenAddress, Target, parse_listen_address
from aps_exporter.errors import ConfigError
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import FAULTS
from aps_exporter.simulator.plant import DEFAULT_INVERTERS, plant_inverters
from aps_exporter.simulator.replay import ReplayedEcu, read_captures
from aps_exporter.simulator.running import Simulation, running_ecu_server, running_simulator
from aps_exporter.simulator.script import FaultWindow, read_script
from aps_exporter.state import State

logger = logging.getLogger(__name__)

DEMO_LISTEN_ADDRESS: Final = "127.0.0.1:10899"
DEMO_TARGET: Final = "demo"

_SLOWEST: Final = 0.1
_FASTEST: Final = 1_000


def simulate(options: argparse.Namespace) -> int:
    """Run the simulated ECU until it is told to stop, or through a history if one is asked for."""
    # Here, as it builds on this module.
    from aps_exporter.cli.history import refuse_without_history, write_history  # noqa: PLC0415

    if options.history is not None:
        return write_history(options)
    refuse_without_history(options)
    try:
        address = parse_listen_address(options.listen)
    except ValueError:
        raise ConfigError(f"--listen={options.listen}: expected HOST:PORT") from None
    asyncio.run(_simulate(options, address))
    return EXIT_OK


async def _simulate(options: argparse.Namespace, address: ListenAddress) -> None:
    if options.replay is not None:
        script = _script(options)
        _refuse_what_a_replay_ignores(options, script)
        ecu = ReplayedEcu(read_captures(Path(options.replay), options.only))
        faults = FaultSchedule(_clock(options), options.fault, script)
        running = running_ecu_server(EcuServer(ecu, faults), address.host, address.port)
        what = f"ECU that replays {options.replay}"
    elif options.only != "*":
        raise ConfigError(f"--only={options.only}: chooses among captures; give --replay too")
    else:
        simulation = simulation_of(options, _clock(options), real_sun=options.real_sun)
        running = running_simulator(simulation, address.host, address.port)
        what = f"{options.model} with {len(simulation.inverters)} inverters"
    async with running as port:
        bound = ListenAddress(address.host, port)
        print(f"Simulated {what} on {bound}. Ctrl-C ends it.", flush=True)
        await app.until_stopped()


def _refuse_what_a_replay_ignores(
    options: argparse.Namespace, script: tuple[FaultWindow, ...]
) -> None:
    """A replay has no plant, and a clock only for its script: to change those is a mistake."""
    scripted = dict.fromkeys(window.fault for window in script)
    given = [f"--fault={fault}" for fault in options.fault if FAULTS[fault].kind == "plant"]
    given += [
        f"--script={options.script} ({fault})"
        for fault in scripted
        if FAULTS[fault].kind == "plant"
    ]
    given += [
        flag
        for flag, is_given in (
            ("--inverters", options.inverters is not None),
            ("--model", options.model != "ecu-r"),
            ("--speed", options.speed != "1" and not script),
            ("--sun", options.sun != "11:00"),
            ("--real-sun", options.real_sun),
        )
        if is_given
    ]
    if given:
        raise ConfigError(f"{', '.join(given)}: a replay serves captures as they are; leave it out")


def demo(options: argparse.Namespace) -> int:
    """Run the exporter on a simulated ECU until it is told to stop."""
    config = configure(
        {"APS_ECU_HOSTS": DEMO_TARGET, **flag_values(options)},
        defaults={"APS_LISTEN_ADDRESS": DEMO_LISTEN_ADDRESS},
    )
    if config.influxdb is not None:
        logger.warning("the demo pushes nothing to InfluxDB: its ECU is not a real one")
    asyncio.run(_demo(options, config))
    return EXIT_OK


async def _demo(options: argparse.Namespace, config: Config) -> None:
    clock = _clock(options)
    simulation = simulation_of(options, clock, real_sun=options.real_sun)
    async with AsyncExitStack() as stack:
        ecu_port = await stack.enter_async_context(running_simulator(simulation, "127.0.0.1", 0))
        config = replace(config, targets=(Target(DEMO_TARGET, "127.0.0.1", ecu_port),))
        # Nothing is kept: a simulated sun that starts at eleven each time is no plant to remember.
        exporter = app.running_exporter(config, clock, State(), on_timer=True)
        port = await stack.enter_async_context(exporter)
        address = ListenAddress(config.listen.host or "127.0.0.1", port)
        count = len(simulation.inverters)
        print(f"A simulated {options.model} with {count} inverters, and the exporter on it:")
        print(f"  page     http://{address}/")
        print(f"  metrics  http://{address}{config.metrics_path}")
        print("Ctrl-C ends it.", flush=True)
        await app.until_stopped()


def simulation_of(options: argparse.Namespace, clock: Clock, *, real_sun: bool) -> Simulation:
    """What the flags ask for.

    Raises:
        ConfigError: one of them is at fault.
    """
    try:
        inverters = plant_inverters(options.inverters or DEFAULT_INVERTERS)
    except ValueError as error:
        raise ConfigError(f"--inverters={options.inverters}: {error}") from error
    return Simulation(
        inverters=inverters,
        clock=clock,
        model=options.model,
        sun_at_start=None if real_sun else _time_of_day(options.sun),
        faults=tuple(options.fault),
        script=_script(options),
    )


def _script(options: argparse.Namespace) -> tuple[FaultWindow, ...]:
    return () if options.script is None else read_script(Path(options.script))


def _clock(options: argparse.Namespace) -> Clock:
    try:
        speed = float(options.speed)
    except ValueError:
        speed = math.nan
    if not _SLOWEST <= speed <= _FASTEST:
        raise ConfigError(
            f"--speed={options.speed}: expected a number from {_SLOWEST} to {_FASTEST}"
        )
    return RealClock() if speed == 1 else ScaledClock(speed, datetime.now(UTC))


def _time_of_day(text: str) -> time:
    try:
        moment = time.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise ConfigError(f"--sun={text}: expected a time of day, HH:MM")
    return moment
