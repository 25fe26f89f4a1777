"""The cache, through the real client and a real socket, in virtual time."""

import asyncio
import logging
import socket
from datetime import timedelta
from itertools import pairwise
from unittest.mock import patch

import pytest

from aps_exporter.cache import EcuCache
from aps_exporter.ecu.replies import build_reply, build_status
from aps_exporter.readings import Snapshot
from tests.virtual_time import in_virtual_time
from tests.world import START, World, world

FOREVER = float("inf")


def _snapshot(cache: EcuCache) -> Snapshot:
    snapshot = cache.snapshot()
    assert snapshot is not None
    return snapshot


async def _scrape(cache: EcuCache, patience: float = FOREVER) -> float:
    """One scrape; how many seconds it took."""
    began = asyncio.get_running_loop().time()
    await cache.refresh(patience)
    return asyncio.get_running_loop().time() - began


async def _scrape_every(cache: EcuCache, interval: float, seconds: float) -> list[float]:
    """Scrape for a while; how long each scrape took."""
    return [
        took
        for _ in range(int(seconds / interval))
        if (took := await _scrape(cache)) is not None
        and await asyncio.sleep(max(0.0, interval - took), result=True)
    ]


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


@in_virtual_time
async def test_first_scrape_asks_the_three_queries_and_waits_for_them() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        assert w.ecu.names == ["info", "inverters", "signal"]
        assert _snapshot(cache).info.power_watts == w.simulated.plant.power_watts(
            w.simulated.newest_round
        )


@in_virtual_time
async def test_queries_of_a_refresh_are_half_a_second_apart_on_a_connection_each() -> None:
    async with world() as w:
        await _scrape(w.cache())
        moments = [at for _, at in w.ecu.asked]
        assert [round(later - at, 3) for at, later in pairwise(moments)] == [0.5, 0.5]
        assert (w.server.connections, w.server.most_open_connections) == (3, 1)


@in_virtual_time
async def test_fifty_parallel_scrapes_share_one_refresh() -> None:
    async with world() as w:
        cache = w.cache()
        await asyncio.gather(*(_scrape(cache) for _ in range(50)))
        assert w.server.connections == 3
        await asyncio.gather(*(_scrape(cache) for _ in range(50)))
        assert w.server.connections == 3


@in_virtual_time
async def test_scrapes_ask_once_a_round_when_its_moment_is_found() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape_every(cache, 15, 3_600)
        settled = len(w.ecu.asked)
        await _scrape_every(cache, 15, 3_600)
        assert w.ecu.names[settled:].count("inverters") in (12, 13)
        assert all(later - at >= 60 for at, later in pairwise(w.ecu.times_of("inverters")))


@in_virtual_time
async def test_each_round_is_in_hand_within_a_scrape_interval_of_being_asked_for() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape_every(cache, 15, 3_600)
        snapshot = _snapshot(cache)
        assert snapshot.measured_at is not None
        assert (w.clock.now() - snapshot.measured_at).total_seconds() < 300 + 30


@in_virtual_time
async def test_silent_ecu_holds_up_one_scrape_for_four_seconds_and_no_other() -> None:
    async with world(faults=["silent"]) as w:
        cache = w.cache()
        assert await _scrape(cache) == pytest.approx(4.0)
        assert await _scrape(cache) == 0
        assert max(await _scrape_every(cache, 15, 3_600)) == 0


@in_virtual_time
async def test_scrape_that_joins_late_waits_no_longer_than_four_seconds_from_the_start() -> None:
    async with world(faults=["silent"]) as w:
        cache = w.cache()
        cache.start_if_due()
        await w.pass_time(3)
        assert await _scrape(cache) == pytest.approx(1.0)


@in_virtual_time
async def test_nobody_waits_for_a_refresh_that_an_impatient_scraper_gave_up() -> None:
    async with world(faults=["silent"]) as w:
        cache = w.cache()
        assert await _scrape(cache, patience=1.5) == pytest.approx(1.5)
        assert await _scrape(cache) == 0


@in_virtual_time
async def test_refusing_ecu_holds_up_nobody_for_its_retry() -> None:
    async with world() as w:
        cache = w.cache(port=_free_port())
        assert await _scrape(cache) == 0
        assert not cache.status().up


