"""`backfill` beside an exporter that reads the same ECU and pushes to the same database."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from aps_exporter import app
from aps_exporter.clock import Clock, RealClock, ScaledClock
from aps_exporter.config import Config, load
from aps_exporter.state import State
from aps_exporter.turns import Turns
from tests.integration.backfilling import fast_backfill, settings_for
from tests.integration.databases import InfluxDb1, started
from tests.integration.pages import get
from tests.integration.remembering import (
    DAYS,
    ECU,
    FIRST,
    LAST,
    NOW,
    RememberingEcu,
    Truth,
    days,
    running_beside,
)

pytestmark = pytest.mark.integration

SPEED: Final = 200.0
ROUNDS: Final = 10
ONLY_PUSHED: Final = ("aps_ecu_inverters", frozenset({("ecu", ECU)}))
POWER: Final = ("aps_ecu_power_watts", frozenset({("ecu", ECU)}))


@asynccontextmanager
async def _exporter(config: Config, clock: Clock) -> AsyncIterator[str]:
    """Gives where it listens; it waits for its turn in real time, as the machine is busy."""
    async with (
        app.running_pusher(config, clock) as pusher,
        app.running_exporter(
            config,
            clock,
            State(),
            pusher=pusher,
            turn=Turns(config.state_dir, RealClock()).of_refresh,
        ) as port,
    ):
        yield f"127.0.0.1:{port}"


def _sum(page: str, name: str) -> float:
    """Of all series of this name."""
    values = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE)
    assert values, name
    return sum(map(float, values))


def test_refreshes_and_back_fill_take_turns_and_double_nothing(tmp_path: Path) -> None:
    clock = ScaledClock(SPEED, NOW)
    with (
        started(InfluxDb1(tmp_path / "database")) as database,
        RememberingEcu(clock, "one-client").served() as ecu,
    ):
        (tmp_path / "state").mkdir()
        settings = settings_for(database, tmp_path / "state")
        config = load(
            {"APS_ECU_HOSTS": ecu.address, "APS_LISTEN_ADDRESS": "127.0.0.1:0"} | settings
        )
        with running_beside(_exporter(config.config(), clock)) as exporter:
            written = 0
            while ecu.asked["inverters"] < ROUNDS:
                ended = fast_backfill(
                    clock,
                    *(ecu.address, f"--from={FIRST}", f"--to={LAST + timedelta(days=1)}"),
                    environment=settings,
                )
                assert ended.status == 0, ended.err
                assert ended.summary[0] == DAYS + 1
                written += ended.summary[1]
            deadline = time.monotonic() + 10
            while _sum(page := get(exporter, "/metrics").text, "aps_influxdb_spool_points"):
                assert time.monotonic() < deadline, page
                time.sleep(0.05)
            series = database.series()
    assert _sum(page, "aps_refreshes_total") >= ROUNDS
    assert _sum(page, "aps_query_failures_total") == 0
    assert ecu.server.most_open_connections == 1
    found, pushed = series[POWER], series[ONLY_PUSHED].keys()
    assert len(pushed) > ROUNDS / 2
    remembered = Truth().power(days(FIRST, LAST + timedelta(days=1)))
    before = {at: watts for at, watts in remembered.items() if at < min(pushed)}
    assert {at: watts for at, watts in found.items() if at < min(pushed)} == before
    assert written == len(found.keys() - pushed) + DAYS
