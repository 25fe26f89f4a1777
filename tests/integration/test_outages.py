"""T12: 72 hours of rounds, a database in every trouble there is, and an exporter that is killed.

Whatever happens to them, the database ends with what the plant did: every round, each once, with
its own time. The clock of the plant stands while the exporter is down.
"""

import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from itertools import chain
from pathlib import Path
from typing import Final, get_args

import pytest

from tests.integration.databases import (
    EVERY_KIND,
    Database,
    Line,
    Proxy,
    Series,
    Trouble,
    proxy,
    started,
)
from tests.integration.lives import life, log_of
from tests.integration.plant_record import DAY_ENERGY, midnight_after, record
from tests.integration.scaled_exporter import ROUND_SECONDS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

START: Final = datetime(2024, 6, 1, 8, 0, 20, tzinfo=UTC)
FIRST_ROUND: Final = START.replace(second=0)
HOURS: Final = 72
ROUNDS: Final = HOURS * 3_600 // ROUND_SECONDS + 1
END: Final = START + timedelta(hours=HOURS, seconds=200)
SPEED: Final = 9_000
KILLS: Final = 20

SECONDS_OF_A_TROUBLE: Final = (1_800, 9_000)
UNRESOLVABLE: Final = "http://nosuch.invalid:8086"
UNRESOLVABLE_LIVES: Final = (5, 14)
STOPPED: Final = "stopped"

LONGEST_SCRAPE_SECONDS: Final = 2.0
GIVE_UP_SECONDS: Final = 150.0


@dataclass
class Scrapes:
    """Scrapes all the while, whoever is there."""

    address: str = ""
    seconds: list[float] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.is_over.wait(0.1):
            if not self.address:
                continue
            began = time.perf_counter()
            try:
                with closing(HTTPConnection(self.address, timeout=20)) as connection:
                    connection.request("GET", "/metrics")
                    self.pages.append(connection.getresponse().read().decode())
            except (OSError, HTTPException):
                continue  # it was killed meanwhile
            self.seconds.append(time.perf_counter() - began)


@contextmanager
def scraping() -> Iterator[Scrapes]:
    """Somebody scrapes until the context ends."""
    scrapes = Scrapes()
    thread = threading.Thread(target=scrapes.run, daemon=True)
    thread.start()
    try:
        yield scrapes
    finally:
        scrapes.is_over.set()
        thread.join()


class Timeline:
    """What the database suffers, one trouble after the other, with good times in between."""

    def __init__(self, database: Database, front: Proxy, chance: random.Random) -> None:
        troubles: list[Trouble | str] = [*get_args(Trouble), STOPPED] * 2
        chance.shuffle(troubles)
        self._changes = [*chain(*((trouble, None) for trouble in troubles))]
        self._database = database
        self._front = front
        self._chance = chance
        self._is_stopped = False
        self._next_at: float | None = None

    def reach(self, seconds: float) -> None:
        """Let happen what is to happen by this moment of the plant."""
        if self._next_at is None:
            self._next_at = seconds + self._chance.uniform(*SECONDS_OF_A_TROUBLE)
        if seconds < self._next_at or not self._changes:
            return
        self._next_at = None
        trouble = self._changes.pop(0)
        if self._is_stopped:
            self._database.start()
        self._is_stopped = trouble == STOPPED
        if self._is_stopped:
            self._database.stop()
        else:
            self._front.trouble = trouble  # type: ignore[assignment] # the other one is above


