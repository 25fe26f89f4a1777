"""A simulated history holds what a live exporter would have published, no more and no less."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aps_exporter.clock import RealClock
from aps_exporter.config import load
from aps_exporter.metrics import Metric
from aps_exporter.simulated_history import Span, live_through, run_in_virtual_time
from aps_exporter.simulator.plant import plant_inverters
from aps_exporter.simulator.running import Simulation
from aps_exporter.simulator.script import parse_script
from aps_exporter.sinks.prometheus import EcuCollector
from tests.exporter import registry_of
from tests.virtual_time import in_virtual_time
from tests.world import world

START = datetime(2026, 6, 1, 10, 0, 20, tzinfo=UTC)
"""Noon and 20 s in Amsterdam, where the simulated ECU-R-PRO is."""

ECU = "216200000001"
POWER = "aps_ecu_power_watts"
COUNTER = "aps_ecu_lifetime_energy_joules_total"
REPORTED = "aps_ecu_reported_lifetime_energy_joules"
MINUTE = timedelta(minutes=1)

Page = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""What one scrape shows, by name and labels."""


class Life:
    """A history as it was taken, scrape by scrape."""

    def __init__(self, hours: float, script: str = "") -> None:
        self.pages: dict[datetime, Page] = defaultdict(dict)
        span = Span(START, START + timedelta(hours=hours), MINUTE)
        simulation = Simulation(
            plant_inverters("ds3:2"),
            RealClock(),
            model="ecu-r-pro",
            script=parse_script(script),
        )
        config = load({}, targets_required=False).config()
        run_in_virtual_time(live_through(span, simulation, config, "roof", take_sample=self._take))

    def _take(
        self, metric: Metric[Any], label_values: tuple[str, ...], value: float, at: datetime
    ) -> None:
        labels = frozenset(zip(metric.labels, label_values, strict=True))
        assert (metric.name, labels) not in self.pages[at]
        self.pages[at][metric.name, labels] = value

    def series(self, name: str, **labels: str) -> Mapping[float, float]:
        """The value of a series by minutes since the start."""
        key = (name, frozenset(labels.items()))
        return {(at - START) / MINUTE: page[key] for at, page in self.pages.items() if key in page}


def _page(collector: EcuCollector) -> Page:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def _without_build_info(page: Page) -> Page:
    return {key: value for key, value in page.items() if key[0] != "aps_exporter_build_info"}


def test_every_scrape_is_that_of_a_live_exporter() -> None:
    script = """
        +0:30:00 zero-glitch for 5m
        +0:50:00 lifetime-zero for 5m
        +1:10:00 offline for 20m
        +1:40:00 wild-values for 10m
        +2:00:00 late-rounds for 1h
    """
    live: dict[datetime, Page] = {}

    @in_virtual_time
    async def scrape_live() -> None:
        async with world(inverters="ds3:2", start=START, script=script) as w:
            cache = w.cache()
            _, collector = registry_of([cache])
            for minutes in range(181):
                moment = START + minutes * MINUTE
                await asyncio.sleep((moment - w.clock.now()).total_seconds())
                await collector.refresh(9.5)
                live[moment] = _page(collector)
            await cache.close()

    scrape_live()
    history = Life(3, script).pages
    assert len(history) == 181
    for moment, page in live.items():
        assert _without_build_info(history[moment]) == _without_build_info(page), moment
    assert len(page) > 80


def test_scrapes_go_from_the_very_start_to_the_very_end() -> None:
    assert [*Life(0.05).pages] == [START + minutes * MINUTE for minutes in range(4)]


def test_outage_leaves_the_gap_that_staleness_makes() -> None:
    life = Life(2, "+1:00:30 refuse for 25m")
    power, up = life.series(POWER, ecu=ECU), life.series("aps_up", target="roof")
    assert [*up] == [*range(121)]
    # Heard last at minute 60; withdrawn once it is older than 15 minutes.
    assert [*power][:76] == [*range(76)]
    back = min(minute for minute in power if minute > 75)
    # The port opens at minute 85.5, and the ECU is tried every 5.5 minutes or sooner.
    assert 85 < back <= 92
    assert [*power][76:] == [*range(int(back), 121)]
    # The round of 11:05:00 is the first one missed; its refresh fails with the retry, after 65.
    assert [minute for minute in up if not up[minute]] == [*range(66, int(back))]


def test_lifetime_glitch_is_literal_in_one_series_and_never_in_the_counter() -> None:
    life = Life(2, "+1:00:00 lifetime-zero for 5m")
    reported, counter = life.series(REPORTED, ecu=ECU), life.series(COUNTER, ecu=ECU)
    assert 0 in reported.values()
    assert [*counter] == [*range(121)]
    assert min(counter.values()) >= 4_321 * 3_600_000
    assert [*counter.values()] == sorted(counter.values())


def test_slow_faults_take_their_time_as_live() -> None:
    life = Life(1, "+0:30:00 silent for 12m\n+0:50:00 drip for 8m")
    failures = life.series(
        "aps_query_failures_total", target="roof", query="info", reason="timeout"
    )
    assert failures[29] == 0
    assert failures[49] == failures[42] > 1
    assert failures[60] > failures[49]
    durations = life.series("aps_refresh_duration_seconds", target="roof")
    # Info, inverters and signal are tried twice for 10 s each: 5 s between, and four pauses.
    assert max(durations.values()) == 2 * 30 + 5 + 4 * 0.5
