"""`backfill` of two months into real databases: all that is missing, and a second time nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from aps_exporter.clock import Clock
from aps_exporter.config import load
from aps_exporter.pushing import build_writer
from tests.integration.backfilling import Ended, fast_backfill, settings_for
from tests.integration.databases import EVERY_KIND, Kind, started
from tests.integration.live_past import STAMPED_LATER, LivePast, live_past
from tests.integration.remembering import (
    DAYS,
    ECU,
    ENERGY_PRECISION_KWH,
    FIRST,
    LAST,
    RememberingEcu,
    Truth,
    days,
    fast_clock,
    midnight,
)

pytestmark = pytest.mark.integration

POWER: Final = ("aps_ecu_power_watts", frozenset({("ecu", ECU)}))
ENERGY: Final = ("aps_ecu_daily_energy_kwh", frozenset({("ecu", ECU)}))
BUCKET: Final = timedelta(minutes=5)

Points = Mapping[int, float]


@pytest.fixture(scope="module")
def live() -> LivePast:
    return live_past()


def _push(settings: Mapping[str, str], lines: Sequence[str]) -> None:
    config = load(dict(settings), targets_required=False).config().influxdb
    assert config is not None

    async def write() -> None:
        writer = build_writer(config)
        try:
            await writer.write(lines)
        finally:
            await writer.close()

    asyncio.run(write())


def _is_of_the_plant(pushed: Points, truth: Truth) -> bool:
    """A refresh across the birth of a round has the power of the round before."""
    return all(
        watts in {truth.watts(round_), truth.watts(round_ - BUCKET.seconds)}
        for round_, watts in ((at - STAMPED_LATER.seconds, watts) for at, watts in pushed.items())
    )


def _backfill(clock: Clock, ecu: RememberingEcu, settings: Mapping[str, str]) -> Ended:
    range_ = (f"--from={FIRST}", f"--to={LAST}")
    return fast_backfill(clock, ecu.address, *range_, environment=settings)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_two_months_beside_live_rounds_are_filled_once_and_as_they_were(
    kind: Kind, live: LivePast, tmp_path: Path
) -> None:
    clock, truth = fast_clock(), Truth()
    remembered = {at: float(watts) for at, watts in truth.power(days()).items()}
    lacking = {at: watts for at, watts in remembered.items() if at not in live.rounds}
    with (
        started(kind(tmp_path / "database")) as database,
        RememberingEcu(clock).served() as ecu,
    ):
        settings = settings_for(database, tmp_path / "state")
        _push(settings, live.lines)
        before = database.series()
        pushed = before[POWER]
        assert {*pushed} == {at + STAMPED_LATER.seconds for at in live.rounds}
        assert len(pushed) > 300
        assert _is_of_the_plant(pushed, truth)
        assert len(lacking) > 100 * DAYS

        ended = _backfill(clock, ecu, settings)
        assert ended.status == 0, ended.err
        written = len(lacking) + DAYS
        assert ended.summary == (DAYS, written, len(remembered) - len(lacking))
        assert ecu.asked == {"info": 1, "energy_of_period": 3, "power_of_day": DAYS}
        found = database.series()
        assert {name: points for name, points in found.items() if name not in (POWER, ENERGY)} == {
            name: points for name, points in before.items() if name != POWER
        }
        assert found[POWER] == lacking | pushed
        assert len({at // BUCKET.seconds for at in found[POWER]}) == len(found[POWER])
        assert found[ENERGY] == {
            midnight(day): pytest.approx(truth.kwh(day), abs=ENERGY_PRECISION_KWH) for day in days()
        }

        again = _backfill(clock, ecu, settings)
        assert again.status == 0, again.err
        assert again.summary == (DAYS, 0, len(remembered) + DAYS)
        assert database.series() == found
        assert ecu.asked == {"info": 2, "energy_of_period": 6, "power_of_day": 2 * DAYS}
