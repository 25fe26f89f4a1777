"""What an exporter still knows when it starts again, through the real client."""

from datetime import UTC, datetime

from aps_exporter.cache import EcuCache
from aps_exporter.ecu_claims import EcuClaims
from aps_exporter.ecu_memory import memories_from_json, memories_to_json
from aps_exporter.readings import Snapshot
from aps_exporter.state import State
from tests.virtual_time import in_virtual_time
from tests.world import World, world

ECU = "216200000001"


async def _snapshot(cache: EcuCache) -> Snapshot:
    await cache.ask_once()
    snapshot = cache.snapshot()
    assert snapshot is not None
    return snapshot


async def _restart(w: World, cache: EcuCache, *, after: float = 20) -> EcuCache:
    """Another process: what it knows has been on disk, as JSON."""
    await cache.close()
    memory = w.state.recall(ECU)
    assert memory is not None
    w.state = State(memories_from_json(memories_to_json({ECU: memory})))
    w.claims = EcuClaims()
    await w.pass_time(after)
    return w.cache()


async def _rounds(w: World, cache: EcuCache, count: int) -> None:
    for _ in range(count):
        await cache.ask_once()
        await w.pass_time(300)


@in_virtual_time
async def test_lifetime_counter_goes_on_and_counts_what_was_made_meanwhile() -> None:
    async with world() as w:
        cache = w.cache()
        before = (await _snapshot(cache)).lifetime_energy_joules
        cache = await _restart(w, cache, after=3_600)
        after = await _snapshot(cache)
        assert before is not None
        assert after.lifetime_energy_joules == after.reported_lifetime_energy_joules
        assert (after.lifetime_energy_joules or 0) > before


@in_virtual_time
async def test_glitch_right_after_a_restart_is_not_believed() -> None:
    async with world() as w:
        cache = w.cache()
        before = await _snapshot(cache)
        for fault in ("lifetime-zero", "lifetime-leap"):
            cache = await _restart(w, cache)
            w.faults.add(fault)
            glitch = await _snapshot(cache)
            w.faults.clear()
            assert glitch.lifetime_energy_joules == before.lifetime_energy_joules
            assert sum(glitch.rejected_values.values()) == 1


@in_virtual_time
async def test_third_agreeing_reply_convinces_across_restarts() -> None:
    async with world() as w:
        cache = w.cache()
        before = (await _snapshot(cache)).lifetime_energy_joules or 0
        w.faults.add("lifetime-lower")
        for _ in range(2):
            cache = await _restart(w, cache, after=280)
            assert (await _snapshot(cache)).lifetime_energy_joules == before
        cache = await _restart(w, cache, after=280)
        after = await _snapshot(cache)
        assert after.info.lifetime_energy_joules == after.reported_lifetime_energy_joules
        assert before <= (after.lifetime_energy_joules or 0) < before + 1_000_000


@in_virtual_time
async def test_integrated_energies_go_on_without_a_hole() -> None:
    # Two plants under the same sun: one exporter runs through, the other is restarted half-way.
    async with world() as w, world() as undisturbed:
        cache, whole = w.cache(), undisturbed.cache()
        for index in range(6):
            expected, found = await _snapshot(whole), await _snapshot(cache)
            await w.pass_time(300)
            if index == 3:
                cache = await _restart(w, cache, after=0)
        assert found.integrated_energy_joules == expected.integrated_energy_joules > 0
        assert found.channel_energy_joules == expected.channel_energy_joules


@in_virtual_time
async def test_inverter_offline_at_the_start_keeps_the_time_it_was_last_seen() -> None:
    async with world() as w:
        cache = w.cache()
        seen = (await _snapshot(cache)).last_seen
        w.faults.add("offline")
        cache = await _restart(w, cache, after=3_600)
        again = await _snapshot(cache)
        offline = next(i.inverter for i in again.inverters if not i.online)
        assert again.last_seen[offline] == seen[offline]


