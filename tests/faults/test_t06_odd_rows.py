"""T6: rows of type `00` and of unknown types, wherever they stand, cost no other row."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from aps_exporter.simulator.rows import rows_listed
from tests.faults.ordeal import Ordeal, Page, ordeal
from tests.protocol.frames import bare_row
from tests.protocol.rows import unknown_row
from tests.virtual_time import in_virtual_time

PLANT = "ds3:2,qs1:2"
MEASURED_ROWS = 4
MEASUREMENTS = (
    "aps_inverter_power_watts",
    "aps_inverter_temperature_celsius",
    "aps_inverter_grid_frequency_hertz",
    "aps_inverter_grid_voltage_volts",
    "aps_inverter_signal_strength_ratio",
)
ROUND = 300

OddRow = Callable[[int], bytes]

at_each_place = pytest.mark.parametrize(
    "place", [0, MEASURED_ROWS // 2, MEASURED_ROWS], ids=["first", "middle", "last"]
)


@at_each_place
@pytest.mark.parametrize("size", [9, 21, 27, 38])
def test_unknown_rows_are_counted_and_the_others_kept(place: int, size: int) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal(inverters=PLANT) as trial:
            plant = _serials(await trial.scrape())
            counted = 0
            for how_many in range(1, 11):
                with _listed(lambda n: unknown_row(n, size=size), how_many, place):
                    page = await _page_of_next_round(trial)
                counted += how_many
                assert page.value("aps_ecu_unknown_rows_total", "07") == counted
                assert _serials(page) == plant
                _assert_all_measured(page)

    check()


@at_each_place
def test_rows_never_heard_are_offline_and_the_others_kept(place: int) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal(inverters=PLANT) as trial:
            plant = _serials(await trial.scrape())
            for how_many in range(1, 11):
                with _listed(_never_heard, how_many, place):
                    page = await _page_of_next_round(trial)
                never_heard = {f"80609999{n:04}" for n in range(1, how_many + 1)}
                assert _serials(page) == plant | never_heard
                assert {page.value("aps_inverter_online", serial) for serial in never_heard} == {0}
                assert page.values("aps_ecu_unknown_rows_total") == []
                _assert_all_measured(page)

    check()


@at_each_place
def test_ecu_listed_as_one_of_its_own_inverters_is_none(place: int) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal(inverters=PLANT) as trial:
            plant = _serials(await trial.scrape())
            for how_many in range(1, 11):
                with _listed(lambda _: bare_row(trial.world.simulated.ecu), how_many, place):
                    page = await _page_of_next_round(trial)
                assert _serials(page) == plant
                assert page.values("aps_ecu_unknown_rows_total") == []
                _assert_all_measured(page)

    check()


@at_each_place
def test_odd_rows_of_all_kinds_together_are_told_apart(place: int) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal(inverters=PLANT) as trial:
            plant = _serials(await trial.scrape())
            kinds: list[OddRow] = [
                lambda n: unknown_row(n, type_code="07", size=38),
                lambda n: unknown_row(n, type_code="08", prefix="83", size=31),
                _never_heard,
            ]
            with _listed(lambda n: kinds[n % 3](n), 9, place):
                page = await _page_of_next_round(trial)
            assert _serials(page) == plant | {"806099990002", "806099990005", "806099990008"}
            assert page.value("aps_ecu_unknown_rows_total", "07") == 3
            assert page.value("aps_ecu_unknown_rows_total", "08") == 3
            _assert_all_measured(page)

    check()


@in_virtual_time
async def test_row_read_twice_in_one_round_is_counted_once() -> None:
    async with ordeal(inverters=PLANT) as trial:
        with _listed(unknown_row, 1, 0):
            page = await _page_of_next_round(trial)
            trial.world.faults.add("frozen-clock")
            before = trial.world.ecu.names.count("inverters")
            page = (await trial.scrape_for(3 * ROUND))[-1]
        assert trial.world.ecu.names.count("inverters") >= before + 2
        assert page.value("aps_ecu_unknown_rows_total", "07") == 1


def _never_heard(number: int) -> bytes:
    return bare_row(f"80609999{number:04}")


@contextmanager
def _listed(row: OddRow, how_many: int, place: int) -> Iterator[None]:
    """Meanwhile the ECU lists so many of these rows before the one of its own at this place."""

    def rows(*plant: object) -> list[bytes]:
        listed = rows_listed(*plant)  # type: ignore[arg-type]
        return [*listed[:place], *(row(n) for n in range(1, how_many + 1)), *listed[place:]]

    with patch("aps_exporter.simulator.ecu.rows_listed", rows):
        yield


async def _page_of_next_round(trial: Ordeal) -> Page:
    """The page as soon as a round is on it that was not there before."""
    page = await trial.scrape()
    known = page.value("aps_ecu_last_report_timestamp_seconds")
    while page.value("aps_ecu_last_report_timestamp_seconds") == known:
        await trial.world.pass_time(ROUND / 10)
        page = await trial.scrape()
    return page


def _serials(page: Page) -> set[str]:
    """Every inverter that any series speaks of."""
    return set(re.findall(r'inverter="([^"]*)"', page.text))


def _assert_all_measured(page: Page) -> None:
    assert page.value("aps_up") == 1
    for name in MEASUREMENTS:
        assert len(page.values(name)) == MEASURED_ROWS, name
    assert len(page.values("aps_channel_power_watts")) == 12
