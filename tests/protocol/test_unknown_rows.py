"""Rows of models nobody knows: counted, and never at the cost of another row."""

import pytest

from tests.protocol.frames import online_row
from tests.protocol.rows import (
    DS3H,
    DS3L,
    FOUR_CHANNELS,
    NEVER_HEARD,
    QS1,
    TWO_CHANNELS,
    YC1000,
    decoded_round,
    serials,
    unknown_row,
)


@pytest.mark.parametrize("how_many", range(1, 11))
@pytest.mark.parametrize("at", [0, 2, 4], ids=["first", "middle", "last"])
@pytest.mark.parametrize("size", [9, 21, 24, 27, 38, 64])
def test_rows_of_an_unknown_type_are_counted_and_the_others_kept(
    how_many: int, at: int, size: int
) -> None:
    rows = [DS3L, QS1, NEVER_HEARD, YC1000]
    unknown = [unknown_row(number, size=size) for number in range(1, how_many + 1)]
    reading = decoded_round(*rows[:at], *unknown, *rows[at:])
    assert (serials(reading), reading.unknown_rows) == (
        ["703012345678", "802000000003", "806073965537", "501000000004"],
        {"07": how_many},
    )


@pytest.mark.parametrize("how_many", [1, 2, 5, 10])
def test_rows_of_an_unknown_type_may_stand_apart(how_many: int) -> None:
    known = [online_row(f"802{number:09}", "03", FOUR_CHANNELS) for number in range(how_many)]
    rows = [row for n in range(how_many) for row in (unknown_row(n), known[n])]
    reading = decoded_round(*rows)
    assert (serials(reading), reading.unknown_rows) == (
        [f"802{number:09}" for number in range(how_many)],
        {"07": how_many},
    )


@pytest.mark.parametrize("type_code", ["06", "09", "10", "0A", "Zz"])
def test_rows_of_an_unknown_type_are_counted_by_it(type_code: str) -> None:
    reading = decoded_round(unknown_row(1, type_code=type_code), QS1)
    assert (serials(reading), reading.unknown_rows) == (["802000000003"], {type_code: 1})


def test_two_unknown_types_of_different_sizes_are_counted_apart() -> None:
    reading = decoded_round(
        unknown_row(1, type_code="07", size=38),
        DS3L,
        unknown_row(2, type_code="08", prefix="83", size=31),
        unknown_row(3, type_code="07", size=38),
        QS1,
    )
    assert (serials(reading), reading.unknown_rows) == (
        ["703012345678", "802000000003"],
        {"07": 2, "08": 1},
    )


def test_one_unknown_type_may_have_a_size_for_each_serial_prefix() -> None:
    reading = decoded_round(
        unknown_row(1, prefix="72", size=21), QS1, unknown_row(2, prefix="92", size=27), DS3L
    )
    assert (serials(reading), reading.unknown_rows) == (
        ["802000000003", "703012345678"],
        {"07": 2},
    )


@pytest.mark.parametrize("how_many", range(1, 11))
@pytest.mark.parametrize("size", range(9, 65, 5))
def test_sleeping_rows_of_an_unknown_type_swallow_no_other_row(how_many: int, size: int) -> None:
    # All zero, as `pro-ds3x8-rt-2022-09-19-night` sends them: almost anything could start in there.
    asleep = [
        bytes.fromhex(f"72{number:010}") + b"\x0007" + b"\x00" * (size - 9)
        for number in range(1, how_many + 1)
    ]
    reading = decoded_round(QS1, *asleep, DS3L, online_row("704123456789", "01", TWO_CHANNELS))
    assert (serials(reading), reading.unknown_rows) == (
        ["802000000003", "703012345678", "704123456789"],
        {"07": how_many},
    )


def test_sleeping_unknown_row_among_sleeping_ds3_swallows_none_of_them() -> None:
    ds3 = [bytes.fromhex(f"7031{number:08}") + b"\x0001" + b"\x00" * 12 for number in range(1, 7)]
    unknown = bytes.fromhex("721000000001") + b"\x0007" + b"\x00" * 20
    reading = decoded_round(*ds3[:3], unknown, *ds3[3:])
    assert (serials(reading), reading.unknown_rows) == (
        [f"7031{number:08}" for number in range(1, 7)],
        {"07": 1},
    )


def test_ninety_known_rows_beside_two_unknown_types_are_all_kept() -> None:
    known = [online_row(f"703{number:09}", "01", TWO_CHANNELS) for number in range(90)]
    reading = decoded_round(
        *(unknown_row(number, size=30) for number in range(5)),
        *known,
        *(unknown_row(number, type_code="08", prefix="83", size=44) for number in range(5)),
    )
    assert (len(reading.inverters), reading.unknown_rows) == (90, {"07": 5, "08": 5})


@pytest.mark.parametrize("kinds", [1, 2, 3, 4])
def test_sleeping_plant_of_several_unknown_types_is_counted_exactly(kinds: int) -> None:
    known = [bytes.fromhex(f"7031{number:08}") + b"\x0001" + b"\x00" * 12 for number in range(80)]
    unknown = [
        bytes.fromhex(f"6{kind}{number:010}") + b"\x000%d" % (kind + 5) + b"\x00" * (10 + 3 * kind)
        for number in range(5)
        for kind in range(1, kinds + 1)
    ]
    reading = decoded_round(*known[:40], *unknown, *known[40:])
    assert (len(reading.inverters), reading.unknown_rows) == (
        80,
        {f"0{kind + 5}": 5 for kind in range(1, kinds + 1)},
    )


@pytest.mark.parametrize(
    "known", [[], [DS3L], [DS3L, QS1, NEVER_HEARD]], ids=["first", "second", "fourth"]
)
def test_unknown_row_that_fits_nowhere_keeps_the_rows_before_it(known: list[bytes]) -> None:
    reading = decoded_round(*known, unknown_row(1, size=64) + b"\x00" * 100, QS1, DS3L)
    kept = ["703012345678", "802000000003", "806073965537"][: len(known)]
    assert (serials(reading), reading.unknown_rows) == (kept, {"07": 3})


def test_round_of_known_rows_counts_no_unknown_ones() -> None:
    assert decoded_round(QS1, DS3H, NEVER_HEARD).unknown_rows == {}
