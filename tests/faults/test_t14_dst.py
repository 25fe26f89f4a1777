"""T14: over both DST changes no timestamp lies more than 60 s in the future, and none is doubled.

Each raw timestamp has one UTC time, also across a restart, whether the zone is known or wrong.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from aps_exporter.cache import EcuCache
from aps_exporter.ecu_claims import EcuClaims
from aps_exporter.ecu_memory import memories_from_json, memories_to_json
from aps_exporter.state import State
from tests.exporter import Client, exporter
from tests.faults.ordeal import PLAIN, Page
from tests.virtual_time import in_virtual_time
from tests.world import World, world

AMSTERDAM, PACIFIC, CHINA = "Europe/Amsterdam", "US/Pacific", "Etc/GMT-8"
ROUND_SECONDS = 300
ROUND = timedelta(seconds=ROUND_SECONDS)
HOUR = timedelta(hours=1)
DARK, BRIGHT = time_of_day(15, 30), time_of_day(9, 30)
"""The sun time four hours before the change: it sets long before it, or shines through it."""

SPRING_AND_AUTUMN = {
    AMSTERDAM: (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    PACIFIC: (datetime(2026, 3, 8, 10, tzinfo=UTC), datetime(2026, 11, 1, 9, tzinfo=UTC)),
}


@dataclass(frozen=True, slots=True)
class Zones:
    """Who thinks what of the ECU's clock; `change` is the zone whose clocks are changed."""

    clock: str
    says: str
    configured: str | None
    host: str
    change: str

    def __str__(self) -> str:
        return (
            f"clock {self.clock}, says {self.says or 'none'}, "
            f"APS_TIMEZONE {self.configured or 'none'}, host {self.host}, change {self.change}"
        )

    @property
    def of_clock(self) -> ZoneInfo:
        return ZoneInfo(self.clock)


ZONE_IS_KNOWN = [
    Zones(AMSTERDAM, CHINA, configured=AMSTERDAM, host="UTC", change=AMSTERDAM),
    Zones(PACIFIC, CHINA, configured=PACIFIC, host=AMSTERDAM, change=PACIFIC),
    Zones(CHINA, CHINA, configured=CHINA, host=AMSTERDAM, change=AMSTERDAM),
    Zones(AMSTERDAM, AMSTERDAM, configured=None, host=PACIFIC, change=AMSTERDAM),
    Zones(PACIFIC, PACIFIC, configured=None, host="UTC", change=PACIFIC),
    Zones(AMSTERDAM, CHINA, configured=None, host=AMSTERDAM, change=AMSTERDAM),
    Zones(AMSTERDAM, "", configured=None, host=AMSTERDAM, change=AMSTERDAM),
    Zones(PACIFIC, CHINA, configured=None, host=PACIFIC, change=PACIFIC),
]
ZONE_IS_WRONG = [
    Zones(AMSTERDAM, CHINA, configured=None, host="UTC", change=AMSTERDAM),
    Zones(AMSTERDAM, CHINA, configured=CHINA, host=AMSTERDAM, change=AMSTERDAM),
    Zones(AMSTERDAM, CHINA, configured=PACIFIC, host="UTC", change=AMSTERDAM),
    Zones(AMSTERDAM, PACIFIC, configured=None, host="UTC", change=AMSTERDAM),
    Zones(CHINA, CHINA, configured=None, host=AMSTERDAM, change=AMSTERDAM),
    Zones("Etc/GMT-1", CHINA, configured=AMSTERDAM, host="UTC", change=AMSTERDAM),
]

each_known_zone = pytest.mark.parametrize("zones", ZONE_IS_KNOWN, ids=str)
each_wrong_zone = pytest.mark.parametrize("zones", ZONE_IS_WRONG, ids=str)
each_change = pytest.mark.parametrize("season", [0, 1], ids=["spring", "autumn"])
each_light = pytest.mark.parametrize("sun", [DARK, BRIGHT], ids=["dark", "bright"])


