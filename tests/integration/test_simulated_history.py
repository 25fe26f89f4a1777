"""A simulated history in a real Prometheus, by the commands of the README."""

import subprocess
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final

import pytest

from aps_exporter.simulator.plant import DEFAULT_INVERTERS, Plant, plant_inverters
from tests.integration.programs import EXPORTER, own_environment
from tests.integration.prometheus import create_blocks, running_prometheus

pytestmark = pytest.mark.integration

COUNTER: Final = "aps_ecu_lifetime_energy_joules_total"
ECU: Final = "216000000001"
START: Final = datetime(2026, 6, 13, tzinfo=UTC)
END: Final = START + timedelta(days=2)
GLITCHES: Final = """
+9:30:00  lifetime-zero for 5m
+13:00:00 refuse for 25m
+34:00:00 lifetime-leap for 5m
"""


def _made(day: int) -> int:
    """What the plant makes on a day of the history: its sun is that of UTC, as TZ says below."""
    plant = Plant(plant_inverters(DEFAULT_INVERTERS), installed_on=START.date())
    last_round = datetime.combine(START.date() + timedelta(days=day), time(23, 55))
    return plant.today_joules(last_round)


@pytest.mark.timeout(300)
def test_increase_over_each_day_is_what_the_plant_made_in_it(tmp_path: Path) -> None:
    (tmp_path / "faults.txt").write_text(GLITCHES, encoding="utf-8")
    subprocess.run(  # noqa: S603 - our own command
        [
            *(EXPORTER, "simulate", "--history", "2d", "--until", END.isoformat()),
            *("--script", "faults.txt", "--openmetrics", "history.om"),
            *("--label", "job=aps", "--label", "instance=127.0.0.1:10899"),
        ],
        cwd=tmp_path,
        env=own_environment() | {"TZ": "UTC"},
        check=True,
        timeout=80,
    )
    create_blocks(tmp_path / "history.om", tmp_path)
    with running_prometheus(tmp_path, {}) as prometheus:
        for day in range(2):
            # From a sample to a sample, which lie at night: nothing is extrapolated.
            until = (START + timedelta(days=day + 1)).timestamp()
            query = f'increase({COUNTER}{{job="aps",ecu="{ECU}"}}[86399s])'
            increase = prometheus.series(query, "instance", at=until)[("127.0.0.1:10899",)]
            assert increase == pytest.approx(_made(day), abs=0.1 * 3.6e6), f"day {day}"
        assert _made(0) > 50 * 3.6e6
        kept = prometheus.series(f"count_over_time({COUNTER}[2d1m])", "ecu", at=END.timestamp())
        assert kept == {(ECU,): 2 * 1_440 + 1}
