"""Rows written by hand, what they say, and a round of them."""

from aps_exporter.ecu.decode import decode
from aps_exporter.readings import RoundReading
from tests.protocol.frames import bare_row, online_row, round_reply

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


def unknown_row(number: int, *, type_code: str = "07", prefix: str = "72", size: int = 38) -> bytes:
    """A row of a model from the future, of this many bytes in all."""
    rest = (UNKNOWN_REST * 3)[: (size - 9) * 2]
    return online_row(f"{prefix}{number:010}", type_code, rest)


def decoded_round(*rows: bytes) -> RoundReading:
    reading = decode(round_reply(*rows))
    assert isinstance(reading, RoundReading)
    return reading


def serials(reading: RoundReading) -> list[str]:
    return [inverter.inverter for inverter in reading.inverters]
