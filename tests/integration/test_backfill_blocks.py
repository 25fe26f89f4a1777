"""`backfill` for a real Prometheus that has live samples of a part of the time, as blocks."""

import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.integration.backfilling import Ended, fast_backfill
from tests.integration.programs import EXPORTER, own_environment
from tests.integration.prometheus import Prometheus, create_blocks, running_prometheus
from tests.integration.remembering import (
    DAYS,
    ECU,
    ENERGY_PRECISION_KWH,
    FIRST,
    INVERTERS,
    JOULES_PER_KWH,
    LAST,
    NOW,
    RememberingEcu,
    Truth,
    days,
    fast_clock,
    midnight,
)

pytestmark = pytest.mark.integration

LABELS: Final = {"job": "aps", "instance": "127.0.0.1:10899"}
LABEL_FLAGS: Final = [f"--label={name}={value}" for name, value in LABELS.items()]

LIVE_MINUTES: Final = 35 * 60 + 1
LIVE_UNTIL: Final = datetime(2026, 11, 4, 10, 0, 20, tzinfo=UTC)
WHOLE_LIVE_DAY: Final = date(2026, 11, 3)
"""The live samples, one a minute, begin in the last minute of the day before."""

ROUND_SECONDS: Final = 300
NEAR_SECONDS: Final = 150

POWER: Final = "aps_ecu_power_watts"
DAY_ENERGY: Final = "aps_ecu_day_energy_joules"

Samples = dict[int, float]


def _seed(folder: Path) -> None:
    """What Prometheus scraped of an exporter."""
    subprocess.run(  # noqa: S603 - our own command
        [
            *(
                EXPORTER,
                "simulate",
                f"--history={LIVE_MINUTES}m",
                "--until",
                LIVE_UNTIL.isoformat(),
            ),
            *("--model=ecu-r-pro", f"--inverters={INVERTERS}", "--openmetrics=live.om"),
            *LABEL_FLAGS,
        ],
        cwd=folder,
        env=own_environment(),
        check=True,
        timeout=60,
    )
    create_blocks(folder / "live.om", folder)


def _samples(prometheus: Prometheus, name: str) -> Samples:
    """All samples of the one series of this name."""
    query = f"{name}[{DAYS + 2}d]"
    (series,) = prometheus.ask("query", query=query, time=str(NOW.timestamp()))["result"]
    assert series["metric"] == {"__name__": name, "ecu": ECU, **LABELS}
    return {int(at): float(value) for at, value in series["values"]}


def _are_of_the_plant(live: Samples, truth: Truth) -> bool:
    """A scrape has the newest round, or the one before if that has just been born."""
    return all(
        watts in {truth.watts(round_), truth.watts(round_ - ROUND_SECONDS)}
        for round_, watts in ((at - at % ROUND_SECONDS, watts) for at, watts in live.items())
    )


def _backfill(ecu: RememberingEcu, prometheus: Prometheus, folder: Path, name: str) -> Ended:
    return fast_backfill(
        fast_clock(),
        *(ecu.address, f"--from={FIRST}", f"--to={LAST}"),
        *(f"--openmetrics={folder / name}", f"--prometheus=http://{prometheus.address}"),
        *LABEL_FLAGS,
        environment={"APS_STATE_DIR": str(folder / "state")},
    )


@pytest.mark.timeout(300)
def test_blocks_join_the_live_series_and_double_nothing(tmp_path: Path) -> None:
    _seed(tmp_path)
    with RememberingEcu(fast_clock()).served() as ecu:
        with running_prometheus(tmp_path, {}) as prometheus:
            live = _samples(prometheus, POWER)
            live_energy = _samples(prometheus, DAY_ENERGY)
            ended = _backfill(ecu, prometheus, tmp_path, "history.om")
        assert ended.status == 0, ended.err
        create_blocks(tmp_path / "history.om", tmp_path)
        with running_prometheus(tmp_path, {}) as prometheus:
            power = _samples(prometheus, POWER)
            energy = _samples(prometheus, DAY_ENERGY)
            again = _backfill(ecu, prometheus, tmp_path, "again.om")

    truth = Truth()
    assert len(live) == LIVE_MINUTES + 1
    assert _are_of_the_plant(live, truth)
    remembered = truth.power(days())
    lacking = {
        at: watts
        for at, watts in remembered.items()
        if not min(live) - NEAR_SECONDS <= at <= max(live) + NEAR_SECONDS
    }
    assert len(lacking) > 100 * (DAYS - 2)
    assert power == live | lacking
    assert ended.summary[:2] == (DAYS, len(lacking) + DAYS - 1)
    assert again.summary == (DAYS, 0, len(remembered) + DAYS)
    assert (tmp_path / "again.om").read_text(encoding="utf-8") == "# EOF\n"

    last_minutes = {day: midnight(day + timedelta(days=1)) - 60 for day in days()}
    added = {at for day, at in last_minutes.items() if day != WHOLE_LIVE_DAY}
    assert energy.keys() == live_energy.keys() | added
    assert not added & live_energy.keys()
    for day, last_minute in last_minutes.items():
        (at,) = [at for at in energy if last_minute <= at < last_minute + 60]
        kwh = energy[at] / JOULES_PER_KWH
        assert kwh == pytest.approx(truth.kwh(day), abs=ENERGY_PRECISION_KWH), day
