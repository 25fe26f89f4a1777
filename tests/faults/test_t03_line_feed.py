"""T3: a 0x0A in place of any byte of a body neither cuts a reply nor moves a frame."""

import pytest

from aps_exporter.ecu.queries import InfoQuery, InvertersQuery, Query, SignalQuery
from tests.faults.ordeal import Ordeal, ordeal
from tests.faults.speaking import body_of, framed_by_hand, one_by_one, speaker
from tests.protocol.captures import WHOLE, Capture
from tests.virtual_time import in_virtual_time

SAMPLE = 4
"""One body byte in so many is sent byte by byte through a socket; `tests/protocol` tries all."""

ROUND = 300

of_whole = pytest.mark.parametrize("capture", WHOLE, ids=lambda capture: capture.name)


@of_whole
def test_line_feed_anywhere_in_a_reply_sent_whole_leaves_its_frame(capture: Capture) -> None:
    @in_virtual_time
    async def check() -> None:
        async with speaker() as ecu:
            for position in body_of(capture.raw):
                changed = _with_line_feed(capture.raw, position)
                assert await ecu.ask_for(changed, [changed]) == framed_by_hand(changed)

    check()


@of_whole
def test_line_feed_in_a_reply_sent_byte_by_byte_leaves_its_frame(capture: Capture) -> None:
    @in_virtual_time
    async def check() -> None:
        async with speaker() as ecu:
            for position in body_of(capture.raw)[::SAMPLE]:
                changed = _with_line_feed(capture.raw, position)
                assert await ecu.ask_for(changed, one_by_one(changed)) == framed_by_hand(changed)

    check()


@pytest.mark.parametrize("query", ["info", "inverters", "signal"])
def test_exporter_counts_no_line_feed_as_a_cut_or_a_wrong_frame(query: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            for position in body_of(_reply(trial, query)):
                changed = _with_line_feed(_reply(trial, query), position)
                trial.world.ecu.answers[query] = changed
                refreshes = trial.cache.status().refreshes
                while trial.cache.status().refreshes == refreshes:
                    await trial.cache.ask_once()
                    await trial.world.pass_time(ROUND / 5)
            page = await trial.scrape()
            for reason in ("truncated", "framing", "timeout", "closed"):
                assert page.count("aps_query_failures_total", query, reason) == 0
            assert page.value("aps_up", "roof") == 1

    check()


@in_virtual_time
async def test_ten_inverters_are_read_as_ten() -> None:
    async with ordeal(inverters="ds3:10") as trial:
        page = await trial.scrape()
        assert b"\x00\x0a" in _reply(trial, "inverters")[17:19]
        assert page.value("aps_ecu_inverters") == 10
        assert page.values("aps_inverter_online") == [1] * 10


def _reply(trial: Ordeal, query: str) -> bytes:
    """What the simulated ECU answers now."""
    ecu = trial.world.simulated
    asked: dict[str, Query] = {
        "info": InfoQuery(),
        "inverters": InvertersQuery(ecu.ecu),
        "signal": SignalQuery(ecu.ecu),
    }
    return ecu.reply_to(asked[query].request) or b""


def _with_line_feed(raw: bytes, position: int) -> bytes:
    return raw[:position] + b"\n" + raw[position + 1 :]
