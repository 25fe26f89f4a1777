"""Frames written from the notes on the protocol, without the product's tables."""

from typing import Final

NOON: Final = "20240325120000"


def framed(command: str, body: bytes, *, group: str = "11") -> bytes:
    """A reply with its trailer; the length counts every byte but the final line feed."""
    return f"APS{group}{13 + len(body) + 3:04}{command}".encode() + body + b"END\n"


def round_reply(*rows: bytes, count: int | None = None, measured_at: str = NOON) -> bytes:
    """An inverters reply (0002) with these rows, `count` of them by its own account."""
    said = len(rows) if count is None else count
    return framed(
        "0002", b"0001" + said.to_bytes(2, "big") + bytes.fromhex(measured_at) + b"".join(rows)
    )


def online_row(serial: str, type_code: str, measurements: str) -> bytes:
    """A row of an online inverter; the measurements are hex from the frequency on."""
    return bytes.fromhex(serial) + b"\x01" + type_code.encode() + bytes.fromhex(measurements)


def bare_row(serial: str) -> bytes:
    """A row of type 00: serial, not online, type code, and nothing more."""
    return bytes.fromhex(serial) + b"\x0000"
