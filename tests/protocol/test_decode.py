"""What an ECU may say, of itself or of the signal, that no capture holds."""

from datetime import datetime

import pytest

from aps_exporter.ecu.decode import decode
from aps_exporter.errors import MalformedReplyError
from aps_exporter.readings import EcuReading, SignalReading
from tests.protocol.frames import framed
from tests.protocol.shapes import said

MALFORMED = {"kind": "error", "error": "malformed"}

INFO_HEAD = bytes.fromhex(
    "323136303030303030303031"  # ECU 216000000001
    "3031"  # layout 01
    "0000aa3d"  # lifetime 4358.1 kWh
    "0000028e"  # 654 W
    "00000011"  # today 0.17 kWh
)
INFO_COUNTS = bytes.fromhex(
    "20231120151934"  # last EMA contact
    "0006"  # registered
    "0005"  # online
    "3130"  # Zigbee channel
)
MACS = bytes.fromhex("80971b5d2c04" + "60c5a8caf83b")
FILLER_OF_GROUP_12 = bytes.fromhex("303000000000000000000000")

GOOD_INFO = {
    "kind": "info",
    "ecu": "216000000001",
    "lifetime_energy_kwh": 4358.1,
    "power_watts": 654,
    "today_energy_kwh": 0.17,
    "inverters": 6,
    "inverters_online": 5,
    "firmware": "ECU_R_1.3.6C",
    "timezone": "Etc/GMT-8",
    "ethernet_mac": "80:97:1b:5d:2c:04",
    "wifi_mac": "60:c5:a8:ca:f8:3b",
    "last_ema_contact": "2023-11-20T15:19:34",
}

LAYOUT_02 = bytes.fromhex(
    "323136303030303030303031"  # ECU 216000000001
    "3032"  # layout 02
    "00000539"  # lifetime 133.7 kWh
    "000000c8"  # 200 W
    "0000002a"  # today 0.42 kWh
    "0004"  # registered
    "0003"  # online
    "d0d0d0d0d0d0"  # nobody knows
    "303132"  # 12 characters follow
    "4543555f525f312e322e3232"  # ECU_R_1.2.22
)


def _info(
    texts: bytes, *, head: bytes = INFO_HEAD, counts: bytes = INFO_COUNTS, behind: bytes = MACS
) -> bytes:
    """An info reply with these bytes where firmware and time zone stand."""
    return framed("0001", head + counts + texts + behind)


def _texts(firmware: bytes, timezone: bytes = b"Etc/GMT-8") -> bytes:
    return b"%03d%b%03d%b" % (len(firmware), firmware, len(timezone), timezone)


def _ecu(raw: bytes) -> EcuReading:
    reading = decode(raw)
    assert isinstance(reading, EcuReading)
    return reading


@pytest.mark.parametrize("group", ["11", "12"])
@pytest.mark.parametrize("filler", [b"", FILLER_OF_GROUP_12], ids=["bare", "filled"])
def test_info_says_the_same_in_either_group(group: str, filler: bytes) -> None:
    body = INFO_HEAD + INFO_COUNTS + _texts(b"ECU_R_1.3.6C") + MACS + filler
    assert said(framed("0001", body, group=group)) == GOOD_INFO


def test_info_of_a_rapid_shutdown_ecu_has_counts_and_firmware_only() -> None:
    assert said(framed("0001", LAYOUT_02)) == {
        "kind": "info",
        "ecu": "216000000001",
        "lifetime_energy_kwh": 133.7,
        "power_watts": 200,
        "today_energy_kwh": 0.42,
        "inverters": 4,
        "inverters_online": 3,
        "firmware": "ECU_R_1.2.22",
        "timezone": None,
        "ethernet_mac": None,
        "wifi_mac": None,
        "last_ema_contact": None,
    }


def test_info_of_a_rapid_shutdown_ecu_may_go_on() -> None:
    assert _ecu(framed("0001", LAYOUT_02 + b"\x00\n\xff")).firmware == "ECU_R_1.2.22"


def test_energies_are_exact_in_joules() -> None:
    reading = _ecu(_info(_texts(b"ECU")))
    assert (reading.lifetime_energy_joules, reading.today_energy_joules) == (
        15_689_160_000,
        612_000,
    )


