"""T11: captures with offline rows publish no measurement for these, right counts, and no -100."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from aps_exporter.capture_file import Capture
from aps_exporter.simulator.replay import ReplayedEcu
from tests.faults.ordeal import Ordeal, Page, ordeal
from tests.protocol.captures import capture_named
from tests.protocol.test_captures import ONLINE_AND_OFFLINE
from tests.virtual_time import in_virtual_time

WITH_OFFLINE_ROWS: dict[str, list[str]] = {
    "ecur-qs1x7-night-2020-12-28": [],
    "ecur-qt2x6-rt-2023-11-21-morning": [
        "ecur-qt2x6-info-2023-11-21-morning",
        "ecur-qt2x6-sig-2023-11-21-morning",
    ],
    "pro-ds3x8-rt-2022-09-19-night": [
        "pro-ds3x8-info-2022-09-19-night",
        "pro-ds3x8-sig-2022-09-19-night",
    ],
    "ecuc-qs1x5-2022-05-17-night": [],
}
"""With what else the same ECU said then, where that was captured."""

ALL_ONLINE = (
    "ecur-qt2x6-rt-2023-11-20",
    "ecur-qt2x6-info-2023-11-20",
    "ecur-qt2x6-sig-2023-11-20",
)
ALL_BUT_ONE_OFFLINE = (
    "ecur-qt2x6-rt-2023-11-21-morning",
    *WITH_OFFLINE_ROWS["ecur-qt2x6-rt-2023-11-21-morning"],
)
"""The same ECU the next day; here it comes a round later, when nothing is old yet."""

SECONDS_TO_A_REFRESH = 160
LAST_SEEN = "aps_inverter_last_seen_timestamp_seconds"
FIELDS = {
    "aps_inverter_temperature_celsius": "temperature_celsius",
    "aps_inverter_grid_frequency_hertz": "frequency_hertz",
}
MEASURED = (
    "aps_inverter_power_watts",
    "aps_inverter_temperature_celsius",
    "aps_inverter_grid_frequency_hertz",
    "aps_inverter_grid_voltage_volts",
    "aps_inverter_signal_strength_ratio",
    "aps_channel_power_watts",
)

Series = dict[tuple[str, ...], float]
"""By the labels beside the ECU's."""

of_each_capture = pytest.mark.parametrize("name", WITH_OFFLINE_ROWS)


def test_every_capture_with_offline_rows_is_replayed() -> None:
    assert WITH_OFFLINE_ROWS.keys() == ONLINE_AND_OFFLINE.keys()


@of_each_capture
def test_offline_rows_publish_no_measurement(name: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with _replayed(name, *WITH_OFFLINE_ROWS[name]) as (_, page):
            offline = {row["inverter"] for row in _rows(name) if not row["online"]}
            assert len(offline) == ONLINE_AND_OFFLINE[name][1]
            assert [metric for metric in MEASURED if _measured_by(page, metric) & offline] == []

    check()


@of_each_capture
def test_nothing_is_at_minus_100(name: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with _replayed(name, *WITH_OFFLINE_ROWS[name]) as (_, page):
            samples = [sample for family in parse(page.text) for sample in family.samples]
            assert [sample for sample in samples if sample.value == -100] == []
            assert len(samples) > 100

    check()


@of_each_capture
def test_every_row_is_counted_as_online_or_offline(name: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with _replayed(name, *WITH_OFFLINE_ROWS[name]) as (_, page):
            online = {(row["inverter"],): float(row["online"]) for row in _rows(name)}
            assert _series(page, "aps_inverter_online") == online
            counts = page.value("aps_ecu_inverters_online"), page.value("aps_ecu_inverters")
            assert counts == (sum(online.values()), len(online))

    check()


@of_each_capture
def test_online_rows_publish_what_they_say(name: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with _replayed(name, *WITH_OFFLINE_ROWS[name]) as (_, page):
            online = [row for row in _rows(name) if row["online"]]
            for metric, field in FIELDS.items():
                said = {(row["inverter"],): float(row[field]) for row in online}
                assert _series(page, metric) == said
            assert _series(page, "aps_channel_power_watts") == {
                (str(channel), row["inverter"]): float(watts)
                for row in online
                for channel, watts in enumerate(row["power_watts"], start=1)
            }

    check()


@in_virtual_time
async def test_inverter_that_goes_offline_loses_its_measurements_at_once() -> None:
    async with _replayed(*ALL_ONLINE, *ALL_BUT_ONE_OFFLINE) as (trial, evening):
        await asyncio.sleep(2 * SECONDS_TO_A_REFRESH)
        morning = await trial.scrape()
        (awake,) = {row["inverter"] for row in _rows(ALL_BUT_ONE_OFFLINE[0]) if row["online"]}
        for metric in MEASURED:
            assert len(_measured_by(evening, metric)) == 6
            assert _measured_by(morning, metric) == {awake}
        seen, seen_before = _series(morning, LAST_SEEN), _series(evening, LAST_SEEN)
        assert {inverter for inverter in seen if seen[inverter] != seen_before[inverter]} == {
            (awake,)
        }


@asynccontextmanager
async def _replayed(*names: str) -> AsyncIterator[tuple[Ordeal, Page]]:
    """An exporter whose ECU is another from now on: with these replies, the first a round."""
    start = datetime.fromtimestamp(_measured_at(names[0]) - SECONDS_TO_A_REFRESH, UTC)
    async with ordeal(start=start) as trial:
        simulated = trial.world.ecu.ecu
        replies = (capture_named(name) for name in names)
        trial.world.ecu.ecu = ReplayedEcu(Capture(reply.name, reply.raw) for reply in replies)
        await asyncio.sleep(SECONDS_TO_A_REFRESH)
        yield trial, await trial.scrape()
        trial.world.ecu.ecu = simulated


def _measured_at(name: str) -> float:
    """The time of the round in a capture, as if it were in UTC."""
    stamp = datetime.fromisoformat(capture_named(name).expected["measured_at"])
    return stamp.replace(tzinfo=UTC).timestamp()


def _rows(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = capture_named(name).expected["inverters"]
    return rows


def _series(page: Page, metric: str) -> Series:
    return {
        tuple(value for label, value in sorted(sample.labels.items()) if label != "ecu"): (
            sample.value
        )
        for family in parse(page.text)
        for sample in family.samples
        if sample.name == metric
    }


def _measured_by(page: Page, metric: str) -> set[str]:
    """The inverters with a series of this name."""
    return {
        sample.labels["inverter"]
        for family in parse(page.text)
        for sample in family.samples
        if sample.name == metric
    }
