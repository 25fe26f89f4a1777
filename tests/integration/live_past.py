"""What an exporter had read of the remembering ECU's plant when it was at work, now and then."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from aps_exporter.clock import RealClock
from aps_exporter.config import load
from aps_exporter.readings import Snapshot
from aps_exporter.simulated_history import Span, live_through, run_in_virtual_time
from aps_exporter.simulator.plant import plant_inverters
from aps_exporter.simulator.running import Simulation
from aps_exporter.sinks.influxdb.points import round_lines
from tests.integration.remembering import INVERTERS

STAMPED_LATER: Final = timedelta(seconds=34)
"""By which live rounds stand behind the minutes of the memory, as those of real ECUs do."""


@dataclass(frozen=True, slots=True)
class _LiveTime:
    """When it was at work, and where the sun stood when that began: an hour ahead of UTC."""

    starts_at: datetime
    ends_at: datetime
    sun: time


_LIVE_TIMES: Final = (
    # From the day before the clocks went back to the day of it.
    _LiveTime(
        datetime(2026, 10, 24, 8, 0, 10, tzinfo=UTC),
        datetime(2026, 10, 25, 11, 0, tzinfo=UTC),
        time(9, 0),
    ),
    _LiveTime(
        datetime(2026, 11, 10, 9, 30, 10, tzinfo=UTC),
        datetime(2026, 11, 10, 12, 0, tzinfo=UTC),
        time(10, 30),
    ),
)


@dataclass(frozen=True, slots=True)
class LivePast:
    """The rounds that were read, and what went to the database."""

    rounds: frozenset[int]
    lines: tuple[str, ...]


def live_past() -> LivePast:
    """It takes a few seconds."""
    rounds: set[int] = set()
    lines: list[str] = []
    for snapshot in _taken():
        assert snapshot.measured_at is not None
        rounds.add(int(snapshot.measured_at.timestamp()))
        lines += round_lines(replace(snapshot, measured_at=snapshot.measured_at + STAMPED_LATER))
    return LivePast(frozenset(rounds), tuple(lines))


def _taken() -> list[Snapshot]:
    taken: list[Snapshot] = []
    config = load({}, targets_required=False).config()
    for live in _LIVE_TIMES:
        simulation = Simulation(
            plant_inverters(INVERTERS), RealClock(), model="ecu-r-pro", sun_at_start=live.sun
        )
        span = Span(live.starts_at, live.ends_at, timedelta(minutes=1))
        run_in_virtual_time(live_through(span, simulation, config, "roof", take_round=taken.append))
    return taken
