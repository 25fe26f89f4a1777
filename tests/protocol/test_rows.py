"""Rows of an inverters reply that no capture holds."""

from typing import Any

import pytest

from aps_exporter.ecu.decode import decode
from aps_exporter.readings import PhaseReading, RoundReading
from tests.protocol.frames import bare_row, framed, online_row, round_reply
from tests.protocol.shapes import said

MALFORMED = {"kind": "error", "error": "malformed"}

TWO_CHANNELS = (
    "01f3"  # 49.9 Hz
    "0082"  # 30 degC
    "00fa"  # 250 W
    "00e6"  # 230 V
    "00ff"  # 255 W
    "00e6"  # 230 V
)
THREE_PHASES = (
    "01f5"  # 50.1 Hz
    "0077"  # 19 degC
    "001a"  # 26 W
    "0186"  # 390 V
    "001b"  # 27 W
    "0187"  # 391 V
    "001c"  # 28 W
    "017f"  # 383 V
    "001d"  # 29 W
)
FOUR_CHANNELS = (
    "0257"  # 59.9 Hz
    "0064"  # 0 degC
    "000b"  # 11 W
    "00ec"  # 236 V
    "000a"  # 10 W
    "0009"  # 9 W
    "0008"  # 8 W
)

DS3H = online_row("705000000001", "05", TWO_CHANNELS)
DS3H_SAID = {
    "inverter": "705000000001",
    "type_code": "05",
    "model": "DS3-H",
    "online": True,
    "frequency_hertz": 49.9,
    "temperature_celsius": 30,
    "voltage_volts": [230],
    "power_watts": [250, 255],
}
QT2 = online_row("901000000002", "05", THREE_PHASES)
QT2_SAID = {
    "inverter": "901000000002",
    "type_code": "05",
    "model": "QT2",
    "online": True,
    "frequency_hertz": 50.1,
    "temperature_celsius": 19,
    "voltage_volts": [390, 391, 383],
    "power_watts": [26, 27, 28, 29],
}
QS1 = online_row("802000000003", "03", FOUR_CHANNELS)
QS1_SAID = {
    "inverter": "802000000003",
    "type_code": "03",
    "model": "QS1",
    "online": True,
    "frequency_hertz": 59.9,
    "temperature_celsius": 0,
    "voltage_volts": [236],
    "power_watts": [11, 10, 9, 8],
}
DS3L = online_row("703012345678", "01", TWO_CHANNELS)
DS3L_SAID = DS3H_SAID | {"inverter": "703012345678", "type_code": "01", "model": "DS3-L"}
YC1000 = online_row("501000000004", "02", THREE_PHASES)

NEVER_HEARD = bare_row("806073965537")
NEVER_HEARD_SAID = {
    "inverter": "806073965537",
    "type_code": "00",
    "model": None,
    "online": False,
    "frequency_hertz": None,
    "temperature_celsius": None,
    "voltage_volts": None,
    "power_watts": None,
}
ECU_ITSELF = bare_row("216000000001")

UNKNOWN_REST = (
    "01f40087"  # 50.0 Hz, 35 degC
    "00c800c900ca00cb00cc00cd"  # 200 to 205, whatever that may be
    "00ee00ef00f0"  # 238 to 240
    "0d0c0b0a"
)


def _unknown(number: int, *, type_code: str = "07", prefix: str = "72", size: int = 38) -> bytes:
    """A row of a model from the future, of this many bytes in all."""
    rest = (UNKNOWN_REST * 3)[: (size - 9) * 2]
    return online_row(f"{prefix}{number:010}", type_code, rest)


def _inverters(*rows: bytes) -> list[dict[str, Any]]:
    return list(said(round_reply(*rows))["inverters"])


def _round(*rows: bytes) -> RoundReading:
    reading = decode(round_reply(*rows))
    assert isinstance(reading, RoundReading)
    return reading


def _serials(reading: RoundReading) -> list[str]:
    return [inverter.inverter for inverter in reading.inverters]


def test_row_of_type_04_reads_as_two_channels() -> None:
    assert _inverters(online_row("704000000005", "04", TWO_CHANNELS)) == [
        DS3H_SAID | {"inverter": "704000000005", "type_code": "04", "model": "DS3"}
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([DS3H], [DS3H_SAID]),
        ([QT2], [QT2_SAID]),
        ([DS3H, QT2], [DS3H_SAID, QT2_SAID]),
        ([QT2, DS3H], [QT2_SAID, DS3H_SAID]),
        ([QS1, DS3H], [QS1_SAID, DS3H_SAID]),
        ([QS1, QT2, DS3L], [QS1_SAID, QT2_SAID, DS3L_SAID]),
        ([NEVER_HEARD, DS3H, DS3L], [NEVER_HEARD_SAID, DS3H_SAID, DS3L_SAID]),
        ([DS3L, QT2, NEVER_HEARD], [DS3L_SAID, QT2_SAID, NEVER_HEARD_SAID]),
        (
            [QT2, QS1, DS3H, NEVER_HEARD, DS3L],
            [QT2_SAID, QS1_SAID, DS3H_SAID, NEVER_HEARD_SAID, DS3L_SAID],
        ),
    ],
    ids=lambda rows: "-".join(str(len(row)) for row in rows if isinstance(row, bytes)),
)
def test_row_of_type_05_has_the_size_that_fits(
    rows: list[bytes], expected: list[dict[str, Any]]
) -> None:
    assert _inverters(*rows) == expected