@pytest.fixture(scope="module", params=EVERY_KIND)
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["Outcome"]:
    folder = tmp_path_factory.mktemp("outages")
    database: Database = request.param(folder / "database")
    chance = random.Random(12)
    with (
        started(database),
        proxy(database.address) as front,
        scraping() as scrapes,
    ):
        timeline = Timeline(database, front, chance)
        kills = [*sorted(chance.uniform(0, HOURS * 3_600) for _ in range(KILLS)), None]
        seconds = 0.0
        deadline = time.monotonic() + GIVE_UP_SECONDS
        for number, kill_at in enumerate(kills):
            url = UNRESOLVABLE if number in UNRESOLVABLE_LIVES else f"http://{front.address}"
            settings = {
                **database.settings,
                "APS_INFLUXDB_URL": url,
            }
            with life(folder, START + timedelta(seconds=seconds), END, SPEED, settings) as running:
                scrapes.address = running.address()
                while running.process.poll() is None:
                    reached = seconds + running.seconds()
                    timeline.reach(reached)
                    if kill_at is not None and reached >= kill_at:
                        break
                    assert time.monotonic() < deadline, (reached, number)
                    time.sleep(0.005)
                scrapes.address = ""
                status = running.process.poll()
            seconds += running.seconds()
        assert status == 0
        yield Outcome(database.series(), front, scrapes, log_of(folder), folder)


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    series: Series
    front: Proxy
    scrapes: Scrapes
    log: str
    folder: Path


def test_no_point_is_lost_and_none_is_doubled(outcome: Outcome) -> None:
    expected = record(FIRST_ROUND, ROUNDS)
    stored = {key: points for key, points in outcome.series.items() if key[0] != DAY_ENERGY}
    assert stored.keys() == expected.keys()
    for key, points in expected.items():
        assert stored[key].keys() == points.keys(), key


def test_every_value_is_what_the_plant_did(outcome: Outcome) -> None:
    for key, points in record(FIRST_ROUND, ROUNDS).items():
        stored = [outcome.series[key][at] for at in points]
        assert stored == pytest.approx([*points.values()], rel=1e-9), key


def test_energy_of_the_day_is_there_from_the_first_midnight_on(outcome: Outcome) -> None:
    ((_, points),) = (item for item in outcome.series.items() if item[0][0] == DAY_ENERGY)
    midnight = int(midnight_after(START).timestamp())
    last = int(FIRST_ROUND.timestamp()) + (ROUNDS - 1) * ROUND_SECONDS
    assert [*points] == [*range(midnight, last + 1, ROUND_SECONDS)]


def test_outages_end_with_the_oldest_rounds_first(outcome: Outcome) -> None:
    times = [Line.parsed(line).seconds for lines in outcome.front.taken for line in lines]
    first_times = [*dict.fromkeys(times)]
    assert first_times == sorted(first_times)
    assert len(first_times) == ROUNDS


def test_line_that_is_sent_again_is_the_same(outcome: Outcome) -> None:
    sent: dict[tuple[object, ...], Line] = {}
    for text in chain(*outcome.front.taken):
        line = Line.parsed(text)
        assert sent.setdefault((line.measurement, line.tags, line.seconds), line) == line


def test_every_trouble_was_met(outcome: Outcome) -> None:
    assert outcome.front.troubled == {*get_args(Trouble)}
    assert "nosuch.invalid" in outcome.log


def test_metrics_never_wait_for_the_database(outcome: Outcome) -> None:
    assert len(outcome.scrapes.seconds) > 100
    assert max(outcome.scrapes.seconds) < LONGEST_SCRAPE_SECONDS


def test_metrics_count_no_point_as_dropped_and_no_internal_error(outcome: Outcome) -> None:
    counted = r"^aps_(?:influxdb_points_dropped|internal_errors)_total\{.*\} (\S+)$"
    for page in outcome.scrapes.pages:
        counts = re.findall(counted, page, re.MULTILINE)
        assert len(counts) > 1
        assert {*counts} == {"0.0"}


def test_nothing_was_set_aside_and_nothing_went_wrong_inside(outcome: Outcome) -> None:
    assert not (outcome.folder / "state" / "influxdb-refused.lp").exists()
    for word in ("Traceback", "internal error", "damaged", "set aside"):
        assert word not in outcome.log