@pytest.fixture
def host_in() -> Iterator[Callable[[str], None]]:
    """Gives this host a time zone."""

    def live_in(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    with pytest.MonkeyPatch.context() as monkeypatch:
        yield live_in
    time.tzset()


@dataclass(frozen=True, slots=True)
class Sight:
    """What one scrape showed, the newest round as the ECU stamped it, and what was true then."""

    at: datetime
    stamp: datetime
    page: Page
    true_watts: int
    true_lifetime_joules: int

    @property
    def published(self) -> datetime:
        return datetime.fromtimestamp(self.page.count("aps_ecu_last_report_timestamp_seconds"), UTC)

    @property
    def integrated_joules(self) -> int:
        return self.page.count("aps_ecu_integrated_energy_joules_total")

    @property
    def day_joules(self) -> float | None:
        return self.page.value("aps_ecu_day_energy_joules")


class Night:
    """An exporter on an ECU through the night of a change; it may be restarted."""

    def __init__(self, w: World) -> None:
        self.world = w
        self.sights: list[Sight] = []

    async def watch(self, until: datetime) -> None:
        """Let an exporter run until then, scraped each round, the last time at its end."""
        cache = self.world.cache()
        async with exporter([cache]) as client:
            while (left := until - self.world.clock.now()) > timedelta():
                self.sights.append(await self._sight(client))
                await asyncio.sleep(min(left, ROUND).total_seconds())
            self.sights.append(await self._sight(client))
        await self._end(cache)

    async def _sight(self, client: Client) -> Sight:
        answer = await client.get("/metrics", headers=PLAIN)
        assert answer.status == 200
        digits = (self.world.ecu.said["inverters"] or b"")[19:26].hex()
        stamp = datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 - ECUs name no zone
        page = Page(await answer.text())
        simulated = self.world.simulated
        sun, plant = simulated.newest_round, simulated.plant
        return Sight(
            self.world.clock.now(),
            stamp,
            page,
            plant.power_watts(sun),
            plant.lifetime_joules(sun),
        )

    async def _end(self, cache: EcuCache) -> None:
        """What the next exporter knows has been JSON."""
        await cache.close()
        ecu = self.world.simulated.ecu
        memory = self.world.state.recall(ecu)
        assert memory is not None
        self.world.state = State(memories_from_json(memories_to_json({ecu: memory})))
        self.world.claims = EcuClaims()

    @property
    def rounds(self) -> list[Sight]:
        """The first sight of each round."""
        return [
            self.sights[0],
            *(later for s, later in pairwise(self.sights) if later.stamp != s.stamp),
        ]

    def true_time(self, sight: Sight) -> datetime:
        """What the stamp of a round means; clocks are set by whole hours, and this was now."""
        newest = sight.at - (sight.at - datetime.min.replace(tzinfo=UTC)) % ROUND
        for age in range(3):
            local = (newest - age * ROUND).astimezone(self.zone).replace(tzinfo=None)
            if local == sight.stamp:
                return newest - age * ROUND
        raise AssertionError(f"{sight.stamp} is no time of a new round at {sight.at}")

    @property
    def zone(self) -> ZoneInfo:
        assert self.world.clock_zone is not None
        return self.world.clock_zone

    def assert_times_can_be(self) -> None:
        """Nothing in the future, nothing doubled, and each stamp means the same for ever."""
        for sight in self.sights:
            assert sight.published <= sight.at + timedelta(seconds=60)
            assert sight.page.count("aps_ecu_rejected_values_total", "future_report") == 0
        published = [sight.published for sight in self.rounds]
        assert len({*published}) == len(published)
        assert published == sorted(published)
        for sight, later in pairwise(self.sights):
            assert (sight.stamp == later.stamp) == (sight.published == later.published)

    def assert_times_are_true(self) -> None:
        """And each is the moment at which the round was."""
        for sight in self.rounds:
            assert sight.published == self.true_time(sight)


@asynccontextmanager
async def night(zones: Zones, start: datetime, sun: time_of_day) -> AsyncIterator[Night]:
    async with world(
        start=start + timedelta(seconds=20),
        sun=sun,
        clock_zone=zones.of_clock,
        says_zone=zones.says,
    ) as w:
        w.zone = None if zones.configured is None else ZoneInfo(zones.configured)
        yield Night(w)


async def _night_with_restarts(zones: Zones, season: int, sun: time_of_day) -> Night:
    """From four hours before the change to two after it; restarted around it."""
    change = SPRING_AND_AUTUMN[zones.change][season]
    async with night(zones, change - 4 * HOUR, sun) as whole:
        for minutes in (-23, 22, 63, 120):
            await whole.watch(change + timedelta(minutes=minutes))
        return whole


@each_light
@each_change
@each_known_zone
def test_rounds_have_their_true_times_and_no_warning_where_the_zone_is_known(
    zones: Zones,
    season: int,
    sun: time_of_day,
    host_in: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    host_in(zones.host)

    @in_virtual_time
    async def check() -> None:
        whole = await _night_with_restarts(zones, season, sun)
        whole.assert_times_can_be()
        whole.assert_times_are_true()
        assert len(whole.rounds) >= 71
        assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == []

    check()


@each_light
@each_change
@each_wrong_zone
def test_rounds_have_times_that_can_be_where_the_zone_is_wrong(
    zones: Zones, season: int, sun: time_of_day, host_in: Callable[[str], None]
) -> None:
    host_in(zones.host)

    @in_virtual_time
    async def check() -> None:
        whole = await _night_with_restarts(zones, season, sun)
        whole.assert_times_can_be()
        if sun == BRIGHT:
            whole.assert_times_are_true()

    check()


A_FEW_ROUNDS_JOULES = 1_600 * 2 * ROUND_SECONDS
"""What the plant makes at most in two rounds: the newest may not be known to the exporter yet."""


async def _day_of_the_change(zones: Zones, season: int) -> Night:
    """From before its midnight until after the next, both in sunshine; restarted in between."""
    change = SPRING_AND_AUTUMN[zones.change][season]
    midnight, next_midnight = _midnights(zones, change)
    async with night(zones, midnight - HOUR, time_of_day(11, 0)) as whole:
        await whole.watch(change + timedelta(minutes=22))
        await whole.watch(next_midnight + HOUR)
        return whole


def _midnights(zones: Zones, change: datetime) -> tuple[datetime, datetime]:
    """By the ECU's clock, before and after the change."""
    day = change.astimezone(zones.of_clock).replace(hour=0, minute=0)
    following = (day.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zones.of_clock)
    return day.astimezone(UTC), following.astimezone(UTC)


DAYS_OF_CHANGE = [
    Zones(AMSTERDAM, CHINA, configured=AMSTERDAM, host="UTC", change=AMSTERDAM),
    Zones(PACIFIC, PACIFIC, configured=None, host="UTC", change=PACIFIC),
    Zones(AMSTERDAM, CHINA, configured=None, host="UTC", change=AMSTERDAM),
    Zones(CHINA, CHINA, configured=CHINA, host=AMSTERDAM, change=AMSTERDAM),
]


@each_change
@pytest.mark.parametrize("zones", DAYS_OF_CHANGE, ids=str)
def test_day_of_the_change_lasts_from_local_midnight_to_local_midnight(
    zones: Zones, season: int, host_in: Callable[[str], None]
) -> None:
    host_in(zones.host)

    @in_virtual_time
    async def check() -> None:
        whole = await _day_of_the_change(zones, season)
        change = SPRING_AND_AUTUMN[zones.change][season]
        midnight, next_midnight = _midnights(zones, change)
        before = [s for s in whole.sights if s.at < midnight]
        during = [s for s in whole.sights if midnight <= s.at < next_midnight]
        after = [s for s in whole.sights if s.at >= next_midnight]
        assert [s.day_joules for s in before] == [None] * len(before)
        for day in (during, after):
            energy = [s.day_joules or 0.0 for s in day]
            assert energy == sorted(energy)
            made = [s.true_lifetime_joules - day[0].true_lifetime_joules for s in day]
            assert energy == pytest.approx(made, abs=A_FEW_ROUNDS_JOULES)
        assert (during[-1].day_joules or 0) > 8 * A_FEW_ROUNDS_JOULES

    check()


@each_change
@pytest.mark.parametrize("zones", DAYS_OF_CHANGE, ids=str)
def test_energy_is_integrated_over_the_change_without_a_jump(
    zones: Zones, season: int, host_in: Callable[[str], None]
) -> None:
    host_in(zones.host)

    @in_virtual_time
    async def check() -> None:
        whole = await _night_with_restarts(zones, season, BRIGHT)
        first = whole.sights[0]
        for sight in whole.sights:
            made = sight.true_lifetime_joules - first.true_lifetime_joules
            by_trapezoid = made - (sight.true_watts - first.true_watts) * ROUND_SECONDS / 2
            assert sight.integrated_joules == pytest.approx(by_trapezoid, abs=A_FEW_ROUNDS_JOULES)
        assert by_trapezoid > 8 * A_FEW_ROUNDS_JOULES

    check()