@pytest.mark.parametrize("count", [2, 7, 9, 100])
@pytest.mark.parametrize(
    ("prefix", "measurements", "voltages"),
    [("705", TWO_CHANNELS, (230,)), ("901", THREE_PHASES, (390, 391, 383))],
    ids=["21", "27"],
)
def test_many_rows_of_type_05_have_the_size_that_fits(
    count: int, prefix: str, measurements: str, voltages: tuple[int, ...]
) -> None:
    rows = [
        online_row(f"{prefix}{number:09}", "05", measurements) for number in range(1, count + 1)
    ]
    said_voltages = {tuple(row["voltage_volts"]) for row in _inverters(*rows)}
    assert (len(_inverters(*rows)), said_voltages) == (count, {voltages})


def test_seven_qt2_beside_nine_ds3h_all_of_type_05_are_told_apart() -> None:
    # 7 x 27 = 9 x 21: here the sizes could be the other way round.
    long = [online_row(f"901{number:09}", "05", THREE_PHASES) for number in range(7)]
    short = [online_row(f"705{number:09}", "05", TWO_CHANNELS) for number in range(9)]
    models = [row["model"] for row in _inverters(*long, *short)]
    assert models == ["QT2"] * 7 + ["DS3-H"] * 9


@pytest.mark.parametrize("serial", ["705000000001", "951000000001"])
def test_long_row_of_type_05_keeps_its_three_voltages_whatever_the_serial(serial: str) -> None:
    (row,) = _inverters(online_row(serial, "05", THREE_PHASES))
    assert (row["voltage_volts"], row["power_watts"]) == ([390, 391, 383], [26, 27, 28, 29])


@pytest.mark.parametrize("serial", ["901000000001", "951000000001"])
def test_short_row_of_type_05_is_single_phase_whatever_the_serial(serial: str) -> None:
    (inverter,) = _round(online_row(serial, "05", TWO_CHANNELS)).inverters
    assert inverter.phases == (PhaseReading("1", 230),)


@pytest.mark.parametrize(
    ("row", "phases"),
    [
        (DS3L, ("1",)),
        (QS1, ("1",)),
        (YC1000, ("1", "2", "3")),
        (QT2, ("1-2", "2-3", "3-1")),
        (online_row("901000000002", "02", THREE_PHASES), ("1-2", "2-3", "3-1")),
        (online_row("551000000002", "02", THREE_PHASES), ("1", "2", "3")),
    ],
    ids=["DS3-L", "QS1", "YC1000", "QT2 as 05", "QT2 as 02", "new three-phase"],
)
def test_phases_are_labelled_by_what_they_lie_between(row: bytes, phases: tuple[str, ...]) -> None:
    (inverter,) = _round(row).inverters
    assert tuple(phase.phase for phase in inverter.phases) == phases


def test_channels_count_from_one() -> None:
    (inverter,) = _round(QT2).inverters
    assert [(channel.channel, channel.power_watts) for channel in inverter.channels] == [
        (1, 26),
        (2, 27),
        (3, 28),
        (4, 29),
    ]


@pytest.mark.parametrize("model_row", ["952000000001", "100000000001", "012345678901"])
def test_serial_nobody_knows_reads_by_its_type_code(model_row: str) -> None:
    (row,) = _inverters(online_row(model_row, "03", FOUR_CHANNELS))
    assert row == QS1_SAID | {"inverter": model_row}


@pytest.mark.parametrize("how_many", range(1, 11))
@pytest.mark.parametrize("at", [0, 2, 4], ids=["first", "middle", "last"])
@pytest.mark.parametrize("size", [9, 21, 24, 27, 38, 64])
def test_rows_of_an_unknown_type_are_counted_and_the_others_kept(
    how_many: int, at: int, size: int
) -> None:
    rows = [DS3L, QS1, NEVER_HEARD, YC1000]
    unknown = [_unknown(number, size=size) for number in range(1, how_many + 1)]
    reading = _round(*rows[:at], *unknown, *rows[at:])
    assert (_serials(reading), reading.unknown_rows) == (
        ["703012345678", "802000000003", "806073965537", "501000000004"],
        {"07": how_many},
    )


