"""Entries for channels that no ECU lists: told when it is sure, and once."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from aps_exporter.config import PanelsFile
from aps_exporter.panels import Channel, Panel
from aps_exporter.panels_in_force import PanelsInForce
from aps_exporter.readings import Snapshot
from aps_exporter.simulator.faults import Fault
from tests.virtual_time import in_virtual_time
from tests.world import world

DS3 = "704000000001"
ELSEWHERE = "802000000099"


def _in_force(channels: Sequence[Channel], targets: int = 1) -> PanelsInForce:
    panels = dict.fromkeys(channels, Panel(row=1))
    return PanelsInForce(PanelsFile(Path("panels.toml"), panels), targets)


def _told(caplog: pytest.LogCaptureFixture) -> list[object]:
    """What each warning names."""
    return [vars(r)["channels"] for r in caplog.records if "no ECU lists" in r.getMessage()]


async def _round(target: str = "roof", *, faults: Sequence[Fault] = ()) -> Snapshot:
    """A round of one DS3."""
    async with world(inverters="ds3:1", faults=faults) as w:
        taken: list[Snapshot] = []
        await w.cache(target, take_round=taken.append).ask_once()
        return taken[0]


@in_virtual_time
async def test_entries_of_other_inverters_and_channels_are_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    panels = _in_force([(DS3, 1), (DS3, 2), (DS3, 3), (ELSEWHERE, 1)])
    snapshot = await _round()
    for _ in range(3):
        panels.take(snapshot)
    assert _told(caplog) == [f"{DS3}/3 {ELSEWHERE}/1"]


@in_virtual_time
async def test_nothing_is_told_where_all_is_listed(caplog: pytest.LogCaptureFixture) -> None:
    _in_force([(DS3, 1), (DS3, 2)]).take(await _round())
    assert _told(caplog) == []


@in_virtual_time
async def test_nothing_is_told_before_every_ecu_has_listed_its_inverters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    panels = _in_force([(ELSEWHERE, 1)], targets=2)
    roof, barn = await _round("roof"), await _round("barn")
    panels.take(roof)
    panels.take(roof)
    assert _told(caplog) == []
    panels.take(barn)
    assert _told(caplog) == [f"{ELSEWHERE}/1"]


@in_virtual_time
async def test_rows_that_nobody_can_read_may_be_any_inverter(
    caplog: pytest.LogCaptureFixture,
) -> None:
    panels = _in_force([(ELSEWHERE, 1)])
    panels.take(await _round(faults=["unknown-row"]))
    assert _told(caplog) == []


@in_virtual_time
async def test_inverter_never_heard_may_have_any_channel(caplog: pytest.LogCaptureFixture) -> None:
    snapshot = await _round(faults=["never-heard"])
    (never_heard,) = [i.inverter for i in snapshot.inverters if not i.channels]
    panels = _in_force([(never_heard, 4), (ELSEWHERE, 1)])
    panels.take(snapshot)
    assert _told(caplog) == [f"{ELSEWHERE}/1"]


@in_virtual_time
async def test_no_more_than_ten_are_named(caplog: pytest.LogCaptureFixture) -> None:
    panels = _in_force([(f"8020000000{n}", 1) for n in range(10, 25)])
    panels.take(await _round())
    (named,) = _told(caplog)
    assert str(named).split() == [*(f"8020000000{n}/1" for n in range(10, 20)), "..."]