@in_virtual_time
async def test_unreachable_ecu_is_tried_again_after_five_seconds_and_then_ever_more_slowly() -> (
    None
):
    async with world() as w:
        cache = w.cache(port=_free_port())
        await _scrape_every(cache, 1, 5)
        assert cache.status().query_failures == {("info", "refused"): 1}
        await _scrape_every(cache, 1, 2)
        assert cache.status().query_failures == {("info", "refused"): 2}
        refreshes = []
        for second in range(1_800):
            before = cache.status().refreshes
            await _scrape(cache)
            await w.pass_time(1)
            if cache.status().refreshes > before:
                refreshes.append(second)
        gaps = [later - at for at, later in pairwise(refreshes)]
        assert gaps[:2] == [pytest.approx(126, abs=2), pytest.approx(246, abs=2)]
        assert gaps[2:] == [pytest.approx(306, abs=2)] * len(gaps[2:])
        assert len(gaps) >= 5


@in_virtual_time
async def test_ecu_that_comes_back_is_read_within_the_back_off_ceiling() -> None:
    async with world(faults=["close"]) as w:
        cache = w.cache()
        await _scrape_every(cache, 15, 7_200)
        assert (cache.status().up, cache.snapshot()) == (False, None)
        w.faults.clear()
        await _scrape_every(cache, 15, 330)
        status = cache.status()
        assert (status.up, status.consecutive_failures, status.last_error) == (True, 0, None)
        assert _snapshot(cache).measured_at is not None


@in_virtual_time
async def test_without_an_ecu_id_nothing_but_info_is_asked() -> None:
    async with world() as w:
        w.ecu.answers["info"] = None
        await _scrape_every(w.cache(), 15, 600)
        assert set(w.ecu.names) == {"info"}


@in_virtual_time
async def test_only_the_query_that_failed_is_asked_again() -> None:
    async with world() as w:
        w.ecu.answers["signal"] = None
        cache = w.cache()
        await _scrape(cache)
        await w.pass_time(6)
        assert w.ecu.names == ["info", "inverters", "signal", "signal"]


