"""`backfill` at its real pace, killed and interrupted: run again, it completes what is there."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from aps_exporter.clock import RealClock
from tests.integration.backfilling import real_backfill, settings_for
from tests.integration.databases import VictoriaMetrics, started
from tests.integration.remembering import (
    ECU,
    ENERGY_PRECISION_KWH,
    ZONE,
    RememberingEcu,
    Truth,
    days,
    midnight,
)

pytestmark = pytest.mark.integration

DAYS: Final = 7
LISTS: Final = 3
POWER: Final = ("aps_ecu_power_watts", frozenset({("ecu", ECU)}))
ENERGY: Final = ("aps_ecu_daily_energy_kwh", frozenset({("ecu", ECU)}))


@pytest.mark.parametrize(
    ("ends_on", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)]
)
def test_run_that_was_ended_half_way_is_completed_by_the_next(
    ends_on: signal.Signals, status: int, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    today = now.astimezone(ZONE).date()
    first, last = today - timedelta(days=DAYS), today - timedelta(days=1)
    with (
        started(VictoriaMetrics(tmp_path / "database")) as database,
        RememberingEcu(RealClock()).served() as ecu,
    ):
        settings = settings_for(database, tmp_path / "state")
        command = (ecu.address, f"--from={first}", f"--to={last}")
        with real_backfill(*command, folder=tmp_path / "1", environment=settings) as run:
            run.wait_for_days(3)
            run.process.send_signal(ends_on)
            ended = run.ended()
        assert ended.status == status
        done = len(ended.out.splitlines())
        assert 3 <= done < DAYS
        truth = Truth(now)
        remembered = truth.power(days(first, last))
        half = database.series()[POWER]
        assert truth.power(days(first, last)[:done]).items() <= half.items()
        assert half.items() < remembered.items()
        asked = ecu.asked["power_of_day"]
        assert asked - done in {0, 1}

        with real_backfill(*command, folder=tmp_path / "2", environment=settings) as run:
            ended = run.ended()
        assert ended.status == 0
        goes_on = first + timedelta(days=DAYS - len(ended.out.splitlines()) + 1)
        assert f"Going on at {goes_on}, where an earlier run has stopped." in ended.err
        assert (goes_on - first).days - done in {0, 1}  # killed between a day's end and its line
        assert ecu.asked["power_of_day"] - asked == (last - goes_on).days + 1
        assert ecu.asked["energy_of_period"] == 2 * LISTS

        found = database.series()
        assert found[POWER] == remembered
        assert ended.summary[0] == DAYS
        assert sum(ended.summary[1:]) == len(remembered) + DAYS
        assert found[ENERGY] == {
            midnight(day): pytest.approx(truth.kwh(day), abs=ENERGY_PRECISION_KWH)
            for day in days(first, last)
        }
