"""Runs a simulated ECU for as long as a context lasts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import time

from aps_exporter.clock import Clock
from aps_exporter.errors import CannotListenError
from aps_exporter.simulator.ecu import EcuModel, SimulatedEcu
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import PlantInverter
from aps_exporter.simulator.script import FaultWindow


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to simulate; `sun_at_start` of None lets the sun stand where the clock says."""

    inverters: Sequence[PlantInverter]
    clock: Clock
    model: EcuModel = "ecu-r"
    sun_at_start: time | None = None
    faults: tuple[Fault, ...] = ()
    script: tuple[FaultWindow, ...] = ()


@asynccontextmanager
async def running_simulator(
    simulation: Simulation, host: str | None, port: int
) -> AsyncIterator[int]:
    """A simulated ECU, answering until the context ends. Gives its port."""
    ecu = SimulatedEcu(
        simulation.inverters,
        simulation.clock,
        model=simulation.model,
        sun_at_start=simulation.sun_at_start,
        faults=FaultSchedule(simulation.clock, simulation.faults, simulation.script),
    )
    async with running_ecu_server(EcuServer(ecu, ecu.faults), host, port) as bound:
        yield bound


@asynccontextmanager
async def running_ecu_server(server: EcuServer, host: str | None, port: int) -> AsyncIterator[int]:
    """An ECU server, until the context ends. Gives its port.

    Raises:
        CannotListenError: the address is taken, or not this machine's.
    """
    try:
        bound = await server.start(host, port)
    except OSError as error:
        raise CannotListenError(f"{host or ''}:{port}", error) from error
    try:
        yield bound
    finally:
        await server.close()
