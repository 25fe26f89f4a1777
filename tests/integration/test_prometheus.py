"""A real Prometheus reads exporters whose ECUs replay captures; its answers are compared with what
the capture file expects of those captures.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from tests.integration.pages import get
from tests.integration.programs import (
    ANY_PORT,
    CAPTURE_FILE,
    SAYS_PROMETHEUS,
    running,
    running_replay,
)

pytestmark = pytest.mark.integration

Row = dict[str, Any]
Series = dict[tuple[str, ...], float]
"""Values by the values of the labels that were asked for."""

SCRAPED_WITHIN_SECONDS: Final = 30

CAPTURES: Final[list[dict[str, Any]]] = json.loads(CAPTURE_FILE.read_text(encoding="utf-8"))
MADE_UP_ECU: Final = "216000000001"

PHASES: Final = {"YC600": ("1",), "QT2": ("1-2", "2-3", "3-1")}


@dataclass(frozen=True, slots=True)
class Plant:
    """A replayed ECU: the Prometheus job that reads it, and its captures."""

    job: str
    captures: str
    ecu: str

    def says(self, kind: str) -> dict[str, Any]:
        """What the capture file expects of the reply of this kind."""
        (expected,) = (
            capture["expected"]
            for capture in CAPTURES
            if fnmatchcase(capture["name"], self.captures) and capture["expected"]["kind"] == kind
        )
        return dict(expected)

    @property
    def rows(self) -> list[Row]:
        return list(self.says("inverters")["inverters"])

    @property
    def online(self) -> list[Row]:
        return [row for row in self.rows if row["online"]]


YC600: Final = Plant("yc600", "ecur-yc600x7-2020-11-24", MADE_UP_ECU)
QT2: Final = Plant("qt2", "ecur-qt2x6-*-2023-11-20", "216037308721")
QT2_MORNING: Final = Plant("qt2-morning", "ecur-qt2x6-*-2023-11-21-morning", "216037308721")
PLANTS: Final = (YC600, QT2, QT2_MORNING)

each_plant: Final = pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.job)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus and what it knows."""

    address: str

    def ask(self, path: str, **parameters: str) -> Any:
        answer = json.loads(get(self.address, f"/api/v1/{path}?{urlencode(parameters)}").text)
        assert answer["status"] == "success"
        return answer["data"]

    def series(self, query: str, *labels: str) -> Series:
        """The result of an instant query."""
        found = self.ask("query", query=query)["result"]
        series = {
            tuple(one["metric"][label] for label in labels): float(one["value"][1]) for one in found
        }
        assert len(series) == len(found)
        return series


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One Prometheus that has read every plant."""
    folder = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as stack:
        addresses = {
            plant.job: stack.enter_context(
                running_replay(plant.captures, folder / plant.job)
            ).address
            for plant in PLANTS
        }
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [address]}]}
            for job, address in addresses.items()
        ]
        settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
        program = stack.enter_context(
            running(
                "prometheus",
                "--config.file=prometheus.yml",
                f"--storage.tsdb.path={folder / 'storage'}",
                f"--web.listen-address={ANY_PORT}",
                says=SAYS_PROMETHEUS,
                folder=folder,
            )
        )
        server = Prometheus(program.address)
        _wait_until_scraped(server)
        yield server


def _wait_until_scraped(server: Prometheus) -> None:
    every_job = {(plant.job,) for plant in PLANTS}
    deadline = time.monotonic() + SCRAPED_WITHIN_SECONDS
    while get(server.address, "/-/ready").status != HTTPStatus.OK:  # it listens before it is ready
        assert time.monotonic() < deadline
        time.sleep(0.1)
    while server.series('aps_query_success{query="signal"} == 1', "job").keys() != every_job:
        assert time.monotonic() < deadline, server.ask("targets")
        time.sleep(0.1)


def _by_phase(row: Row) -> Series:
    return {
        (phase,): volts
        for phase, volts in zip(PHASES[row["model"]], row["voltage_volts"], strict=True)
    }


def _by_channel(row: Row) -> Series:
    return {(str(channel),): watts for channel, watts in enumerate(row["power_watts"], start=1)}


@each_plant
@pytest.mark.parametrize(
    ("metric", "labels", "of_row"),
    [
        ("aps_inverter_power_watts", (), lambda row: {(): sum(row["power_watts"])}),
        ("aps_inverter_temperature_celsius", (), lambda row: {(): row["temperature_celsius"]}),
        ("aps_inverter_grid_frequency_hertz", (), lambda row: {(): row["frequency_hertz"]}),
        ("aps_inverter_grid_voltage_volts", ("phase",), _by_phase),
        ("aps_channel_power_watts", ("channel",), _by_channel),
    ],
)
def test_measurements_are_those_of_the_rows_and_of_nobody_offline(
    prometheus: Prometheus,
    plant: Plant,
    metric: str,
    labels: tuple[str, ...],
    of_row: Callable[[Row], Series],
) -> None:
    assert prometheus.series(f'{metric}{{job="{plant.job}"}}', "ecu", "inverter", *labels) == {
        (plant.ecu, row["inverter"], *rest): value
        for row in plant.online
        for rest, value in of_row(row).items()
    }


@each_plant
def test_every_row_tells_whether_its_inverter_is_online(
    prometheus: Prometheus, plant: Plant
) -> None:
    query = f'aps_inverter_online{{job="{plant.job}"}}'
    assert prometheus.series(query, "ecu", "inverter") == {
        (plant.ecu, row["inverter"]): int(row["online"]) for row in plant.rows
    }


@each_plant
def test_every_row_names_its_model_and_type_code(prometheus: Prometheus, plant: Plant) -> None:
    query = f'aps_inverter_info{{job="{plant.job}"}}'
    assert prometheus.series(query, "ecu", "inverter", "model", "type_code") == {
        (plant.ecu, row["inverter"], row["model"], row["type_code"]): 1 for row in plant.rows
    }


@pytest.mark.parametrize("plant", [QT2, QT2_MORNING], ids=lambda plant: plant.job)
def test_signal_ratios_are_those_of_the_inverters_online(
    prometheus: Prometheus, plant: Plant
) -> None:
    query = f'aps_inverter_signal_strength_ratio{{job="{plant.job}"}}'
    signal = plant.says("signal")["signal"]
    expected = {(row["inverter"],): signal[row["inverter"]] for row in plant.online}
    assert prometheus.series(query, "inverter") == pytest.approx(expected, abs=0.00005)


def test_no_signal_capture_is_no_signal_series(prometheus: Prometheus) -> None:
    query = f'aps_inverter_signal_strength_ratio{{job="{YC600.job}"}}'
    assert prometheus.series(query, "inverter") == {}


@pytest.mark.parametrize(
    ("plant", "metric", "value"),
    [
        (YC600, "aps_ecu_power_watts", 279),
        (YC600, "aps_ecu_inverters", 7),
        (YC600, "aps_ecu_inverters_online", 7),
        (QT2, "aps_ecu_power_watts", 654),
        (QT2, "aps_ecu_lifetime_energy_joules_total", 15_689_160_000),
        (QT2, "aps_ecu_reported_lifetime_energy_joules", 15_689_160_000),
        (QT2, "aps_ecu_today_energy_joules", 612_000),
        (QT2, "aps_ecu_inverters", 6),
        (QT2, "aps_ecu_inverters_online", 6),
        (QT2_MORNING, "aps_ecu_power_watts", 63),
        (QT2_MORNING, "aps_ecu_lifetime_energy_joules_total", 15_690_600_000),
        (QT2_MORNING, "aps_ecu_reported_lifetime_energy_joules", 15_690_600_000),
        (QT2_MORNING, "aps_ecu_today_energy_joules", 0),
        (QT2_MORNING, "aps_ecu_inverters", 6),
        (QT2_MORNING, "aps_ecu_inverters_online", 1),
    ],
    ids=lambda value: value.job if isinstance(value, Plant) else str(value),
)
def test_ecu_numbers_are_those_of_the_info_reply(
    prometheus: Prometheus, plant: Plant, metric: str, value: int
) -> None:
    assert prometheus.series(f'{metric}{{job="{plant.job}"}}', "ecu") == {(plant.ecu,): value}


@pytest.mark.parametrize("plant", [QT2, QT2_MORNING], ids=lambda plant: plant.job)
def test_ecu_is_described_by_its_info_reply(prometheus: Prometheus, plant: Plant) -> None:
    info = plant.says("info")
    query = f'aps_ecu_info{{job="{plant.job}"}}'
    assert prometheus.series(query, "ecu", "firmware", "timezone") == {
        (plant.ecu, info["firmware"], info["timezone"]): 1
    }


@each_plant
def test_report_time_is_the_stamp_of_the_round_in_the_configured_zone(
    prometheus: Prometheus, plant: Plant
) -> None:
    in_amsterdam_winter = datetime.fromisoformat(plant.says("inverters")["measured_at"] + "+01:00")
    query = f'aps_ecu_last_report_timestamp_seconds{{job="{plant.job}"}}'
    assert prometheus.series(query, "ecu") == {(plant.ecu,): in_amsterdam_winter.timestamp()}


@each_plant
@pytest.mark.parametrize("metric", ["up", "aps_up"])
def test_exporter_and_ecu_are_up(prometheus: Prometheus, plant: Plant, metric: str) -> None:
    assert prometheus.series(f'{metric}{{job="{plant.job}"}}', "job") == {(plant.job,): 1}


@each_plant
def test_every_query_of_the_refresh_was_answered(prometheus: Prometheus, plant: Plant) -> None:
    query = f'aps_query_success{{job="{plant.job}"}}'
    assert prometheus.series(query, "query") == {("info",): 1, ("inverters",): 1, ("signal",): 1}


@pytest.mark.parametrize(
    ("family", "kind", "help_begins"),
    [
        ("aps_ecu", "info", "APsystems ECU: "),
        ("aps_ecu_power_watts", "gauge", "APsystems power "),
        ("aps_ecu_lifetime_energy_joules", "counter", "APsystems lifetime energy"),
        ("aps_ecu_reported_lifetime_energy_joules", "gauge", "APsystems lifetime energy"),
        ("aps_inverter", "info", "APsystems inverter: "),
        ("aps_inverter_online", "gauge", "APsystems inverter: "),
        ("aps_inverter_grid_voltage_volts", "gauge", "APsystems inverter: "),
        ("aps_channel_power_watts", "gauge", "APsystems channel "),
        ("aps_up", "gauge", "APsystems target: "),
        ("aps_query_failures", "counter", "APsystems target: "),
    ],
)
def test_prometheus_knows_type_and_help(
    prometheus: Prometheus, family: str, kind: str, help_begins: str
) -> None:
    (known,) = prometheus.ask("metadata", metric=family)[family]
    assert known["type"] == kind
    assert known["help"].startswith(help_begins)


def test_every_help_begins_with_the_maker(prometheus: Prometheus) -> None:
    families = prometheus.ask("metadata")
    ours = {name: known for name, known in families.items() if name.startswith("aps_")}
    assert len(ours) > 30
    assert [
        name for name, known in ours.items() if not known[0]["help"].startswith("APsystems")
    ] == []
