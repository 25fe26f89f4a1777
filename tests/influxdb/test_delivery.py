from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aps_exporter.errors import SinkRejectedError, SinkUnavailableError
from aps_exporter.sinks.influxdb.delivery import deliver


class PickyWriter:
    """Refuses any batch with a bad line in it, or more lines than it takes at once."""

    def __init__(self, bad: Sequence[str] = (), at_once: int = 10_000, dies_after: int = 10**9):
        self.bad = {*bad}
        self.at_once = at_once
        self.dies_after = dies_after
        self.taken: list[str] = []
        self.writes = 0

    async def write(self, lines: Sequence[str]) -> None:
        self.writes += 1
        if self.writes > self.dies_after:
            raise SinkUnavailableError("network", "gone")
        if len(lines) > self.at_once:
            raise SinkRejectedError("HTTP 413: too large")
        if self.bad & {*lines}:
            raise SinkRejectedError("HTTP 400: field type conflict")
        self.taken += lines

    async def close(self) -> None:
        pass


class FickleWriter(PickyWriter):
    """Refuses everything for its first writes, or for all after some."""

    def __init__(
        self, bad: Sequence[str] = (), refuses_until: int = 0, refuses_from: int = 10**9
    ) -> None:
        super().__init__(bad)
        self.refuses_until = refuses_until
        self.refuses_from = refuses_from

    async def write(self, lines: Sequence[str]) -> None:
        if not self.refuses_until <= self.writes < self.refuses_from:
            self.writes += 1
            raise SinkRejectedError("HTTP 400: as always")
        await super().write(lines)


def _lines(count: int) -> list[str]:
    return [f"line {number}" for number in range(count)]


async def test_good_lines_go_at_once() -> None:
    writer = PickyWriter()
    assert await deliver(writer, _lines(5_000)) == []
    assert writer.writes == 1


async def test_bad_line_comes_back_with_what_was_said_and_all_others_go() -> None:
    lines = _lines(5_000)
    writer = PickyWriter(bad=[lines[1_234]])
    (refused,) = await deliver(writer, lines)
    assert (refused.line, refused.why) == (lines[1_234], "HTTP 400: field type conflict")
    assert [*dict.fromkeys(writer.taken)] == lines[:1_234] + lines[1_235:]
    assert writer.writes < 30


async def test_too_many_lines_at_once_go_in_halves() -> None:
    writer = PickyWriter(at_once=700)
    assert await deliver(writer, _lines(5_000)) == []
    assert writer.taken == _lines(5_000)


async def test_database_that_refuses_everything_gives_everything_back() -> None:
    lines = _lines(100)
    refused = await deliver(PickyWriter(bad=lines), lines)
    assert [line.line for line in refused] == lines


async def test_database_that_goes_away_in_between_ends_the_delivery() -> None:
    lines = _lines(100)
    with pytest.raises(SinkUnavailableError):
        await deliver(PickyWriter(bad=lines[:1], dies_after=3), lines)


@pytest.mark.parametrize("changes_after", [*range(1, 60)])
async def test_line_is_not_at_fault_if_the_database_ceases_to_refuse_everything(
    changes_after: int,
) -> None:
    lines = _lines(20)
    refused = await deliver(FickleWriter(refuses_until=changes_after), lines)
    assert len(refused) in {0, len(lines)}


@pytest.mark.parametrize("changes_after", [*range(60)])
async def test_line_is_not_at_fault_if_the_database_begins_to_refuse_everything(
    changes_after: int,
) -> None:
    lines = _lines(20)
    writer = FickleWriter(bad=lines[:1], refuses_from=changes_after)
    with suppress(SinkUnavailableError):
        refused = await deliver(writer, lines)
        assert len(refused) in {1, len(lines)}


@given(st.sets(st.integers(0, 59)), st.integers(1, 60))
async def test_exactly_the_bad_lines_come_back(bad: set[int], at_once: int) -> None:
    lines = _lines(60)
    writer = PickyWriter(bad=[lines[number] for number in bad], at_once=at_once)
    refused = [line.line for line in await deliver(writer, lines)]
    assert refused == [lines[number] for number in sorted(bad)]
    taken = [*dict.fromkeys(writer.taken)]
    assert taken == [line for line in lines if line not in refused]
