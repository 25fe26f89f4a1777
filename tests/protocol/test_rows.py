"""Rows of an inverters reply that no capture holds."""

from typing import Any

import pytest

from aps_exporter.readings import PhaseReading
from tests.protocol.frames import bare_row, framed, online_row, round_reply
from tests.protocol.rows import (
    DS3H,
    DS3H_SAID,
    DS3L,
    DS3L_SAID,
    ECU_ITSELF,
    FOUR_CHANNELS,
    NEVER_HEARD,
    NEVER_HEARD_SAID,
    QS1,
    QS1_SAID,
    QT2,
    QT2_SAID,
    THREE_PHASES,
    TWO_CHANNELS,
    UNKNOWN_REST,
    YC1000,
    decoded_round,
    serials,
)
from tests.protocol.shapes import said

MALFORMED = {"kind": "error", "error": "malformed"}


def _inverters(*rows: bytes) -> list[dict[str, Any]]:
    return list(said(round_reply(*rows))["inverters"])


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


@pytest.mark.parametrize(
    ("behind", "kept", "unknown_rows"),
    [
        (online_row("804142000003", "03", FOUR_CHANNELS), ["804142000003"], {}),
        (online_row("724142000003", "07", UNKNOWN_REST), [], {"07": 1}),
    ],
    ids=["known", "unknown"],
)
def test_serial_prefix_decides_when_either_size_of_type_05_fits(
    behind: bytes, kept: list[str], unknown_rows: dict[str, int]
) -> None:
    # After 21 bytes a row of serial 001501900015 and type AB could start, up to the end.
    qt2 = online_row("901000000002", "05", THREE_PHASES[:24] + "0015" + "0190" + "0015")
    reading = decoded_round(qt2, behind)
    assert (serials(reading), reading.unknown_rows) == (["901000000002", *kept], unknown_rows)


@pytest.mark.parametrize("serial", ["705000000001", "951000000001"])
def test_long_row_of_type_05_keeps_its_three_voltages_whatever_the_serial(serial: str) -> None:
    (row,) = _inverters(online_row(serial, "05", THREE_PHASES))
    assert (row["voltage_volts"], row["power_watts"]) == ([390, 391, 383], [26, 27, 28, 29])


@pytest.mark.parametrize("serial", ["901000000001", "951000000001"])
def test_short_row_of_type_05_is_single_phase_whatever_the_serial(serial: str) -> None:
    (inverter,) = decoded_round(online_row(serial, "05", TWO_CHANNELS)).inverters
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
    (inverter,) = decoded_round(row).inverters
    assert tuple(phase.phase for phase in inverter.phases) == phases


def test_channels_count_from_one() -> None:
    (inverter,) = decoded_round(QT2).inverters
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
    assert decoded_round(ECU_ITSELF).unknown_rows == {}


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


@pytest.mark.parametrize(
    "measured_at",
    [
        "00010101000000",
        "19700101000000",
        "19991231235959",
        "21000101000000",
        "99991231235959",
    ],
)
def test_round_of_a_year_without_ecus_is_malformed(measured_at: str) -> None:
    assert said(round_reply(QS1, measured_at=measured_at)) == MALFORMED


@pytest.mark.parametrize(
    ("measured_at", "expected"),
    [("20000101000000", "2000-01-01T00:00:00"), ("20991231235959", "2099-12-31T23:59:59")],
)
def test_round_of_the_first_or_last_year_of_ecus_is_kept(measured_at: str, expected: str) -> None:
    assert said(round_reply(QS1, measured_at=measured_at))["measured_at"] == expected


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
