"""Power of day (0003), of which no capture tells, and energy of period (0004)."""

from datetime import date, time

import pytest

from aps_exporter.ecu.decode import decode
from aps_exporter.readings import EnergyOfPeriod, PowerOfDay
from tests.protocol.frames import framed
from tests.protocol.shapes import said

MALFORMED = {"kind": "error", "error": "malformed"}


def test_power_of_day_is_by_minute() -> None:
    reading = decode(
        framed(
            "0003",
            b"00"
            + bytes.fromhex("0655" + "0003")
            + bytes.fromhex("1010" + "0a0a")  # 2570 W
            + bytes.fromhex("2359" + "ffff"),
        )
    )
    assert reading == PowerOfDay({time(6, 55): 3, time(10, 10): 2570, time(23, 59): 65_535})


@pytest.mark.parametrize("raw", [b"APS1100160003END\n", b"APS110018000300END\n"])
def test_day_without_power_is_empty(raw: bytes) -> None:
    assert decode(raw) == PowerOfDay({})


@pytest.mark.parametrize("minute", ["2400", "0060", "9999", "0a00", "065f", "ffff"])
def test_minute_that_no_day_has_is_malformed(minute: str) -> None:
    body = b"00" + bytes.fromhex("06550003" + minute + "0001")
    assert said(framed("0003", body)) == MALFORMED


@pytest.mark.parametrize("surplus", [1, 2, 3])
def test_power_of_day_with_half_a_record_is_malformed(surplus: int) -> None:
    body = b"00" + bytes.fromhex("06550003" + "07000004")[: 4 + surplus]
    assert said(framed("0003", body)) == MALFORMED


SIX = bytes.fromhex(
    "20230902" + "023d"  # 5.73 kWh
    "20230903" + "027a"  # 6.34 kWh
    "20230904" + "03a5"  # 9.33 kWh
)
EIGHT = bytes.fromhex(
    "20230902" + "0000023d"  # 5.73 kWh
    "20230903" + "0000027a"  # 6.34 kWh
    "20230904" + "00013465"  # 789.49 kWh
)
DAYS_IN_SIX = {"2023-09-02": 5.73, "2023-09-03": 6.34, "2023-09-04": 9.33}
DAYS_IN_EIGHT = {"2023-09-02": 5.73, "2023-09-03": 6.34, "2023-09-04": 789.49}


@pytest.mark.parametrize("group", ["11", "12"])
@pytest.mark.parametrize(
    ("records", "days"), [(SIX, DAYS_IN_SIX), (EIGHT, DAYS_IN_EIGHT)], ids=["six", "eight"]
)
@pytest.mark.parametrize("how_many", [1, 2, 3])
def test_energy_is_read_in_either_width_in_either_group(
    group: str, records: bytes, days: dict[str, float], how_many: int
) -> None:
    body = b"0001" + records[: len(records) // 3 * how_many]
    assert said(framed("0004", body, group=group)) == {
        "kind": "energy_of_period",
        "period": "month",
        "energy_kwh": dict(list(days.items())[:how_many]),
    }


def test_energy_of_a_month_of_six_byte_records_is_read_in_group_12() -> None:
    # 28 records of six bytes are as long as 21 of eight.
    records = b"".join(bytes.fromhex(f"202302{day:02}" + "0190") for day in range(1, 29))
    reading = decode(framed("0004", b"0001" + records, group="12"))
    assert reading == EnergyOfPeriod(
        "month", {date(2023, 2, day): 14_400_000 for day in range(1, 29)}
    )


def test_energy_of_a_month_of_eight_byte_records_is_read_in_group_11() -> None:
    # 27 records of eight bytes are as long as 36 of six.
    records = b"".join(bytes.fromhex(f"202302{day:02}" + "00000190") for day in range(1, 28))
    reading = decode(framed("0004", b"0001" + records, group="11"))
    assert reading == EnergyOfPeriod(
        "month", {date(2023, 2, day): 14_400_000 for day in range(1, 28)}
    )


@pytest.mark.parametrize(("code", "period"), [(b"00", "week"), (b"01", "month"), (b"02", "year")])
def test_period_is_told_by_name(code: bytes, period: str) -> None:
    assert said(framed("0004", b"00" + code + SIX)) == {
        "kind": "energy_of_period",
        "period": period,
        "energy_kwh": DAYS_IN_SIX,
    }


def test_energy_of_a_year_is_by_first_of_month() -> None:
    body = b"0002" + bytes.fromhex("20221201" + "00001f40" + "20230101" + "00002ee0")
    assert decode(framed("0004", body, group="12")) == EnergyOfPeriod(
        "year", {date(2022, 12, 1): 288_000_000, date(2023, 1, 1): 432_000_000}
    )


def test_period_without_energy_is_empty() -> None:
    assert decode(framed("0004", b"0000")) == EnergyOfPeriod("week", {})


@pytest.mark.parametrize("code", [b"03", b"99", b"0\n", b"we"])
def test_period_nobody_asked_for_is_malformed(code: bytes) -> None:
    assert said(framed("0004", b"00" + code + SIX)) == MALFORMED


@pytest.mark.parametrize("group", ["11", "12"])
@pytest.mark.parametrize(
    "records",
    [
        "20230903027a" + "20230902023d",
        "20230902023d" + "20230902023d",
        "202309030000027a" + "202309020000023d",
        "202309020000023d" + "202309020000023d",
        "20230229023d",
        "20231301023d",
        "2023090a023d",
        "000000000000",
        "0000000000000000",
        "20230902023d" + "20230903027a" + "ff",
        "20230902023d" + "20230903",
        "20230902",
    ],
    ids=[
        "falling",
        "twice",
        "falling, wide",
        "twice, wide",
        "no such day",
        "no such month",
        "no digit",
        "zeros",
        "zeros, wide",
        "a byte too many",
        "half a record",
        "no energy",
    ],
)
def test_energy_list_without_rising_real_dates_is_malformed(group: str, records: str) -> None:
    body = b"0001" + bytes.fromhex(records)
    assert said(framed("0004", body, group=group)) == MALFORMED
