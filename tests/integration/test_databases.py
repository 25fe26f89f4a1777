"""What a real database holds is what a real Prometheus scraped from the same exporters.

Two of them replay captures of years ago, one reads a simulated ECU with an inverter of each kind.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from tests.integration.databases import (
    EVERY_KIND,
    Database,
    InfluxDb,
    InfluxDb1,
    InfluxDb2,
    Labels,
    Series,
    VictoriaMetrics,
    started,
)
from tests.integration.pages import get
from tests.integration.programs import (
    CAPTURE_FILE,
    Program,
    running_exporter,
    running_simulator,
)
from tests.integration.prometheus import Prometheus, running_prometheus

pytestmark = pytest.mark.integration

ECUS: Final = {
    "yc600": ("--replay", str(CAPTURE_FILE), "--only", "ecur-yc600x7-2020-11-24"),
    "qt2-morning": ("--replay", str(CAPTURE_FILE), "--only", "ecur-qt2x6-*-2023-11-21-morning"),
    "every-kind": (
        *("--model", "ecu-r-pro", "--sun", "12:00"),
        *("--inverters", "qs1:1,qs1a:1,ds3:1,ds3-h:1,yc600:1,yc1000:1,qt2:1"),
    ),
}
"""Job by job, the flags of the ECU."""

JOULES_PER_KWH: Final = 3.6e6
WITHIN_SECONDS: Final = 30

SAME_NAME: Final = (
    "aps_ecu_power_watts",
    "aps_ecu_inverters",
    "aps_ecu_inverters_online",
    "aps_inverter_online",
    "aps_inverter_power_watts",
    "aps_inverter_temperature_celsius",
    "aps_inverter_grid_frequency_hertz",
    "aps_inverter_signal_strength_ratio",
    "aps_inverter_grid_voltage_volts",
    "aps_channel_power_watts",
)
KWH: Final = {
    "aps_ecu_lifetime_energy_joules_total": "aps_ecu_lifetime_energy_kwh",
    "aps_ecu_today_energy_joules": "aps_ecu_today_energy_kwh",
    "aps_ecu_day_energy_joules": "aps_ecu_day_energy_kwh",
    "aps_channel_integrated_energy_joules_total": "aps_channel_integrated_energy_kwh",
}
"""Names of Prometheus, and of the database."""

PRECISION: Final[Mapping[type, float]] = {
    VictoriaMetrics: 1e-11,  # it keeps twelve digits
    InfluxDb1: 1e-15,  # a kWh is divided by us and not by Prometheus
    InfluxDb2: 1e-15,
}

TAGS: Final = {
    "aps_ecu": {"ecu"},
    "aps_inverter": {"ecu", "inverter"},
    "aps_inverter_grid": {"ecu", "inverter", "phase"},
    "aps_channel": {"ecu", "inverter", "channel"},
}


def _samples(prometheus: Prometheus, job: str) -> dict[tuple[str, Labels], float]:
    """The newest of our samples of this job, by name and labels."""
    found = {}
    for series in prometheus.ask("query", query=f'{{__name__=~"aps_.*",job="{job}"}}')["result"]:
        labels = dict(series["metric"])
        name = labels.pop("__name__")
        del labels["job"], labels["instance"]
        found[name, frozenset(labels.items())] = float(series["value"][1])
    return found


@dataclass(frozen=True, slots=True)
class Run:
    """A database and a Prometheus that were fed by the same exporters."""

    database: Database
    prometheus: Prometheus

    def expected(self) -> Series:
        """What the database should hold, after what Prometheus has."""
        expected: Series = {}
        for job in ECUS:
            samples = _samples(self.prometheus, job)
            (reported,) = (
                int(value)
                for (name, _), value in samples.items()
                if name == "aps_ecu_last_report_timestamp_seconds"
            )
            for (name, labels), value in samples.items():
                if name in SAME_NAME:
                    expected[name, labels] = {reported: value}
                elif name in KWH:
                    expected[KWH[name], labels] = {reported: value / JOULES_PER_KWH}
        return expected


@pytest.fixture(scope="module", params=EVERY_KIND)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Every exporter has pushed its round, and was scraped afterwards."""
    folder = tmp_path_factory.mktemp("databases")
    with ExitStack() as stack:
        database = stack.enter_context(started(request.param(folder / "database")))
        exporters = {
            job: _exporter(stack, database, folder / job, flags) for job, flags in ECUS.items()
        }
        for exporter in exporters.values():
            _wait_until_pushed(exporter)
        prometheus = _prometheus(stack, exporters, folder)
        yield Run(database, prometheus)


def _exporter(
    stack: ExitStack, database: Database, folder: Path, flags: tuple[str, ...]
) -> Program:
    ecu = stack.enter_context(running_simulator(folder, *flags))
    settings = {
        **database.settings,
        "APS_INFLUXDB_URL": f"http://{database.address}",
        "APS_TIMEZONE": "Europe/Amsterdam",
    }
    return stack.enter_context(running_exporter(ecu.address, folder, settings))


def _wait_until_pushed(exporter: Program) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while "\naps_influxdb_up 1.0\n" not in (page := get(exporter.address, "/metrics").text):
        assert time.monotonic() < deadline, page
        time.sleep(0.1)


def _prometheus(stack: ExitStack, exporters: Mapping[str, Program], folder: Path) -> Prometheus:
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [exporter.address]}]}
        for job, exporter in exporters.items()
    ]
    settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
    prometheus = stack.enter_context(running_prometheus(folder, settings))
    deadline = time.monotonic() + WITHIN_SECONDS
    while not all(_samples(prometheus, job) for job in exporters):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return prometheus


def test_database_holds_every_series_that_prometheus_scraped_and_no_other(run: Run) -> None:
    stored = run.database.series()
    assert stored.keys() == run.expected().keys()
    assert len(stored) > 200


def test_values_are_those_that_prometheus_scraped(run: Run) -> None:
    stored, expected = run.database.series(), run.expected()
    values = {series: [*points.values()] for series, points in stored.items()}
    rel = PRECISION[type(run.database)]
    assert values == {
        series: pytest.approx([*points.values()], rel=rel, abs=0)
        for series, points in expected.items()
    }


def test_every_point_bears_the_time_of_its_round(run: Run) -> None:
    times = {key: [*points] for key, points in run.database.series().items()}
    assert times == {key: [*points] for key, points in run.expected().items()}


def test_rounds_captured_years_ago_bear_the_time_of_then(run: Run) -> None:
    times = {time for points in run.database.series().values() for time in points}
    of_qt2_morning = datetime.fromisoformat("2023-11-21T10:03:54+01:00")
    assert of_qt2_morning.timestamp() in times
    assert len(times) == len(ECUS)


def test_every_point_of_influxdb_has_its_tags_and_floats_only(run: Run) -> None:
    if not isinstance(run.database, InfluxDb):
        for name, labels in run.database.series():
            assert {tag for tag, _ in labels} in TAGS.values(), name
        return
    types = {kind for one in run.database.ask("SHOW FIELD KEYS") for _, kind in one["values"]}
    tags = {
        one["name"]: {tag for (tag,) in one["values"]} for one in run.database.ask("SHOW TAG KEYS")
    }
    assert types == {"float"}
    assert tags == TAGS