@pytest.mark.parametrize("how_many", [1, 2, 5, 10])
def test_rows_of_an_unknown_type_may_stand_apart(how_many: int) -> None:
    known = [online_row(f"802{number:09}", "03", FOUR_CHANNELS) for number in range(how_many)]
    rows = [row for n in range(how_many) for row in (_unknown(n), known[n])]
    reading = _round(*rows)
    assert (_serials(reading), reading.unknown_rows) == (
        [f"802{number:09}" for number in range(how_many)],
        {"07": how_many},
    )


@pytest.mark.parametrize("type_code", ["06", "09", "10", "0A", "Zz"])
def test_rows_of_an_unknown_type_are_counted_by_it(type_code: str) -> None:
    reading = _round(_unknown(1, type_code=type_code), QS1)
    assert (_serials(reading), reading.unknown_rows) == (["802000000003"], {type_code: 1})


def test_two_unknown_types_of_different_sizes_are_counted_apart() -> None:
    reading = _round(
        _unknown(1, type_code="07", size=38),
        DS3L,
        _unknown(2, type_code="08", prefix="83", size=31),
        _unknown(3, type_code="07", size=38),
        QS1,
    )
    assert (_serials(reading), reading.unknown_rows) == (
        ["703012345678", "802000000003"],
        {"07": 2, "08": 1},
    )


def test_one_unknown_type_may_have_a_size_for_each_serial_prefix() -> None:
    reading = _round(
        _unknown(1, prefix="72", size=21), QS1, _unknown(2, prefix="92", size=27), DS3L
    )
    assert (_serials(reading), reading.unknown_rows) == (
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
    reading = _round(QS1, *asleep, DS3L, online_row("704123456789", "01", TWO_CHANNELS))
    assert (_serials(reading), reading.unknown_rows) == (
        ["802000000003", "703012345678", "704123456789"],
        {"07": how_many},
    )


def test_sleeping_unknown_row_among_sleeping_ds3_swallows_none_of_them() -> None:
    ds3 = [bytes.fromhex(f"7031{number:08}") + b"\x0001" + b"\x00" * 12 for number in range(1, 7)]
    unknown = bytes.fromhex("721000000001") + b"\x0007" + b"\x00" * 20
    reading = _round(*ds3[:3], unknown, *ds3[3:])
    assert (_serials(reading), reading.unknown_rows) == (
        [f"7031{number:08}" for number in range(1, 7)],
        {"07": 1},
    )


def test_ninety_known_rows_beside_two_unknown_types_are_all_kept() -> None:
    known = [online_row(f"703{number:09}", "01", TWO_CHANNELS) for number in range(90)]
    reading = _round(
        *(_unknown(number, size=30) for number in range(5)),
        *known,
        *(_unknown(number, type_code="08", prefix="83", size=44) for number in range(5)),
    )
    assert (len(reading.inverters), reading.unknown_rows) == (90, {"07": 5, "08": 5})


@pytest.mark.parametrize(
    "known", [[], [DS3L], [DS3L, QS1, NEVER_HEARD]], ids=["first", "second", "fourth"]
)
def test_unknown_row_that_fits_nowhere_keeps_the_rows_before_it(known: list[bytes]) -> None:
    reading = _round(*known, _unknown(1, size=64) + b"\x00" * 100, QS1, DS3L)
    kept = ["703012345678", "802000000003", "806073965537"][: len(known)]
    assert (_serials(reading), reading.unknown_rows) == (kept, {"07": 3})


def test_round_of_known_rows_counts_no_unknown_ones() -> None:
    assert _round(QS1, DS3H, NEVER_HEARD).unknown_rows == {}


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("how_many", [1, 2, 10])
def test_rows_of_type_00_are_offline_inverters_wherever_they_stand(at: int, how_many: int) -> None:
    bare = [f"8060000000{number:02}" for number in range(how_many)]
    rows = [QS1, DS3L]
    expected = [QS1_SAID, DS3L_SAID]
    assert _inverters(*rows[:at], *map(bare_row, bare), *rows[at:]) == [
        *expected[:at],
        *(NEVER_HEARD_SAID | {"inverter": serial} for serial in bare),
        *expected[at:],
    ]


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "middle", "last"])
def test_serial_of_the_ecu_itself_is_no_inverter(at: int) -> None:
    rows = [QS1, DS3L]
    assert _inverters(*rows[:at], ECU_ITSELF, *rows[at:]) == [QS1_SAID, DS3L_SAID]


def test_serial_of_the_ecu_itself_is_no_unknown_row() -> None:
    assert _round(ECU_ITSELF).unknown_rows == {}


