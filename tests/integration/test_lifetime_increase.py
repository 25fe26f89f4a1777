"""`increase()` of the lifetime counter, by a real Prometheus, against what a simulated plant made.

Two simulated days are scraped each 60 s in virtual time: glitches, restarts, a night in which the
ECU begins to count anew, and five hours with another ECU at the address.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from aps_exporter.ecu_claims import EcuClaims
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.plant import ROUND_SECONDS, plant_inverters
from aps_exporter.state import State, open_state
from aps_exporter.virtual_time import VirtualTimeLoop
from tests.exporter import Client, exporter
from tests.faults.ordeal import PLAIN, Page
from tests.integration.prometheus import Prometheus, create_blocks, running_prometheus
from tests.world import World, world

pytestmark = pytest.mark.integration

ECU: Final = "216200000001"
OTHER_ECU: Final = "216000000001"
AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")

COUNTER: Final = "aps_ecu_lifetime_energy_joules_total"
REPORTED: Final = "aps_ecu_reported_lifetime_energy_joules"
LAST_ROUND: Final = "aps_ecu_last_report_timestamp_seconds"
TYPES: Final = {COUNTER: "counter", REPORTED: "gauge"}

RESOLUTION_JOULES: Final = 360_000
"""0.1 kWh: what an ECU says its lifetime energy in, cut off."""

SCRAPE_SECONDS: Final = 60
HOUR: Final = 3_600

MIDNIGHT: Final = datetime(2025, 6, 1, 22, 0, 20, tzinfo=UTC)
"""In Amsterdam, and by the sun too; the times below are counted from here."""

GLITCHES: Final = """
+09:30:00 lifetime-zero  for 5m
+10:30:00 zero-glitch    for 5m
+11:30:00 lifetime-lower for 5m
+12:30:00 lifetime-leap  for 5m
+13:20:00 refuse         for 25m
+15:30:00 lifetime-zero  for 5m
+26:00:00 lifetime-lower for 2d   # for good: the ECU counts anew from 5 kWh less, by night
+33:30:00 lifetime-zero  for 5m
+37:30:00 lifetime-zero  for 5m
+42:30:00 zero-glitch    for 5m
"""

RESTARTS: Final = (
    (14 * HOUR + 600, 2_400),
    (15 * HOUR + 2_000, 15),
    (33 * HOUR + 2_000, 15),
    (38 * HOUR + 1_800, 20),
)
"""When the exporter is stopped, and for how many seconds it is down; twice amid a glitch."""

SWAPPED_AT, SWAPPED_BACK_AT, ENDS_AT = 35 * HOUR, 40 * HOUR, 48 * HOUR


@dataclass(frozen=True, slots=True)
class Sample:
    """What one scrape showed of one ECU, and what its plant had made by the round it showed."""

    at: float
    values: Mapping[str, float]
    true_joules: int


@dataclass
class Run:
    """All scrapes, by ECU."""

    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def at(self, ecu: str, moment: float) -> Sample | None:
        """The scrape of this moment; None if there was none, or another ECU then."""
        return next((sample for sample in self.samples[ecu] if sample.at == moment), None)

    def write(self, file: Path) -> None:
        """As OpenMetrics text with timestamps."""
        lines = []
        for name, kind in TYPES.items():
            lines.append(f"# TYPE {name.removesuffix('_total')} {kind}")
            for ecu, samples in self.samples.items():
                lines += [
                    f'{name}{{ecu="{ecu}"}} {sample.values[name]!r} {sample.at:.0f}'
                    for sample in samples
                    if name in sample.values
                ]
        file.write_text("\n".join([*lines, "# EOF", ""]), encoding="utf-8")


class Scraper:
    """Runs exporters one after the other on one world, and scrapes them."""

    def __init__(self, w: World, folder: Path) -> None:
        self.run = Run()
        self._world = w
        self._folder = folder
        self._ecus = {
            ECU: w.simulated,
            OTHER_ECU: SimulatedEcu(
                plant_inverters("qs1:1"),
                w.clock,
                sun_at_start=time(0, 0),
                zone=AMSTERDAM,
                faults=w.faults,
            ),
        }

    async def run_all(self) -> None:
        until = [*RESTARTS, (ENDS_AT, 0)]
        for stops_at, is_down in until:
            await self._run_one_exporter(MIDNIGHT + timedelta(seconds=stops_at))
            await asyncio.sleep(is_down)

    async def _run_one_exporter(self, until: datetime) -> None:
        """Its state is on disk before and after."""
        w = self._world
        folder, memories = open_state(self._folder)
        w.state, w.claims = State(memories), EcuClaims()
        cache = w.cache()
        async with exporter([cache]) as client:
            while (now := w.clock.now()) <= until:
                self._swap_if_it_is_time((now - MIDNIGHT).total_seconds())
                await self._scrape(client, now.timestamp())
                next_at = (now.timestamp() // SCRAPE_SECONDS + 1) * SCRAPE_SECONDS + 20
                await asyncio.sleep(next_at - w.clock.now().timestamp())
        await cache.close()
        known = {ecu: w.state.recall(ecu) for ecu in self._ecus}
        folder.write({ecu: memory for ecu, memory in known.items() if memory is not None})
        folder.close()

    def _swap_if_it_is_time(self, elapsed: float) -> None:
        is_swapped = SWAPPED_AT <= elapsed < SWAPPED_BACK_AT
        self._world.ecu.ecu = self._ecus[OTHER_ECU if is_swapped else ECU]

    async def _scrape(self, client: Client, at: float) -> None:
        names = [("name[]", name) for name in (*TYPES, LAST_ROUND)]
        answer = await client.get("/metrics", params=names, headers=PLAIN)
        page = Page(await answer.text())
        for ecu, simulated in self._ecus.items():
            known = {name: page.value(name, ecu) for name in TYPES}
            values = {name: value for name, value in known.items() if value is not None}
            if values:
                true = _true_joules(simulated, at, page.count(LAST_ROUND, ecu))
                self.run.samples[ecu].append(Sample(round(at), values, true))


def _true_joules(simulated: SimulatedEcu, at: float, round_: int) -> int:
    """What the plant had made by this round, in Unix time."""
    newest = at // ROUND_SECONDS * ROUND_SECONDS
    sun = simulated.newest_round - timedelta(seconds=newest - round_)
    return simulated.plant.lifetime_joules(sun)


async def _scraped(folder: Path) -> Run:
    async with world(start=MIDNIGHT, sun=time(0, 0), clock_zone=AMSTERDAM, script=GLITCHES) as w:
        scraper = Scraper(w, folder)
        await scraper.run_all()
        return scraper.run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_scraped(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="module")
def prometheus(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has all samples of the run."""
    folder = tmp_path_factory.mktemp("prometheus")
    run.write(folder / "samples.om")
    create_blocks(folder / "samples.om", folder)
    with running_prometheus(folder, {}) as server:
        yield server