@pytest.mark.parametrize("dead", ["info", "inverters", "signal"])
def test_one_dead_query_leaves_the_others_fresh(dead: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w:
            cache = w.cache()
            await _scrape(cache)
            w.ecu.answers[dead] = None
            await _scrape_every(cache, 30, 4 * 3_600)
            alive = [name for name in ("info", "inverters", "signal") if name != dead]
            for name in alive:
                times = w.ecu.times_of(name)
                assert max(later - at for at, later in pairwise(times)) <= 480
                assert cache.status().query_success[name]
            assert cache.status().up
            assert not cache.status().query_success[dead]

    check()


@in_virtual_time
async def test_dead_query_is_not_hammered() -> None:
    async with world() as w:
        w.ecu.answers["signal"] = None
        cache = w.cache()
        await _scrape_every(cache, 15, 4 * 3_600)
        attempts = len(w.ecu.times_of("signal"))
        assert attempts <= 2 * (4 * 12 * 2 + 4)


@in_virtual_time
async def test_dead_inverters_query_leaves_ecu_numbers_and_withdraws_measurements() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        w.ecu.answers["inverters"] = None
        await _scrape_every(cache, 15, 1_000)
        snapshot = _snapshot(cache)
        assert snapshot.info.power_watts is not None
        assert [inverter.power_watts for inverter in snapshot.inverters] == [None, None]
        assert [inverter.online for inverter in snapshot.inverters] == [None, None]
        assert [inverter.model for inverter in snapshot.inverters] == ["DS3", "DS3"]


@in_virtual_time
async def test_values_of_a_dead_ecu_are_withdrawn_after_stale_after_and_facts_stay() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        before = _snapshot(cache)
        w.faults.add("silent")
        await _scrape_every(cache, 15, 890)
        assert _snapshot(cache).info.power_watts is not None
        await _scrape_every(cache, 15, 30)
        after = _snapshot(cache)
        assert after.info.power_watts is None
        assert after.reported_lifetime_energy_joules is None
        assert after.signal is None
        assert (after.info.inverters, after.info.inverters_online) == (None, None)
        assert after.lifetime_energy_joules == before.lifetime_energy_joules
        assert (after.measured_at, after.last_seen) == (before.measured_at, before.last_seen)
        assert (after.info.firmware, after.ecu_model) == ("ECU_R_PRO_2.1.29A", "ECU-R-PRO")
        assert after.data_age_seconds is not None
        assert after.data_age_seconds >= 900


@in_virtual_time
async def test_values_are_never_withdrawn_before_three_rounds() -> None:
    async with world() as w:
        cache = w.cache(stale_after=60)
        await _scrape(cache)
        w.faults.add("silent")
        await _scrape_every(cache, 15, 880)
        assert _snapshot(cache).info.power_watts is not None


@in_virtual_time
async def test_frozen_round_withdraws_measurements_but_not_online_and_signal() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        ids = w.simulated.ecu.encode()
        w.ecu.answers["inverters"] = w.simulated.reply_to(b"APS1100280002" + ids + b"END\n")
        await _scrape_every(cache, 15, 1_800)
        snapshot = _snapshot(cache)
        assert [inverter.power_watts for inverter in snapshot.inverters] == [None, None]
        assert [inverter.online for inverter in snapshot.inverters] == [True, True]
        assert len(snapshot.signal or ()) == 2
        assert snapshot.data_age_seconds is not None
        assert snapshot.data_age_seconds > 1_700


@in_virtual_time
async def test_round_that_does_not_come_is_asked_for_once_after_a_minute_then_every_round() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        ids = w.simulated.ecu.encode()
        w.ecu.answers["inverters"] = w.simulated.reply_to(b"APS1100280002" + ids + b"END\n")
        await _scrape_every(cache, 1, 1_600)
        times = w.ecu.times_of("inverters")
        gaps = [round(later - at) for at, later in pairwise(times)]
        assert gaps == [151, 61, 89] + [300] * len(gaps[3:])
        assert len(gaps) >= 6


@in_virtual_time
async def test_wrong_ecu_id_makes_the_info_query_come_first_again() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        w.ecu.answers["inverters"] = build_status("0002", "01")
        await w.pass_time(306)
        await _scrape(cache)
        w.ecu.answers.clear()
        await w.pass_time(10)
        assert w.ecu.names[3:] == ["info", "inverters", "info", "inverters", "signal"]
        assert cache.status().query_failures == {("inverters", "status"): 1}


@in_virtual_time
async def test_two_targets_of_one_ecu_leave_the_first_polling_and_stop_the_second() -> None:
    async with world() as w:
        first, second = w.cache("ethernet"), w.cache("wifi")
        await _scrape(first)
        await _scrape(second)
        asked = len(w.ecu.asked)
        status = second.status()
        assert (status.up, status.tried, status.next_refresh) == (False, True, None)
        assert status.query_failures == {("info", "duplicate"): 1}
        assert second.snapshot() is None
        await _scrape_every(second, 15, 3_600)
        assert len(w.ecu.asked) == asked
        await _scrape(first)
        assert first.status().up


@in_virtual_time
async def test_two_ecus_that_swap_addresses_are_both_read_again() -> None:
    async with world(model="ecu-r") as one, world(model="ecu-r-pro") as two:
        one.claims = two.claims
        caches = [one.cache("one"), two.cache("two")]
        for cache in caches:
            await _scrape(cache)
        one.ecu.ecu, two.ecu.ecu = two.simulated, one.simulated
        for _ in range(60):
            for cache in caches:
                await _scrape(cache)
            await two.pass_time(30)
        assert [_snapshot(cache).ecu for cache in caches] == ["216200000001", "216000000001"]
        assert [cache.status().up for cache in caches] == [True, True]


@in_virtual_time
async def test_next_refresh_does_not_waver_from_scrape_to_scrape() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        told = set()
        for _ in range(50):
            await w.pass_time(1.7)
            told.add(cache.status().next_refresh)
        assert len(told) == 1


@in_virtual_time
async def test_another_ecu_at_the_address_starts_from_nothing() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        old = _snapshot(cache)
        other = World(model="ecu-r", inverters="qs1:1")
        w.ecu.ecu = other.simulated
        await w.pass_time(310)
        await _scrape(cache)
        new = _snapshot(cache)
        assert (old.ecu, new.ecu) == ("216200000001", "216000000001")
        assert [inverter.model for inverter in new.inverters] == ["QS1"]
        w.claims.claim(old.ecu, "somebody else")


@in_virtual_time
async def test_unexpected_error_is_counted_logged_once_and_survived(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world() as w:
        cache = w.cache()
        with patch("aps_exporter.cache.decode_reply", side_effect=ZeroDivisionError):
            await _scrape(cache)
            await w.pass_time(1)
        assert w.internal_errors == {"refresh": 1}
        assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
        await _scrape_every(cache, 15, 90)
        assert cache.status().up


@in_virtual_time
async def test_refresh_that_an_unexpected_error_ends_is_no_success() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        with patch("aps_exporter.cache.decode_reply", side_effect=RuntimeError("a bug")):
            await w.pass_time(310)
            await _scrape(cache)
        status = cache.status()
        assert (status.up, status.consecutive_failures) == (False, 1)
        assert set(status.query_success.values()) == {False}


@in_virtual_time
async def test_error_of_whoever_takes_rounds_is_counted_and_survived() -> None:
    def refuse(_: Snapshot) -> None:
        raise RuntimeError("a bug in a sink")

    async with world() as w:
        cache = w.cache(take_round=refuse)
        await _scrape(cache)
        assert w.internal_errors == {"refresh": 1}
        await _scrape_every(cache, 30, 1_200)
        assert cache.status().refreshes >= 4


@in_virtual_time
async def test_oddities_of_good_replies_are_counted() -> None:
    async with world() as w:
        ids = w.simulated.ecu.encode()
        good = w.simulated.reply_to(b"APS1100280030" + ids + b"END\n") or b""
        w.ecu.answers["signal"] = good + b"glued"
        info = w.simulated.reply_to(b"APS1100160001END\n") or b""
        w.ecu.answers["info"] = info[:5] + b"%04d" % (len(info) - 4) + info[9:-4] + b"\n"
        cache = w.cache()
        await _scrape(cache)
        assert cache.status().reply_oddities == {
            ("info", "trailer_missing"): 1,
            ("signal", "trailing_bytes"): 1,
        }
        assert all(cache.status().query_success.values())


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (None, "closed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "framing"),
        (build_reply("11", "0030", b"00"), "framing"),
        (build_reply("11", "0002", b"00" + bytes(5)), "malformed"),
        (build_status("0002", "02"), "status"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_failures_of_a_reply_are_counted_by_reason(reply: bytes | None, reason: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w:
            w.ecu.answers["inverters"] = reply
            cache = w.cache()
            await _scrape(cache)
            assert cache.status().query_failures == {("inverters", reason): 1}
            assert cache.status().query_success == {
                "info": True,
                "inverters": False,
                "signal": True,
            }
            assert cache.status().up
            error = cache.status().last_error
            assert error is not None
            assert (error.query, error.reason) == ("inverters", reason)

    check()


@in_virtual_time
async def test_reply_cut_short_is_counted_as_truncated() -> None:
    async with world(faults=["truncate"]) as w:
        cache = w.cache()
        await _scrape(cache)
        assert cache.status().query_failures == {("info", "truncated"): 1}


@in_virtual_time
async def test_timer_reads_each_round_without_scrapes() -> None:
    async with world() as w:
        cache = w.cache()
        timer = asyncio.create_task(cache.keep_refreshing())
        await w.pass_time(3_600)
        settled = len(w.ecu.asked)
        await w.pass_time(3_600)
        timer.cancel()
        assert w.ecu.names[settled:].count("inverters") in (12, 13)


@in_virtual_time
async def test_timer_of_a_stopped_target_rests() -> None:
    async with world() as w:
        first, second = w.cache("ethernet"), w.cache("wifi")
        await _scrape(first)
        timer = asyncio.create_task(second.keep_refreshing())
        with patch.object(w.clock, "sleep", wraps=w.clock.sleep) as sleep:
            await w.pass_time(60)
        timer.cancel()
        assert second.status().next_refresh is None
        assert sleep.call_count < 100


@in_virtual_time
async def test_closing_before_the_first_step_of_a_refresh_leaves_nobody_waiting() -> None:
    async with world() as w:
        cache = w.cache()
        cache.start_if_due()
        await cache.close()
        assert await _scrape(cache) == 0


@in_virtual_time
async def test_clock_offset_is_not_reckoned_from_an_old_round_of_the_night() -> None:
    async with world() as w:
        asleep = World(inverters="ds3:2", start=START)
        asleep.simulated._sun_ahead -= timedelta(hours=12)  # noqa: SLF001 - put the sun out
        w.ecu.ecu = asleep.simulated
        cache = w.cache()
        await _scrape(cache)
        assert _snapshot(cache).measured_at is not None
        assert _snapshot(cache).clock_offset_seconds is None


@in_virtual_time
async def test_closing_ends_a_refresh_under_way_and_its_socket() -> None:
    async with world(faults=["silent"]) as w:
        cache = w.cache()
        cache.start_if_due()
        await w.pass_time(1)
        assert w.server.open_connections == 1
        await cache.close()
        await w.pass_time(0.1)
        assert w.server.open_connections == 0
        await _scrape(cache)
        assert w.server.connections == 1


@in_virtual_time
async def test_each_failure_is_one_log_line_with_its_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world() as w:
        cache = w.cache(port=_free_port())
        with caplog.at_level(logging.WARNING):
            await _scrape(cache)
        (record,) = caplog.records
        assert (record.message, record.__dict__["reason"]) == ("query failed", "refused")


@in_virtual_time
async def test_refresh_times_tell_when_the_next_one_is_due() -> None:
    async with world() as w:
        cache = w.cache()
        await _scrape(cache)
        next_refresh = cache.status().next_refresh
        assert next_refresh is not None
        wait = (next_refresh - w.clock.now()).total_seconds()
        assert 145 < wait < 155
        await w.pass_time(wait - 1)
        await _scrape(cache)
        assert len(w.ecu.asked) == 3
        await w.pass_time(1.1)
        await _scrape(cache)
        assert len(w.ecu.asked) == 6
