"""T4: a reply split anywhere, and one of 80 inverters, decodes as if it had come in one piece."""

import asyncio

import pytest

from tests.faults.ordeal import Page, ordeal
from tests.faults.speaking import speaker
from tests.protocol.captures import WHOLE, Capture
from tests.protocol.shapes import said
from tests.protocol.test_replies import EIGHTY_QS1
from tests.virtual_time import in_virtual_time

ROUND = 300
SEGMENT = 536
"""Bytes; the least that a network makes of TCP."""

of_whole = pytest.mark.parametrize("capture", WHOLE, ids=lambda capture: capture.name)


@of_whole
def test_capture_split_anywhere_decodes_as_unsplit(capture: Capture) -> None:
    @in_virtual_time
    async def check() -> None:
        async with speaker() as ecu:
            for position in range(1, len(capture.raw)):
                pieces = [capture.raw[:position], capture.raw[position:]]
                reply = await ecu.ask_for(capture.raw, pieces)
                assert said(reply.raw) == capture.expected

    check()


@in_virtual_time
async def test_reply_of_eighty_inverters_split_anywhere_is_the_same() -> None:
    async with speaker() as ecu:
        whole = await ecu.ask_for(EIGHTY_QS1, [EIGHTY_QS1])
        for position in range(1, len(EIGHTY_QS1)):
            pieces = [EIGHTY_QS1[:position], EIGHTY_QS1[position:]]
            assert await ecu.ask_for(EIGHTY_QS1, pieces) == whole


@pytest.mark.parametrize("size", [1, SEGMENT, 1_024])
def test_reply_of_eighty_inverters_in_many_pieces_decodes_as_unsplit(size: int) -> None:
    @in_virtual_time
    async def check() -> None:
        async with speaker() as ecu:
            pieces = [EIGHTY_QS1[at : at + size] for at in range(0, len(EIGHTY_QS1), size)]
            reply = await ecu.ask_for(EIGHTY_QS1, pieces)
            assert said(reply.raw) == said(EIGHTY_QS1)

    check()


@in_virtual_time
async def test_exporter_reads_eighty_inverters_in_pieces_as_it_does_in_one() -> None:
    async with ordeal(inverters="qs1:80") as whole, ordeal(inverters="qs1:80") as split:
        split.world.faults.add("segment")
        expected, found = await asyncio.gather(
            whole.scrape_for(4 * ROUND, every=60), split.scrape_for(4 * ROUND, every=60)
        )
        assert len(found[-1].values("aps_channel_power_watts")) == 320
        assert _measurements(found[-1]) == _measurements(expected[-1]) != _measurements(found[0])


def _measurements(page: Page) -> list[str]:
    inverter_lines = ("aps_inverter_", "aps_channel_")
    return [line for line in page.text.splitlines() if line.startswith(inverter_lines)]