@in_virtual_time
async def test_round_keeps_its_time_though_the_zone_is_configured_anew() -> None:
    async with world() as w:
        cache = w.cache()
        measured_at = (await _snapshot(cache)).measured_at
        w.simulated.faults.add("frozen-clock")
        cache = await _restart(w, cache, after=10)
        assert (await _snapshot(cache)).measured_at == measured_at


@in_virtual_time
async def test_measurements_of_a_known_round_are_shown_after_a_restart() -> None:
    async with world() as w:
        cache = w.cache()
        before = await _snapshot(cache)
        after = await _snapshot(await _restart(w, cache, after=1))
        assert after.measured_at == before.measured_at
        assert after.inverters == before.inverters


@in_virtual_time
async def test_learnt_phase_spares_the_search() -> None:
    async with world() as w:
        cache = w.cache()
        timer_until = w.clock.monotonic() + 12_000
        while w.clock.monotonic() < timer_until:
            await cache.ask_once()
            await w.pass_time(5)
        await w.pass_time(100)
        cache = await _restart(w, cache, after=0)
        w.ecu.asked.clear()
        for _ in range(600):
            await cache.ask_once()
            await w.pass_time(5)
        assert len(w.ecu.times_of("info")) <= 12  # in fifty minutes, the first one included


@in_virtual_time
async def test_energy_of_the_day_survives_a_restart() -> None:
    start = datetime(2026, 6, 1, 21, 50, 20, tzinfo=UTC)  # ten to twelve where the ECU is
    async with world(start=start) as w:
        cache = w.cache()
        await _rounds(w, cache, 6)
        before = (await _snapshot(cache)).day_energy_joules
        after = (await _snapshot(await _restart(w, cache))).day_energy_joules
        assert before is not None
        assert after is not None
        assert after >= before > 0


@in_virtual_time
async def test_ecu_that_was_swapped_and_comes_back_goes_on_where_it_was() -> None:
    async with world() as w:
        cache = w.cache()
        first = await _snapshot(cache)
        other = (w.ecu.ecu.reply_to(b"APS1100160001END\n") or b"").replace(
            ECU.encode(), b"216200000002"
        )
        w.ecu.answers["info"] = other
        await w.pass_time(300)
        assert (await _snapshot(cache)).ecu == "216200000002"
        del w.ecu.answers["info"]
        await w.pass_time(300)
        again = await _snapshot(cache)
        assert again.ecu == ECU
        assert again.last_seen.keys() == first.last_seen.keys()
        assert again.integrated_energy_joules > 0


@in_virtual_time
async def test_restart_at_night_gives_the_evenings_round_to_nobody_again() -> None:
    async with world() as w:
        cache = w.cache()
        await _rounds(w, cache, 3)
        await cache.ask_once()
        w.faults.add("frozen-clock")
        cache = await _restart(w, cache, after=6 * 3_600)
        taken: list[Snapshot] = []
        late = w.cache(take_round=taken.append)
        w.claims.release(ECU)
        await late.ask_once()
        assert taken == []
        w.faults.clear()
        await w.pass_time(400)
        await late.ask_once()
        assert len(taken) == 1


@in_virtual_time
async def test_restart_within_a_round_gives_it_once_more() -> None:
    async with world() as w:
        cache = w.cache()
        await _rounds(w, cache, 1)
        await cache.ask_once()
        await _restart(w, cache, after=1)
        w.claims.release(ECU)
        taken: list[Snapshot] = []
        await w.cache(take_round=taken.append).ask_once()
        assert len(taken) == 1


@in_virtual_time
async def test_what_is_heard_at_night_survives_a_restart() -> None:
    start = datetime(2026, 6, 1, 20, 0, 20, tzinfo=UTC)
    async with world(start=start) as w:
        cache = w.cache()
        w.faults.add("frozen-clock")
        await _rounds(w, cache, 60)  # past midnight where the ECU is
        before = await _snapshot(cache)
        after = await _snapshot(await _restart(w, cache))
        assert before.day_energy_joules is not None
        assert after.day_energy_joules is not None
