"""What the exporter makes of each fault, through its real client, and that it recovers."""

import asyncio
from datetime import timedelta

import pytest

from aps_exporter.cache import EcuCache
from aps_exporter.readings import Snapshot
from aps_exporter.simulator.faults import FAULTS, Fault
from tests.virtual_time import in_virtual_time
from tests.world import World, world

HALF_AN_HOUR = 1_800
ROUND = 300


def _snapshot(cache: EcuCache) -> Snapshot:
    snapshot = cache.snapshot()
    assert snapshot is not None
    return snapshot


async def _watch(w: World, seconds: float) -> EcuCache:
    """A cache that has refreshed itself for so long."""
    cache = w.cache()
    timer = asyncio.create_task(cache.keep_refreshing())
    await w.pass_time(seconds)
    timer.cancel()
    await cache.close()
    return cache


@pytest.mark.parametrize(
    ("fault", "failures"),
    [
        ("refuse", {("info", "refused")}),
        ("close", {("info", "closed")}),
        ("silent", {("info", "timeout")}),
        ("empty", {("info", "closed")}),
        ("slow", {("info", "timeout")}),
        ("drip", {("info", "timeout")}),
        ("segment", set()),
        ("one-client", set()),
        ("no-history", set()),  # a refresh asks for none
        ("no-energy-lists", set()),
        ("truncate", {("info", "truncated")}),
        ("wrong-length", {("info", "truncated")}),
        ("no-end", set()),
        ("glue", set()),
        ("trailing-bytes", set()),
        ("foreign-command", {("info", "framing")}),
        ("status01", {("inverters", "status")}),  # the id is not believed: nothing else is asked
        ("status02", {("inverters", "status"), ("signal", "status")}),
    ],
)
def test_failures_are_counted_by_query_and_reason(
    fault: Fault, failures: set[tuple[str, str]]
) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(faults=[fault]) as w:
            status = (await _watch(w, HALF_AN_HOUR)).status()
            assert {*status.query_failures} == failures
            assert status.up is ("info" not in dict(failures))
            assert w.server.most_open_connections <= 1

    check()


@pytest.mark.parametrize(
    ("fault", "oddity"),
    [
        ("no-end", "trailer_missing"),
        ("glue", "trailing_bytes"),
        ("trailing-bytes", "trailing_bytes"),
    ],
)
def test_oddities_are_counted_by_query(fault: Fault, oddity: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(faults=[fault]) as w:
            cache = await _watch(w, 60)
            assert cache.status().reply_oddities == {
                (query, oddity): 1 for query in ("info", "inverters", "signal")
            }

    check()


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ("zero-glitch", {"registered_zero", "today_zero"}),
        ("lifetime-zero", {"lifetime_fell"}),
        ("lifetime-lower", {"lifetime_fell"}),
        ("lifetime-leap", {"lifetime_leap"}),
        ("empty-list", {"empty_list"}),
        ("wild-values", {"frequency", "voltage", "channel_power"}),
        ("unknown-row", set()),
        ("never-heard", set()),
        ("offline", set()),
        ("long-rounds", set()),
        ("late-rounds", set()),
    ],
)
def test_values_are_rejected_for_their_reason(fault: Fault, reasons: set[str]) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(script=f"+0:20:00 {fault} for 1h") as w:
            assert _snapshot(await _watch(w, HALF_AN_HOUR)).rejected_values.keys() == reasons

    check()


@in_virtual_time
async def test_row_of_unknown_type_is_counted() -> None:
    async with world(faults=["unknown-row"]) as w:
        assert _snapshot(await _watch(w, 60)).unknown_rows == {"99": 1}


@in_virtual_time
async def test_time_of_a_frozen_clock_grows_old_while_power_stays_fresh() -> None:
    async with world(script="+0:20:00 frozen-clock for 2h") as w:
        cache = await _watch(w, 2 * 3_600)
        snapshot = _snapshot(cache)
        assert cache.status().query_success["inverters"]
        assert (snapshot.data_age_seconds or 0) > 3_600
        newest = w.simulated.newest_round
        rounds = (newest, newest - timedelta(seconds=ROUND))  # the newest one has only just come
        assert snapshot.info.power_watts in [w.simulated.plant.power_watts(at) for at in rounds]


@in_virtual_time
async def test_frozen_energy_of_the_ecu_does_not_move_the_counter() -> None:
    async with world(script="+0:20:00 energy-frozen for 2h") as w:
        frozen = w.simulated.plant.lifetime_joules(w.simulated.newest_round + timedelta(minutes=20))
        snapshot = _snapshot(await _watch(w, 2 * 3_600))
        assert snapshot.lifetime_energy_joules == frozen - frozen % 360_000
        assert snapshot.info.today_energy_joules == 0


@in_virtual_time
async def test_period_of_long_rounds_is_learned() -> None:
    async with world(faults=["long-rounds"]) as w:
        assert _snapshot(await _watch(w, 6 * 3_600)).round_period_seconds == pytest.approx(600)


@pytest.mark.parametrize("fault", FAULTS)
def test_exporter_recovers_by_itself_once_a_fault_is_over(fault: Fault) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(script=f"+0:30:00 {fault} for 1h") as w:
            cache = w.cache()
            timer = asyncio.create_task(cache.keep_refreshing())
            await w.pass_time(3 * HALF_AN_HOUR)
            await w.pass_time(3 * ROUND)
            status, snapshot = cache.status(), _snapshot(cache)
            assert status.query_success == {"info": True, "inverters": True, "signal": True}
            assert (snapshot.data_age_seconds or 0) <= 2 * ROUND
            assert all(inverter.online and inverter.power_watts for inverter in snapshot.inverters)
            timer.cancel()
            await cache.close()
            await w.pass_time(1)
            assert w.server.open_connections == 0
            assert not w.internal_errors

    check()
