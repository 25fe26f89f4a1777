from collections.abc import Callable
from datetime import date
from typing import get_args

import pytest

from aps_exporter.ecu.queries import (
    PERIOD_CODES,
    EnergyOfPeriodQuery,
    InfoQuery,
    InvertersQuery,
    Period,
    PowerOfDayQuery,
    Query,
    SignalQuery,
    is_ecu_id,
)

ECU = "216000061728"

ALL: list[tuple[Query, bytes]] = [
    (InfoQuery(), b"APS1100160001END\n"),
    (InvertersQuery(ECU), b"APS1100280002216000061728END\n"),
    (SignalQuery(ECU), b"APS1100280030216000061728END\n"),
    (PowerOfDayQuery(ECU, date(2023, 9, 2)), b"APS1100390003216000061728END20230902END\n"),
    (EnergyOfPeriodQuery(ECU, "week"), b"APS1100390004216000061728END00END\n"),
    (EnergyOfPeriodQuery(ECU, "month"), b"APS1100390004216000061728END01END\n"),
    (EnergyOfPeriodQuery(ECU, "year"), b"APS1100390004216000061728END02END\n"),
]

NO_IDS = [
    "",
    "21600006172",
    "2160000617280",
    "21600006172x",
    " 16000061728",
    "216000061728\n",
    "216000061728END\n",
    "216000061728END\nAPS1100280009216000061728END\n",
    "END\nAPS110028",
    "21600006172\x00",
    "-16000061728",
    "+16000061728",
    "21600006172.",
    "2160_0061728",
    "\u0662\u0661\u0666\u0660\u0660\u0660\u0660\u0666\u0661\u0667\u0662\u0668",
    "21600006172\u0668",
    "21600006172\u00b2",
    "21600006172\uff18",
]

with_id = pytest.mark.parametrize(
    "build",
    [
        InvertersQuery,
        SignalQuery,
        lambda ecu: PowerOfDayQuery(ecu, date(2023, 9, 2)),
        lambda ecu: EnergyOfPeriodQuery(ecu, "week"),
    ],
    ids=["inverters", "signal", "power_of_day", "energy_of_period"],
)


@pytest.mark.parametrize(("query", "request_bytes"), ALL, ids=lambda value: repr(value)[:60])
def test_request_is_to_the_letter(query: Query, request_bytes: bytes) -> None:
    assert query.request == request_bytes


@with_id
@pytest.mark.parametrize("ecu", NO_IDS, ids=ascii)
def test_what_is_no_id_becomes_no_request(build: Callable[[str], Query], ecu: str) -> None:
    with pytest.raises(ValueError, match="twelve digits"):
        _ = build(ecu).request


@pytest.mark.parametrize("text", NO_IDS, ids=ascii)
def test_what_is_no_id_is_told_so(text: str) -> None:
    assert not is_ecu_id(text)


@pytest.mark.parametrize("text", [ECU, "000000000000", "999999999999"])
def test_any_twelve_digits_are_an_id(text: str) -> None:
    assert is_ecu_id(text)


def test_period_that_is_not_one_of_three_becomes_no_request() -> None:
    query = EnergyOfPeriodQuery(ECU, "03END\n")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(KeyError):
        _ = query.request


def test_day_is_eight_digits_in_any_year() -> None:
    request = PowerOfDayQuery(ECU, date(987, 6, 5)).request
    assert request == b"APS1100390003216000061728END09870605END\n"


def test_there_are_five_queries_and_no_other() -> None:
    assert get_args(Query) == (
        InfoQuery,
        InvertersQuery,
        SignalQuery,
        PowerOfDayQuery,
        EnergyOfPeriodQuery,
    )


def test_queries_have_the_five_harmless_commands() -> None:
    assert [query.command for query in get_args(Query)] == ["0001", "0002", "0030", "0003", "0004"]


def test_queries_have_a_name_each() -> None:
    assert [query.name for query in get_args(Query)] == [
        "info",
        "inverters",
        "signal",
        "power_of_day",
        "energy_of_period",
    ]


@pytest.mark.parametrize(("query", "request_bytes"), ALL, ids=lambda value: repr(value)[:60])
def test_command_stands_in_the_request(query: Query, request_bytes: bytes) -> None:
    assert request_bytes[9:13].decode() == query.command


def test_every_period_has_a_code() -> None:
    assert set(PERIOD_CODES) == set(get_args(Period))