def test_largest_numbers_are_kept_as_they_are() -> None:
    head = b"21600000000101" + b"\xff" * 12
    reading = _ecu(_info(_texts(b"ECU"), head=head))
    assert (
        reading.lifetime_energy_joules,
        reading.power_watts,
        reading.today_energy_joules,
    ) == (4_294_967_295 * 360_000, 4_294_967_295, 4_294_967_295 * 36_000)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("20240229235959", datetime(2024, 2, 29, 23, 59, 59)),  # noqa: DTZ001 -- ECU local time
        ("d0d0d0d0d0d0d0", None),
        ("00000000000000", None),
        ("20230229120000", None),
        ("20231120240000", None),
        ("20231120156034", None),
        ("2023112015193a", None),
        ("ffffffffffffff", None),
        ("00010101000000", None),
        ("19991231235959", None),
        ("20000101000000", datetime(2000, 1, 1)),  # noqa: DTZ001 -- ECU local time
        ("20991231235959", datetime(2099, 12, 31, 23, 59, 59)),  # noqa: DTZ001 -- ECU local time
        ("21000101000000", None),
        ("99991231235959", None),
    ],
)
def test_last_ema_contact_is_a_moment_or_nothing(moment: str, expected: datetime | None) -> None:
    counts = bytes.fromhex(moment) + INFO_COUNTS[7:]
    assert _ecu(_info(_texts(b"ECU"), counts=counts)).last_ema_contact == expected


@pytest.mark.parametrize(
    ("ethernet", "wifi", "expected"),
    [
        ("80971b5d2c04", "000000000000", ("80:97:1b:5d:2c:04", None)),
        ("000000000000", "60c5a8caf83b", (None, "60:c5:a8:ca:f8:3b")),
        ("0a0000000000", "00000000000a", ("0a:00:00:00:00:00", "00:00:00:00:00:0a")),
    ],
)
def test_mac_of_zeros_is_nothing(
    ethernet: str, wifi: str, expected: tuple[str | None, str | None]
) -> None:
    reading = _ecu(_info(_texts(b"ECU"), behind=bytes.fromhex(ethernet + wifi)))
    assert (reading.ethernet_mac, reading.wifi_mac) == expected


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"ECU-C-Z_C1.2.24D", "ECU-C-Z_C1.2.24D"),
        (b"Etc/GMT+8", "Etc/GMT+8"),
        (b"<script>alert('1')</script>", "scriptalert1/script"),
        (b'ECU"} 1\naps_up{x="', "ECU1aps_upx"),
        (b"a\\nb\r\n\tc\x00d\x1b[31m", "anbcd31m"),
        (b"Z\xfcrich\x80\xff", "Zrich"),
        (b"%s{}$(id)`id`;'--", "sidid--"),
        (b" ", None),
        (b"\x00\xff\n\"'<>\\", None),
        (b"", None),
        (b"x" * 64, "x" * 64),
        (b"x" * 65, "x" * 64),
        (b"0123456789" * 20, "0123456789" * 6 + "0123"),
        (b"\n" * 100 + b"ECU", "ECU"),
        (b"E" * 999, "E" * 64),
    ],
)
def test_text_keeps_only_harmless_characters_and_not_many(sent: bytes, kept: str | None) -> None:
    reading = _ecu(_info(_texts(firmware=sent, timezone=sent)))
    assert (reading.firmware, reading.timezone) == (kept, kept)


def test_hostile_firmware_of_a_rapid_shutdown_ecu_is_filtered_too() -> None:
    hostile = LAYOUT_02[:36] + b'008<ECU "\n>'
    assert _ecu(framed("0001", hostile)).firmware == "ECU"