@pytest.mark.parametrize("rows", [(bare_row("802000000003"), QS1), (QS1, bare_row("802000000003"))])
def test_of_a_serial_listed_twice_the_row_with_a_layout_wins(rows: tuple[bytes, bytes]) -> None:
    assert _inverters(*rows, DS3L) == [QS1_SAID, DS3L_SAID]


def test_serial_listed_twice_without_a_layout_is_one_inverter() -> None:
    assert _inverters(NEVER_HEARD, DS3L, NEVER_HEARD) == [NEVER_HEARD_SAID, DS3L_SAID]


def test_serial_listed_twice_with_a_layout_is_one_inverter() -> None:
    assert _inverters(QS1, DS3L, QS1) == [QS1_SAID, DS3L_SAID]


@pytest.mark.parametrize(
    ("flags", "online"), [(0x00, False), (0x01, True), (0x02, False), (0x03, True), (0xFE, False)]
)
def test_only_bit_0_says_online(flags: int, *, online: bool) -> None:
    row = DS3L[:6] + bytes([flags]) + DS3L[7:]
    assert [said_row["online"] for said_row in _inverters(row)] == [online]


@pytest.mark.parametrize(
    ("raw_temperature", "celsius"),
    [("0063", -1), ("0050", -20), ("0064", 0), ("0000", -100), ("00ff", 155), ("ffff", 65_435)],
)
def test_temperature_counts_from_minus_a_hundred(raw_temperature: str, celsius: int) -> None:
    row = online_row("703012345678", "01", "01f3" + raw_temperature + TWO_CHANNELS[8:])
    assert [said_row["temperature_celsius"] for said_row in _inverters(row)] == [celsius]


def test_values_no_inverter_can_measure_are_kept_for_plausibility() -> None:
    row = online_row("703012345678", "01", "028a" + "0064" + "f3c5" + "0005" + "ffff" + "0005")
    assert _inverters(row) == [
        DS3L_SAID
        | {
            "frequency_hertz": 65.0,
            "temperature_celsius": 0,
            "voltage_volts": [5],
            "power_watts": [62_405, 65_535],
        }
    ]


def test_row_full_of_line_feeds_is_read_like_any_other() -> None:
    row = b"\x10" * 6 + b"\x0b03" + b"\n" * 14
    assert _inverters(row) == [
        QS1_SAID
        | {
            "inverter": "101010101010",
            "frequency_hertz": 257.0,
            "temperature_celsius": 2470,
            "voltage_volts": [2570],
            "power_watts": [2570] * 4,
        }
    ]


@pytest.mark.parametrize("serial", ["80200000000a", "f02000000003", "ffffffffffff"])
@pytest.mark.parametrize("at", [0, 1], ids=["first", "last"])
def test_serial_that_is_no_number_is_malformed(serial: str, at: int) -> None:
    rows = [DS3L]
    rows.insert(at, online_row(serial, "03", FOUR_CHANNELS))
    assert said(round_reply(*rows)) == MALFORMED


@pytest.mark.parametrize("type_code", [b"0\n", b"\x00\x00", b'"}', b"\xb2\xb3", b"  ", b"-1"])
def test_type_code_that_is_no_letter_or_digit_is_malformed(type_code: bytes) -> None:
    assert said(round_reply(QS1, DS3L[:7] + type_code + DS3L[9:])) == MALFORMED


@pytest.mark.parametrize(
    "measured_at",
    [
        "00000000000000",
        "d0d0d0d0d0d0d0",
        "20230229120000",
        "20231320120000",
        "20231120246000",
        "20231120240000",
        "20231120120060",
        "2023112012000a",
    ],
)
def test_round_without_a_real_time_is_malformed(measured_at: str) -> None:
    assert said(round_reply(QS1, measured_at=measured_at)) == MALFORMED


@pytest.mark.parametrize("count", [0, 1, 3, 4, 256, 65_535])
def test_row_count_that_does_not_fill_the_reply_is_malformed(count: int) -> None:
    assert said(round_reply(QS1, DS3L, count=count)) == MALFORMED


@pytest.mark.parametrize("surplus", [1, 8, 9, 12])
def test_bytes_behind_the_last_row_are_malformed(surplus: int) -> None:
    assert said(round_reply(QS1, DS3L + b"\x00" * surplus, count=2)) == MALFORMED


@pytest.mark.parametrize("size", [1, 8, 9, 20])
def test_row_that_ends_inside_is_malformed(size: int) -> None:
    assert said(round_reply(QS1, DS3L[:size])) == MALFORMED


@pytest.mark.parametrize("size", [2, 3, 5, 12])
def test_round_that_ends_before_its_rows_is_malformed(size: int) -> None:
    head = b"0001\x00\x00" + bytes.fromhex("20240325120000")
    assert said(framed("0002", head[:size])) == MALFORMED