def _increase(prometheus: Prometheus, name: str, ecu: str, since: float, until: float) -> float:
    """`increase()` from the sample at one moment to the sample at another.

    Prometheus extrapolates to the ends of the window, so they are put where samples are: the last
    one at its end, and the first one a second behind its beginning, since Prometheus 3 leaves out a
    sample that lies on it. The second adds at most 1/3,600 of an hour's increase: some 1,500 J.
    """
    query = f'increase({name}{{ecu="{ecu}"}}[{until - since + 1:.0f}s])'
    return prometheus.series(query, at=until)[()]


@pytest.mark.parametrize("ecu", [ECU, OTHER_ECU])
def test_increase_from_first_to_last_sample_is_what_the_plant_made(
    prometheus: Prometheus, run: Run, ecu: str
) -> None:
    first, last = run.samples[ecu][0], run.samples[ecu][-1]
    made = last.true_joules - first.true_joules
    assert made > 10 * RESOLUTION_JOULES
    increase = _increase(prometheus, COUNTER, ecu, first.at, last.at)
    assert increase == pytest.approx(made, abs=RESOLUTION_JOULES)


@pytest.mark.parametrize("ecu", [ECU, OTHER_ECU])
def test_increase_over_each_hour_is_what_the_plant_made_in_it(
    prometheus: Prometheus, run: Run, ecu: str
) -> None:
    hours = 0
    for hour in range(ENDS_AT // HOUR):
        since = MIDNIGHT.timestamp() + hour * HOUR
        begin, end = run.at(ecu, since), run.at(ecu, since + HOUR)
        if begin is None or end is None:
            continue
        hours += 1
        made = end.true_joules - begin.true_joules
        increase = _increase(prometheus, COUNTER, ecu, since, since + HOUR)
        assert increase == pytest.approx(made, abs=RESOLUTION_JOULES + 1_500), f"hour {hour}"
    assert hours >= {ECU: 40, OTHER_ECU: 3}[ecu]


def test_sum_of_increases_is_what_both_plants_made_while_they_were_read(
    prometheus: Prometheus, run: Run
) -> None:
    # The other ECU's samples lie amid the window, so Prometheus adds half an interval at both of
    # their ends: 60 s to five hours, some 60,000 J.
    made = sum(samples[-1].true_joules - samples[0].true_joules for samples in run.samples.values())
    first, last = run.samples[ECU][0], run.samples[ECU][-1]
    query = f"sum(increase({COUNTER}[{last.at - first.at + 1:.0f}s]))"
    increase = prometheus.series(query, at=last.at)[()]
    assert increase == pytest.approx(made, abs=2 * RESOLUTION_JOULES)


def test_counter_as_scraped_never_falls(run: Run) -> None:
    for samples in run.samples.values():
        published = [sample.values[COUNTER] for sample in samples]
        assert published == sorted(published)


def test_what_the_ecu_literally_says_would_make_each_glitch_a_life_of_production(
    prometheus: Prometheus, run: Run
) -> None:
    first, last = run.samples[ECU][0], run.samples[ECU][-1]
    made = last.true_joules - first.true_joules
    assert _increase(prometheus, REPORTED, ECU, first.at, last.at) > 100 * made