@pytest.mark.parametrize(
    "texts",
    [
        b"999ECU_R_1.3.6C009Etc/GMT-8",
        b"036ECU_R_1.3.6C009Etc/GMT-8",
        b"012ECU_R_1.3.6C999Etc/GMT-8",
        b"012ECU_R_1.3.6C010Etc/GMT-8",
        b"012ECU_R_1.3.6C",
        b"000",
        b"",
        b" 12ECU_R_1.3.6C009Etc/GMT-8",
        b"-12ECU_R_1.3.6C009Etc/GMT-8",
        b"1_2ECU_R_1.3.6C009Etc/GMT-8",
        b"0x9ECU_R_1.3.6C009Etc/GMT-8",
        b"\xb2\xb2\xb2ECU_R_1.3.6C009Etc/GMT-8",
        b"\x00\x00\x0cECU_R_1.3.6C009Etc/GMT-8",
        b"012ECU_R_1.3.6C+09Etc/GMT-8",
        b"011ECU_R_1.3.6C009Etc/GMT-8",
        b"013ECU_R_1.3.6C009Etc/GMT-8",
    ],
)
def test_text_length_that_points_elsewhere_is_malformed(texts: bytes) -> None:
    assert said(_info(texts)) == MALFORMED


def test_text_length_of_a_rapid_shutdown_ecu_is_bound_by_the_frame() -> None:
    assert said(framed("0001", LAYOUT_02[:-1])) == MALFORMED


@pytest.mark.parametrize(
    "ecu",
    [b"21600000000a", b"21600000000 ", b"21600000000\n", b"\x00" * 12, b"2160000000\xb2\xb3"],
)
def test_ecu_id_that_is_not_twelve_digits_is_malformed(ecu: bytes) -> None:
    assert said(_info(_texts(b"ECU"), head=ecu + INFO_HEAD[12:])) == MALFORMED


@pytest.mark.parametrize("layout", [b"00", b"03", b"1\n", b"\xff\xff"])
def test_info_of_another_layout_is_malformed(layout: bytes) -> None:
    assert said(_info(_texts(b"ECU"), head=b"216000000001" + layout + b"\x00" * 12)) == MALFORMED


@pytest.mark.parametrize("size", [0, 11, 13, 25, 32, 38])
def test_info_that_ends_inside_its_fields_is_malformed(size: int) -> None:
    assert said(framed("0001", (INFO_HEAD + INFO_COUNTS)[:size])) == MALFORMED


@pytest.mark.parametrize("command", ["0000", "0005", "0006", "0011", "9999"])
def test_reply_to_another_command_is_malformed(command: str) -> None:
    assert said(framed(command, b"00")) == MALFORMED


def test_reply_to_another_command_is_malformed_even_as_a_status() -> None:
    assert said(b"APS110015000901\n") == MALFORMED


def test_unknown_command_is_named() -> None:
    with pytest.raises(MalformedReplyError, match="0009"):
        decode(framed("0009", b"00"))


@pytest.mark.parametrize(
    "raw",
    [
        framed("0002", b"01" + b"01" + b"\x00\x00" + bytes.fromhex("20240325120000")),
        framed("0030", b"02" + bytes.fromhex("802000104413d1")),
        framed("0003", b"01" + bytes.fromhex("06550003")),
        framed("0004", b"02" + b"01" + bytes.fromhex("20230902023d")),
    ],
    ids=["0002", "0030", "0003", "0004"],
)
def test_status_before_a_long_body_is_a_status(raw: bytes) -> None:
    assert said(raw) == {
        "kind": "status",
        "command": raw[9:13].decode(),
        "status": raw[13:15].decode(),
    }


@pytest.mark.parametrize("command", ["0002", "0030", "0004"])
def test_reply_without_a_status_is_malformed(command: str) -> None:
    assert said(framed(command, b"")) == MALFORMED


def test_signal_is_a_share_of_255() -> None:
    reading = decode(
        framed(
            "0030",
            b"00"
            + bytes.fromhex("802000104413" + "ff")
            + bytes.fromhex("802000104414" + "33")  # 51, a fifth of 255
            + bytes.fromhex("802000104415" + "00"),
        )
    )
    assert reading == SignalReading({"802000104413": 1.0, "802000104414": 0.2, "802000104415": 0.0})


def test_signal_of_no_inverter_is_an_empty_list() -> None:
    assert decode(framed("0030", b"00")) == SignalReading({})


@pytest.mark.parametrize("surplus", [1, 6])
def test_signal_with_half_a_row_is_malformed(surplus: int) -> None:
    row = bytes.fromhex("802000104413d1")
    assert said(framed("0030", b"00" + row + row[:surplus])) == MALFORMED


def test_signal_of_a_serial_that_is_no_number_is_malformed() -> None:
    assert said(framed("0030", b"00" + bytes.fromhex("80200010441a" + "d1"))) == MALFORMED
