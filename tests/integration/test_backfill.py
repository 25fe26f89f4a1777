"""`backfill` into real databases: all that is missing, and a second time nothing."""

import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.integration.databases import EVERY_KIND, SECRET, Kind, started
from tests.integration.programs import EXPORTER, own_environment, running_simulator

pytestmark = pytest.mark.integration

DAYS: Final = 3
ECU: Final = frozenset({("ecu", "216200000001")})


def _backfill(*arguments: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit status and standard output."""
    ended = subprocess.run(  # noqa: S603 - a command of this repository's tests
        [EXPORTER, "backfill", *arguments],
        env=own_environment() | dict(environment),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert SECRET not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stdout


def _summary(out: str) -> tuple[int, int]:
    """Points written, points present."""
    (found,) = re.findall(rf"{DAYS} days: (\d+) points written, (\d+) present\.", out)
    return int(found[0]), int(found[1])


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_what_is_missing_is_written_once(kind: Kind, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    first = today - timedelta(days=DAYS)
    with (
        started(kind(tmp_path / "database")) as database,
        running_simulator(tmp_path / "ecu", "--real-sun", "--model=ecu-r-pro") as ecu,
    ):
        environment = {
            **database.settings,
            "APS_INFLUXDB_URL": f"http://{database.address}",
            "APS_STATE_DIR": str(tmp_path / "state"),
            "APS_TIMEZONE": "UTC",
        }
        days = (ecu.address, f"--from={first}", f"--to={today - timedelta(days=1)}")
        status, out = _backfill(*days, environment=environment)
        written, present = _summary(out)
        assert (status, present) == (0, 0)
        found = {name: points for (name, labels), points in database.series().items()}
        assert {*found} == {"aps_ecu_power_watts", "aps_ecu_daily_energy_kwh"}
        assert written == sum(map(len, found.values()))
        midnights = [
            datetime.combine(first, datetime.min.time(), UTC) + timedelta(days=n)
            for n in range(DAYS)
        ]
        assert sorted(found["aps_ecu_daily_energy_kwh"]) == [m.timestamp() for m in midnights]
        status, out = _backfill(*days, environment=environment)
        assert (status, _summary(out)) == (0, (0, written))
        assert {n: p for (n, _), p in database.series().items()} == found
