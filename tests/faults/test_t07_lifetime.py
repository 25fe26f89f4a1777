"""T7: with zero-glitches, and lifetimes that fall once or for good, the counter never falls.

Glitches are counted exactly. That `increase()` is the true production, tests/integration shows.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from aps_exporter.ecu_claims import EcuClaims
from aps_exporter.ecu_memory import memories_from_json, memories_to_json
from aps_exporter.state import State
from tests.faults.ordeal import PLAIN, Ordeal, Page, ordeal
from tests.virtual_time import in_virtual_time

TENTH_KWH = 360_000
"""Joules: the ECU says its lifetime energy in these."""

LIFETIME = slice(27, 31)
TODAY = slice(35, 39)
REGISTERED = slice(46, 48)
"""Where an info reply has them, big-endian."""

COUNTER = "aps_ecu_lifetime_energy_joules_total"
REPORTED = "aps_ecu_reported_lifetime_energy_joules"
REJECTED = "aps_ecu_rejected_values_total"
REASONS = ("registered_zero", "today_zero", "lifetime_fell", "lifetime_leap")

FIVE_KWH = 50
LEAP = 10_000_000


@dataclass(frozen=True, slots=True)
class Said:
    """An info reply: lifetime energy in 0.1 kWh, and whether it is one of the zero-glitch."""

    lifetime: int
    is_zero_glitch: bool = False


def _zero_glitch(lifetime: int) -> Said:
    return Said(lifetime, is_zero_glitch=True)


Lie = Callable[[int], int]


class Replies:
    """An exporter whose ECU says what a test wants, one info reply after the other.

    `x` is what it said first; `published` is the counter behind each reply, less that.
    """

    def __init__(self, trial: Ordeal) -> None:
        self._trial = trial
        self._good = trial.world.ecu.said["info"] or b""
        self._rejected_before: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self.x = int.from_bytes(self._good[LIFETIME], "big")
        self.published: list[int] = []

    async def say(self, *replies: Said) -> None:
        """Let the exporter hear each of these once, and scrape it behind each."""
        ecu = self._trial.world.ecu
        for said in replies:
            ecu.answers["info"] = self._reply(said)
            ecu.asked.clear()
            await self._until_due()
            page = await self._scrape()
            assert ecu.names == ["info", "inverters", "signal"]
            assert page.count(REPORTED) == said.lifetime * TENTH_KWH
            tenths, rest = divmod(page.count(COUNTER), TENTH_KWH)
            assert rest == 0
            assert tenths - self.x >= max(self.published[-1:], default=0)
            self.published.append(tenths - self.x)
            self._rejected = Counter({r: page.count(REJECTED, r) for r in REASONS})

    async def say_lifetimes(self, *lifetimes: int) -> None:
        await self.say(*(Said(lifetime) for lifetime in lifetimes))

    @property
    def rejected(self) -> dict[str, int]:
        """How many values were not believed, by reason."""
        return dict(+(self._rejected_before + self._rejected))

    async def restart(self) -> None:
        """Another process takes over; what it knows has been JSON."""
        world, caches = self._trial.world, self._trial.caches
        await self._trial.cache.close()
        memory = world.state.recall(world.simulated.ecu)
        assert memory is not None
        text = memories_to_json({world.simulated.ecu: memory})
        world.state, world.claims = State(memories_from_json(text)), EcuClaims()
        caches[:] = [world.cache()]
        self._rejected_before += self._rejected
        self._rejected.clear()

    async def _until_due(self) -> None:
        due = self._trial.cache.status().next_refresh
        assert due is not None
        wait = (due - self._trial.world.clock.now()).total_seconds()
        await asyncio.sleep(max(wait, 60) + 1)

    async def _scrape(self) -> Page:
        names = [("name[]", name) for name in (COUNTER, REPORTED, REJECTED)]
        answer = await self._trial.client.get("/metrics", params=names, headers=PLAIN)
        assert answer.status == 200
        return Page(await answer.text())

    def _reply(self, said: Said) -> bytes:
        reply = bytearray(self._good)
        reply[LIFETIME] = said.lifetime.to_bytes(4, "big")
        if said.is_zero_glitch:
            reply[TODAY] = bytes(4)
            reply[REGISTERED] = bytes(2)
        return bytes(reply)


@asynccontextmanager
async def exporter_that_hears() -> AsyncIterator[Replies]:
    async with ordeal(inverters="ds3:1") as trial:
        yield Replies(trial)


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted now and then"])
@in_virtual_time
async def test_five_hundred_zero_glitches_are_counted_and_take_nothing_from_the_counter(
    *, restarts: bool
) -> None:
    async with exporter_that_hears() as ecu:  # a thousand in all
        for made in range(1, 501):
            await ecu.say(_zero_glitch(ecu.x + made))
            if restarts and made % 50 == 0:
                await ecu.restart()
            await ecu.say(Said(ecu.x + made))
        assert ecu.rejected == {"registered_zero": 500, "today_zero": 500}
        assert ecu.published[1::2] == [*range(1, 501)]


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (lambda lifetime: 0 * lifetime, "lifetime_fell"),
        (lambda lifetime: lifetime - FIVE_KWH, "lifetime_fell"),
        (lambda lifetime: lifetime - 1, "lifetime_fell"),
        (lambda lifetime: lifetime + LEAP, "lifetime_leap"),
        (lambda _: 2**32 - 1, "lifetime_leap"),
    ],
    ids=["0", "X - 5 kWh", "X - 0.1 kWh", "X + 1,000,000 kWh", "all bits"],
)
@in_virtual_time
async def test_lies_between_true_replies_are_counted_and_held(lie: Lie, reason: str) -> None:
    async with exporter_that_hears() as ecu:
        for made in range(1, 101):
            await ecu.say_lifetimes(ecu.x + made, lie(ecu.x + made), ecu.x + made)
        assert ecu.rejected == {reason: 100}
        assert ecu.published == [made for made in range(1, 101) for _ in range(3)]


@in_virtual_time
async def test_zero_glitch_that_says_no_lifetime_energy_either_counts_for_both() -> None:
    async with exporter_that_hears() as ecu:
        for _ in range(20):
            await ecu.say(_zero_glitch(0), Said(ecu.x))
        assert ecu.rejected == {"registered_zero": 20, "today_zero": 20, "lifetime_fell": 20}
        assert {*ecu.published} == {0}


@in_virtual_time
async def test_two_lower_replies_in_a_row_are_not_believed() -> None:
    async with exporter_that_hears() as ecu:
        for made in range(1, 31):
            await ecu.say_lifetimes(ecu.x - FIVE_KWH, ecu.x - FIVE_KWH, ecu.x + made)
        assert ecu.rejected == {"lifetime_fell": 60}
        assert ecu.published[2::3] == [*range(1, 31)]


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted at each reply"])
@pytest.mark.parametrize("y", [0, 1, 40_000], ids=["0", "0.1 kWh", "4,000 kWh"])
@in_virtual_time
async def test_lower_replies_for_good_only_move_the_base(y: int, *, restarts: bool) -> None:
    async with exporter_that_hears() as ecu:
        lifetimes = [ecu.x + 1, y, y, y, y + 1, y + 2, y + 2, y + 3]
        for lifetime in lifetimes:
            await ecu.say_lifetimes(lifetime)
            if restarts:
                await ecu.restart()
        assert ecu.rejected == {"lifetime_fell": 2}
        assert ecu.published == [1, 1, 1, 1, 2, 3, 3, 4]


@in_virtual_time
async def test_glitches_behind_a_re_base_are_told_by_the_new_base() -> None:
    async with exporter_that_hears() as ecu:
        y = 1_000
        await ecu.say_lifetimes(y, y, y, y + 1, 0, y + 2, ecu.x, y + 3)
        assert ecu.published == [0, 0, 0, 1, 1, 2, 2, 3]
        assert ecu.rejected == {"lifetime_fell": 3, "lifetime_leap": 1}


@pytest.mark.parametrize("seed", range(3))
@in_virtual_time
async def test_any_mix_of_glitches_and_restarts_loses_and_invents_nothing(seed: int) -> None:
    chance = random.Random(seed)
    async with exporter_that_hears() as ecu:
        made, expected, lies = 0, [], Counter[str]()
        for _ in range(100):
            true = ecu.x + made
            lie, reason = chance.choice(
                [
                    (0, "lifetime_fell"),
                    (true - FIVE_KWH, "lifetime_fell"),
                    (true + LEAP, "lifetime_leap"),
                ]
            )
            for _ in range(chance.choice([0, 1, 2])):
                await ecu.say_lifetimes(lie)
                expected.append(made)
                lies[reason] += 1
                if chance.random() < 0.1:
                    await ecu.restart()
            made += chance.choice([0, 0, 1])
            await ecu.say_lifetimes(ecu.x + made)
            expected.append(made)
        assert ecu.published == expected
        assert ecu.rejected == lies
