"""How fresh the numbers are: three simulated days of the schedule, beside a blind timer.

An ECU shows a round every 300 s from six in the morning to six in the evening, each up to 5 s
early or late. On a timer, the delay is from the moment the ECU had a round until we have it;
scraped, from the first scrape that could have had it. The first round after each night is left out.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import mean, quantiles
from typing import Final

from aps_exporter.schedule import RoundSchedule
from benchmarks.figures import Figure

PERIOD: Final = 300
JITTER: Final = 5
DAYS: Final = 3
DAWN, DUSK = 6 * 3_600, 18 * 3_600
RUNS: Final = 20
SCRAPE_INTERVALS: Final = (15, 30, 60)

_DAY: Final = 86_400
_FIRST_STAMP: Final = datetime.fromisoformat("2026-06-01T00:00:00")

NextLook = Callable[[int, float], float]
"""When to look next, after having seen this round at this moment."""


@dataclass
class Outcome:
    """What came of following one ECU for three days."""

    delays: list[float] = field(default_factory=list)
    scrape_delays: list[float] = field(default_factory=list)
    looks_by_day: int = 0
    rounds: int = 0


def figures() -> Iterator[Figure]:
    """Delays and looks per round, on the timer and scraped."""
    ours = [_follow(seed, _ours()) for seed in range(RUNS)]
    delays = [delay for outcome in ours for delay in outcome.delays]
    yield Figure("freshness on the timer, mean", mean(delays), "s", 8)
    yield Figure("freshness on the timer, p95", quantiles(delays, n=100)[94], "s")
    yield Figure("refreshes a round, on the timer", _looks_a_round(ours), "", 1.05)
    blind = [_follow(seed, _blind) for seed in range(RUNS)]
    blind_delays = [delay for outcome in blind for delay in outcome.delays]
    yield Figure("freshness of a blind 300 s timer, mean", mean(blind_delays), "s")
    for interval in SCRAPE_INTERVALS:
        scraped = [_follow(run, _ours(), interval, run * interval / RUNS) for run in range(RUNS)]
        delay = mean(delay for outcome in scraped for delay in outcome.scrape_delays)
        yield Figure(f"scraped every {interval} s, mean delay", delay, "s", interval / 2)
        looks = _looks_a_round(scraped)
        yield Figure(f"scraped every {interval} s, refreshes a round", looks, "", 1.1)


def _ours() -> NextLook:
    schedule = RoundSchedule(PERIOD)

    def next_look(index: int, at: float) -> float:
        schedule.saw_round(_FIRST_STAMP + timedelta(seconds=index * PERIOD), at)
        return schedule.next_at

    return next_look


def _blind(_: int, at: float) -> float:
    return at + PERIOD


def _looks_a_round(outcomes: list[Outcome]) -> float:
    return sum(o.looks_by_day for o in outcomes) / sum(o.rounds for o in outcomes)


class _Ecu:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._first = chance.uniform(0, PERIOD)
        self._visible: dict[int, float] = {}

    def visible(self, index: int) -> float:
        punctual = self._first + index * PERIOD
        return self._visible.setdefault(index, punctual + self._chance.uniform(-JITTER, JITTER))

    def is_awake(self, index: int) -> bool:
        return DAWN <= (self._first + index * PERIOD) % _DAY < DUSK

    def newest(self, at: float) -> int:
        index = int((at - self._first) // PERIOD) + 1
        while self.visible(index) > at or not self.is_awake(index):
            index -= 1
        return index


def _follow(
    seed: int, next_look: NextLook, scrape_interval: float | None = None, phase: float = 0
) -> Outcome:
    def not_before(moment: float) -> float:
        """The first moment from this one on at which somebody asks."""
        if scrape_interval is None:
            return moment
        return phase + math.ceil((moment - phase) / scrape_interval) * scrape_interval

    chance = random.Random(seed)  # noqa: S311 - weather, no secret
    ecu = _Ecu(chance)
    outcome = Outcome()
    at = not_before(DAWN + PERIOD + chance.uniform(0, PERIOD))
    seen = first = ecu.newest(at)
    while at < DAYS * _DAY:
        outcome.looks_by_day += DAWN <= at % _DAY < DUSK
        newest = ecu.newest(at)
        if newest != seen and ecu.is_awake(newest - 1):
            outcome.delays.append(at - ecu.visible(newest))
            outcome.scrape_delays.append(at - not_before(ecu.visible(newest)))
        seen = newest
        at = not_before(max(next_look(newest, at), at + 1))
    outcome.rounds = sum(ecu.is_awake(index) for index in range(first, seen + 1))
    return outcome
