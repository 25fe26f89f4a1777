"""T13: a refusing, frozen or empty ECU: right ages, and no alert before 45 minutes of silence."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from aps_exporter.simulator.faults import Fault
from tests.faults.ordeal import Ordeal, Page, ordeal
from tests.virtual_time import in_virtual_time

README = Path(__file__).parents[2] / "README.md"
ALERT = re.compile(r"`time\(\) - (?P<series>\w+) > (?P<seconds>\d+)`")

TEN_TO_THREE = datetime(2026, 6, 1, 2, 50, 20, tzinfo=UTC)
BEFORE = 600
HOLE = 1_500
SILENCE = 2_700
FROZEN = 6 * 3_600
EMPTY = 2 * 3_600
STALE_AFTER = 900
ROUND = 300
INTERVAL = 60
PAUSE = 0.5

LAST_SUCCESS = "aps_last_success_timestamp_seconds"


@dataclass(frozen=True)
class Sight:
    """A page, the moment it came, and when the ECU had answered which query by then.

    That moment is the `time()` of whoever evaluates an alert on the page.
    """

    page: Page
    at: float
    answered: dict[str, list[float]]

    @property
    def alerts(self) -> bool:
        """Whether the rule that the README recommends fires; it is silent without the series."""
        series, seconds = _recommended_rule()
        value = self.page.value(series)
        return value is not None and self.at - value > seconds

    def is_stale(self, answered_at: float) -> bool:
        """Whether what was answered then must be withdrawn: the period is still being learnt."""
        period = self.page.value("aps_ecu_round_period_seconds") or 0
        return self.at > answered_at + max(STALE_AFTER, 3 * period)


@cache
def _recommended_rule() -> tuple[str, float]:
    """A series, and how many seconds it may lie behind `time()`."""
    (rule,) = ALERT.finditer(" ".join(README.read_text(encoding="utf-8").split()))
    return rule["series"], float(rule["seconds"])


async def _look(trial: Ordeal) -> Sight:
    page = await trial.scrape()
    at = _now(trial)
    ahead = at - asyncio.get_running_loop().time()
    answered = {
        query: [moment + ahead for moment in trial.world.ecu.times_of(query)]
        for query in ("info", "inverters", "signal")
    }
    return Sight(page, at, answered)


async def _watch(trial: Ordeal, seconds: float) -> list[Sight]:
    sights = []
    began = _now(trial)
    for second in range(0, int(seconds), INTERVAL):
        await asyncio.sleep(max(0.0, began + second - _now(trial)))
        sights.append(await _look(trial))
    await asyncio.sleep(began + seconds - _now(trial))
    return sights


async def _refuse(trial: Ordeal) -> None:
    trial.world.faults.add("refuse")
    await trial.world.server.heed_refuse()


def _moment(at: float) -> object:
    """Equal to this moment, to the millisecond."""
    return pytest.approx(at, rel=0, abs=0.001)


def _now(trial: Ordeal) -> float:
    return trial.world.clock.now().timestamp()


@in_virtual_time
async def test_alert_stays_quiet_through_25_minutes_of_refusal_at_three() -> None:
    async with ordeal(start=TEN_TO_THREE) as trial:
        sights = await _watch(trial, BEFORE)
        await _refuse(trial)
        refused = await _watch(trial, HOLE)
        await trial.heal()
        sights += refused + await _watch(trial, BEFORE)
        assert [sight.at for sight in sights if sight.alerts] == []
        assert refused[-1].page.value("aps_up") == 0


@in_virtual_time
async def test_alert_fires_after_45_minutes_without_an_answer() -> None:
    async with ordeal(start=TEN_TO_THREE) as trial:
        await _watch(trial, BEFORE)
        await _refuse(trial)
        for sight in await _watch(trial, 2 * SILENCE):
            assert sight.alerts is (sight.at > sight.answered["signal"][-1] + SILENCE)


@in_virtual_time
async def test_alert_ends_with_the_first_answer() -> None:
    async with ordeal(start=TEN_TO_THREE) as trial:
        await _refuse(trial)
        assert (await _watch(trial, 2 * SILENCE))[-1].alerts
        await trial.heal()
        await trial.assert_recovers()
        assert not (await _look(trial)).alerts


@in_virtual_time
async def test_refusal_is_told_by_up_failures_and_last_success() -> None:
    async with ordeal(start=TEN_TO_THREE) as trial:
        before = (await _watch(trial, BEFORE))[-1]
        await _refuse(trial)
        for sight in await _watch(trial, HOLE):
            page = sight.page
            failed = page.count("aps_refreshes_total") - before.page.count("aps_refreshes_total")
            assert page.value("aps_consecutive_failures") == failed
            assert page.value("aps_up") == (0 if failed else 1)
            assert page.value(LAST_SUCCESS) == _moment(before.answered["signal"][-1])
            tries = page.count("aps_query_failures_total", "info", "refused")
            assert tries in (2 * failed, 2 * failed + 1)  # each refresh tries twice
        assert page.count("aps_consecutive_failures") >= 5


@in_virtual_time
async def test_end_of_a_refusal_is_told_by_up_failures_and_last_success() -> None:
    async with ordeal(start=TEN_TO_THREE) as trial:
        await _refuse(trial)
        await _watch(trial, HOLE)
        await trial.heal()
        await trial.assert_recovers()
        sight = await _look(trial)
        assert (sight.page.value("aps_up"), sight.page.value("aps_consecutive_failures")) == (1, 0)
        answered_at = sight.answered["signal"][-1]
        assert sight.page.value(LAST_SUCCESS) == _moment(answered_at)
        assert sight.page.value("aps_ecu_data_age_seconds") == int(sight.at - answered_at + PAUSE)


@in_virtual_time
async def test_ages_grow_through_a_refusal_and_old_values_go() -> None:
    async with ordeal(start=TEN_TO_THREE) as trial:
        await _refuse(trial)
        for sight in await _watch(trial, HOLE):
            (info_at,), (round_at,) = sight.answered["info"], sight.answered["inverters"]
            assert sight.page.value("aps_ecu_data_age_seconds") == int(sight.at - round_at)
            for name, answered_at in (
                ("aps_ecu_power_watts", info_at),
                ("aps_inverter_online", round_at),
                ("aps_inverter_power_watts", round_at),
            ):
                is_known = sight.page.values(name) != []
                assert is_known is not sight.is_stale(answered_at)


@in_virtual_time
async def test_frozen_timestamp_ages_the_round_and_nothing_else() -> None:
    async with ordeal() as trial:
        trial.world.faults.add("frozen-clock")
        for sight in await _watch(trial, FROZEN):
            page, round_at = sight.page, sight.answered["inverters"][0]
            assert page.value("aps_ecu_data_age_seconds") == int(sight.at - round_at)
            is_known = page.values("aps_inverter_power_watts") != []
            assert is_known is not sight.is_stale(round_at)
            assert page.values("aps_inverter_online") == [1, 1]
            assert len(page.values("aps_inverter_signal_strength_ratio")) == 2
            assert page.value("aps_ecu_power_watts") is not None
        assert page.count("aps_ecu_data_age_seconds") > FROZEN - ROUND


@in_virtual_time
async def test_empty_list_ages_the_rows_and_is_counted() -> None:
    async with ordeal() as trial:
        trial.world.faults.add("empty-list")
        for sight in await _watch(trial, EMPTY):
            page, (rows_at, *empty) = sight.page, sight.answered["inverters"]
            for name in ("aps_inverter_online", "aps_inverter_power_watts"):
                assert (page.values(name) != []) is not sight.is_stale(rows_at)
            assert page.value("aps_ecu_rejected_values_total", "empty_list") == len(empty)
            assert page.value("aps_ecu_inverters") == 2
            assert page.value("aps_ecu_power_watts") is not None
            assert page.count("aps_ecu_data_age_seconds") <= 2 * ROUND
        assert len(empty) >= EMPTY / ROUND - 2
        assert sight.is_stale(rows_at)


@pytest.mark.parametrize(("fault", "seconds"), [("frozen-clock", FROZEN), ("empty-list", EMPTY)])
def test_frozen_or_empty_ecu_is_up_and_no_alert(fault: Fault, seconds: float) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            trial.world.faults.add(fault)
            for sight in await _watch(trial, seconds):
                page, answered_at = sight.page, sight.answered["signal"][-1]
                assert not sight.alerts
                assert (page.value("aps_up"), page.value("aps_consecutive_failures")) == (1, 0)
                assert page.value(LAST_SUCCESS) == _moment(answered_at)
                assert sight.at - answered_at <= 2 * ROUND

    check()
