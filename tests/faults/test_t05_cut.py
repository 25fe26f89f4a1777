"""T5: a reply cut after any byte is rejected as truncated; what was known stays and only ages.

The cut that lacks nothing but the final line feed is no cut.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Final
from unittest.mock import patch

import pytest

from aps_exporter.errors import MalformedReplyError
from aps_exporter.simulator.ecu import SimulatedEcu
from aps_exporter.simulator.reply_faults import REPLY_FAULTS
from tests.faults.ordeal import Ordeal, Page, ordeal
from tests.faults.speaking import framed_by_hand, speaker
from tests.protocol.captures import WHOLE, Capture
from tests.virtual_time import in_virtual_time

RETRY_IS_OVER = 10
ROUND = 300
STALE_AFTER = 900

QUERIES: Final = {b"0001": "info", b"0002": "inverters", b"0030": "signal"}
READ: Final = [c for c in WHOLE if c.expected["kind"] in QUERIES.values()]

of_whole = pytest.mark.parametrize("capture", WHOLE, ids=lambda capture: capture.name)
of_read = pytest.mark.parametrize("capture", READ, ids=lambda capture: capture.name)


@of_whole
def test_capture_cut_after_any_byte_is_truncated(capture: Capture) -> None:
    @in_virtual_time
    async def check() -> None:
        async with speaker() as ecu:
            for cut in range(1, len(capture.raw) - 1):
                with pytest.raises(MalformedReplyError) as caught:
                    await ecu.ask_for(capture.raw, [capture.raw[:cut]], hangs_up=True)
                assert (caught.value.reason, cut) == ("truncated", cut)

    check()


@of_whole
def test_capture_that_lacks_only_its_line_feed_is_whole(capture: Capture) -> None:
    @in_virtual_time
    async def check() -> None:
        async with speaker() as ecu:
            reply = await ecu.ask_for(capture.raw, [capture.raw[:-1]], hangs_up=True)
            assert reply == framed_by_hand(capture.raw)

    check()


@of_read
def test_exporter_keeps_what_it_knew_while_each_reply_is_cut(capture: Capture) -> None:
    cuts = Cuts(capture)

    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            trial.world.ecu.ecu = EcuOfCaptures(trial.world.simulated, _of_one_ecu(capture))
            await _what_captures_lack_is_withdrawn(trial)
            pages = [await _next_good_page(trial)]
            while cuts.left:
                good = pages[-1]
                for page in await _pages_until_stale(trial):
                    assert _known(page) == _known(good)
                    assert _age(page) > _age(pages[-1])
                    pages.append(page)
                pages.append(await _next_good_page(trial))
            failures = {
                reason: pages[-1].count("aps_query_failures_total", QUERIES[cuts.command], reason)
                for reason in ("truncated", "framing", "malformed", "status", "timeout", "closed")
            }
            assert failures == dict.fromkeys(failures, 0) | {"truncated": cuts.made}
            assert cuts.made >= len(capture.raw) - 2
            assert _energies_that_fell(pages) == set()

    with patch.dict(REPLY_FAULTS, truncate=cuts.cut):
        check()


@in_virtual_time
async def test_exporter_takes_replies_that_lack_only_their_line_feed() -> None:
    async with ordeal() as trial:
        with patch.dict(REPLY_FAULTS, truncate=lambda reply: reply[:-1]):
            trial.world.faults.add("truncate")
            before, *_, after = await trial.scrape_for(2_000)
        assert after.count("aps_refreshes_total") > before.count("aps_refreshes_total") + 3
        assert set(after.values("aps_query_failures_total")) == {0}
        assert set(after.values("aps_reply_oddities_total")) == {0}


@dataclass
class Cuts:
    """Cuts the replies that a capture stands for one byte later each time, others in half."""

    capture: Capture
    made: int = 0

    @property
    def command(self) -> bytes:
        return self.capture.raw[9:13]

    @property
    def left(self) -> bool:
        return self.made < len(self.capture.raw) - 2

    def cut(self, reply: bytes) -> bytes:
        if reply[9:13] != self.command:
            return reply[: len(reply) // 2]
        self.made += 1
        return reply[: min(self.made, len(reply) - 2)]


@dataclass
class EcuOfCaptures:
    """Answers with captures as if they were of here and now, and else as the simulated ECU."""

    simulated: SimulatedEcu
    captures: list[Capture]

    def reply_to(self, request: bytes) -> bytes | None:
        now = self.simulated.reply_to(request) or b""
        for capture in self.captures:
            if capture.raw[9:13] == request[9:13]:
                kept = {b"0001": slice(13, 25), b"0002": slice(19, 26)}  # the id, and the time
                span = kept.get(request[9:13], slice(0, 0))
                return capture.raw[: span.start] + now[span] + capture.raw[span.stop :]
        return now


def _of_one_ecu(capture: Capture) -> list[Capture]:
    """The captures of all queries of one refresh."""
    stem = re.compile("-(info|rt|sig)-")
    name = stem.sub("-", capture.name)
    return [capture] + [c for c in READ if c != capture and stem.sub("-", c.name) == name]


async def _what_captures_lack_is_withdrawn(trial: Ordeal) -> None:
    """Only after that does nothing but the captures speak from the pages."""
    await trial.scrape_for(STALE_AFTER + ROUND, every=60)


async def _pages_until_stale(trial: Ordeal) -> list[Page]:
    """A page after each refresh, its retry too, while every reply is cut."""
    trial.world.faults.add("truncate")
    pages: list[Page] = []
    while True:
        page = await _page_of_next_refresh(trial)
        if _age(page) >= STALE_AFTER:
            assert len(pages) >= 3
            return pages
        assert page.value("aps_up") == 0
        pages.append(page)


async def _next_good_page(trial: Ordeal) -> Page:
    trial.world.faults.discard("truncate")
    while True:
        page = await _page_of_next_refresh(trial)
        if set(page.values("aps_query_success")) == {1} and _age(page) <= RETRY_IS_OVER:
            return page


async def _page_of_next_refresh(trial: Ordeal) -> Page:
    next_refresh = trial.cache.status().next_refresh
    assert next_refresh is not None
    await asyncio.sleep((next_refresh - trial.world.clock.now()).total_seconds() + 0.001)
    trial.cache.start_if_due()
    await asyncio.sleep(RETRY_IS_OVER)
    return await trial.scrape()


def _age(page: Page) -> float:
    return page.count("aps_ecu_data_age_seconds")


def _known(page: Page) -> list[str]:
    """What is said of the ECU and its inverters, but for the age of it."""
    about = re.compile("aps_(ecu|inverter|channel)_(?!data_age)")
    return [line for line in page.text.splitlines() if about.match(line)]


def _energies_that_fell(pages: list[Page]) -> set[str]:
    fell, latest = set(), dict[str, float]()
    for page in pages:
        for line in page.text.splitlines():
            series, _, value = line.rpartition(" ")
            if "_joules_total{" in series:
                if float(value) < latest.get(series, 0):
                    fell.add(series)
                latest[series] = float(value)
    return fell
