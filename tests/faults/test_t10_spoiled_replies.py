"""T10: 200 replies spoiled in one way each: F12-F14 hold, every reason and oddity counted apart."""

import asyncio
import re
from collections import Counter
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from aps_exporter.simulator.faults import Fault
from tests.faults.ordeal import Ordeal, Page, ordeal
from tests.virtual_time import in_virtual_time

REPLIES = 200
QUERIES = ("info", "inverters", "signal")
WITH_ECU_ID = ("inverters", "signal")
SCRAPE_INTERVAL = 60
MOST_PAGES = 2_000
ROUND = 300
STALE_AFTER = 900

LIFETIME = "aps_ecu_lifetime_energy_joules_total"

COUNTERS = ("aps_query_failures_total", "aps_reply_oddities_total")

Counts = dict[tuple[str, str], int]


def _counts(page: Page) -> Counts:
    """Failures and oddities by query, and reason or kind; only what was counted."""
    return {
        (sample.labels["query"], sample.labels.get("reason") or sample.labels["kind"]): int(
            sample.value
        )
        for family in parse(page.text)
        for sample in family.samples
        if sample.name in COUNTERS and sample.value
    }


async def _spoil(trial: Ordeal, fault: Fault) -> list[Page]:
    """Until each query that gets spoiled replies has got 200; the last page is up to date."""
    ecu = trial.world.ecu
    ecu.asked.clear()
    trial.world.faults.add(fault)
    pages: list[Page] = []
    while len(pages) < MOST_PAGES:
        asked = len(ecu.asked)
        pages.append(await trial.scrape())
        enough = all(len(ecu.times_of(name)) >= REPLIES for name in _spoiled(fault))
        if enough and len(ecu.asked) == asked:
            return pages
        await asyncio.sleep(SCRAPE_INTERVAL)
    raise AssertionError(f"{fault} spoils too few replies")


def _spoiled(fault: Fault) -> tuple[str, ...]:
    match fault:
        case "status01":
            return ("inverters",)  # the id is in doubt: nothing else is asked
        case "status02":
            return WITH_ECU_ID
        case _:
            return QUERIES


@pytest.mark.parametrize(
    ("fault", "counted_as"),
    [
        ("no-end", "trailer_missing"),
        ("glue", "trailing_bytes"),
        ("trailing-bytes", "trailing_bytes"),
        ("wrong-length", "truncated"),
        ("foreign-command", "framing"),
        ("status01", "status"),
        ("status02", "status"),
    ],
)
def test_each_spoiled_reply_is_counted_once_and_apart(fault: Fault, counted_as: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            last = (await _spoil(trial, fault))[-1]
            sent = Counter(trial.world.ecu.names)
            assert _counts(last) == {(name, counted_as): sent[name] for name in _spoiled(fault)}

    check()


@pytest.mark.parametrize("fault", ["no-end", "glue", "trailing-bytes"])
def test_odd_reply_is_as_good_as_any(fault: Fault) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            pages = (await _spoil(trial, fault))[::5]  # one a round
            assert {page.value("aps_up") for page in pages} == {1}
            assert {tuple(page.values("aps_query_success")) for page in pages} == {(1, 1, 1)}
            assert max(page.count("aps_ecu_data_age_seconds") for page in pages) <= 2 * ROUND
            watts = sum(pages[-1].values("aps_inverter_power_watts"))
            assert watts == pages[-1].value("aps_ecu_power_watts")
            assert watts in _true_watts(trial)

    check()


@pytest.mark.parametrize("fault", ["wrong-length", "foreign-command"])
def test_rejected_reply_leaves_the_last_good_values_until_they_age_out(fault: Fault) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            before = await trial.scrape()
            pages = await _spoil(trial, fault)
            ages = [page.count("aps_ecu_data_age_seconds") for page in pages]
            assert ages == sorted(ages)
            for page, age in zip(pages, ages, strict=True):
                known = before.values("aps_channel_power_watts") if age < STALE_AFTER else []
                assert page.values("aps_channel_power_watts") == known
                assert page.value(LIFETIME) == before.value(LIFETIME)
            assert pages[-1].value("aps_up") == 0

    check()


@pytest.mark.parametrize("fault", ["status01", "status02"])
def test_status_leaves_the_numbers_of_the_ecu_fresh(fault: Fault) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            pages = await _spoil(trial, fault)
            assert {page.value("aps_up") for page in pages} == {1}
            assert {page.value("aps_consecutive_failures") for page in pages} == {0}
            assert pages[-1].value("aps_query_success", "info") == 1
            assert pages[-1].value("aps_ecu_power_watts") in _true_watts(trial)
            assert pages[-1].values("aps_inverter_power_watts") == []

    check()


@in_virtual_time
async def test_status_01_makes_the_id_be_learnt_anew_each_time() -> None:
    async with ordeal() as trial:
        await _spoil(trial, "status01")
        assert re.fullmatch(r"(info inverters ?)+", " ".join(trial.world.ecu.names))


@in_virtual_time
async def test_status_02_leaves_the_id_as_it_is() -> None:
    async with ordeal() as trial:
        await _spoil(trial, "status02")
        asked = " ".join(trial.world.ecu.names)
        assert re.fullmatch(r"(info inverters signal( inverters signal)* ?)+", asked)


def _true_watts(trial: Ordeal) -> set[int]:
    """Of the last rounds: the newest one may not have been asked for yet."""
    simulated = trial.world.simulated
    rounds = (simulated.newest_round - timedelta(seconds=ROUND * back) for back in range(3))
    return {simulated.plant.power_watts(at) for at in rounds}
