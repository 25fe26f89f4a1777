"""What a reply means: records in, readings out.

Nothing here judges whether a value can be true; that is for `plausibility`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time
from typing import Final, TypeVar

from aps_exporter.ecu.queries import PERIOD_CODES, is_ecu_id
from aps_exporter.ecu.records import (
    NO_LAYOUT,
    EnergyHead,
    EnergyRow6,
    EnergyRow8,
    InfoHead,
    InfoLayout01,
    InfoLayout02,
    MeasuredRow,
    PowerOfDayRow,
    RoundHead,
    RowHead,
    SignalRow,
    StatusHead,
)
from aps_exporter.ecu.replies import Reply, split_replies
from aps_exporter.ecu.rows import UnknownRow, checked_serial, read_rows
from aps_exporter.errors import EcuStatusError, MalformedReplyError, QueryError
from aps_exporter.inverter_types import inverter_type
from aps_exporter.readings import (
    ChannelReading,
    EcuReading,
    EnergyOfPeriod,
    InverterReading,
    PhaseReading,
    PowerOfDay,
    Reading,
    RoundReading,
    SignalReading,
)
from aps_exporter.wire import Cursor, read_record, size_of

STATUS_MEANINGS: Final = {
    "01": "the ECU id in the query is not this ECU's",
    "02": "the ECU has collected nothing since it booted",
}

JOULES_PER_TENTH_KWH: Final = 360_000
JOULES_PER_HUNDREDTH_KWH: Final = 36_000
STRONGEST_SIGNAL: Final = 255
TEMPERATURE_OFFSET: Final = 100

_GOOD: Final = "00"
_ONLINE_BIT: Final = 0x01
_ECU_SERIAL_PREFIX: Final = "21"
_UNWANTED_IN_TEXT: Final = re.compile(r"[^A-Za-z0-9_./+-]")
_YEARS: Final = range(2000, 2100)
"""Before and after, there is no ECU; and the ends of the calendar break arithmetic with zones."""
_LONGEST_TEXT: Final = 64
"""Characters; real firmware names and zones have at most 17, and a label should stay readable."""

_Row = TypeVar("_Row")
_EnergyRow = TypeVar("_EnergyRow", EnergyRow6, EnergyRow8)


def decode(raw: bytes) -> Reading:
    """The reading in the first reply of these bytes.

    Raises:
        EcuStatusError: the reply is a status.
        MalformedReplyError: it is cut short, is no reply, or its body makes no sense.
    """
    reply, _ = split_replies(raw)
    return decode_reply(reply)


def decode_reply(reply: Reply) -> Reading:
    """The reading in a framed reply, chosen by its command digits.

    Raises:
        EcuStatusError: the reply is a status.
        MalformedReplyError: its body makes no sense.
    """
    try:
        return _decode(reply)
    except QueryError as error:
        error.received = reply.raw
        raise


def _decode(reply: Reply) -> Reading:
    decoder = _DECODERS.get(reply.command)
    if decoder is None:
        expected = ", ".join(_DECODERS)
        raise MalformedReplyError(
            "malformed", f"expected a reply to one of {expected}, got one to {reply.command}"
        )
    if reply.status is not None:
        _demand_good(reply.command, reply.status)
    return decoder(reply)


def _demand_good(command: str, status: str) -> None:
    if not status.isdecimal():
        raise MalformedReplyError("malformed", f"expected a status of two digits, got {status!r}")
    if status != _GOOD:
        meaning = STATUS_MEANINGS.get(status, "no reader knows this status")
        raise EcuStatusError(command, status, meaning)


def _good_body(reply: Reply) -> Cursor:
    """What follows the status of a reply, which must be good."""
    cursor = Cursor(reply.body)
    _demand_good(reply.command, read_record(StatusHead, cursor).status)
    return cursor


def _info(reply: Reply) -> EcuReading:
    cursor = Cursor(reply.body)
    head = read_record(InfoHead, cursor)
    if not is_ecu_id(head.ecu):
        raise MalformedReplyError("malformed", f"expected an ECU id of 12 digits, got {head.ecu!r}")
    reading = EcuReading(
        ecu=head.ecu,
        lifetime_energy_joules=head.lifetime_energy * JOULES_PER_TENTH_KWH,
        power_watts=head.power,
        today_energy_joules=head.today_energy * JOULES_PER_HUNDREDTH_KWH,
        inverters=None,
        inverters_online=None,
    )
    if head.layout == "01":
        full = read_record(InfoLayout01, cursor)
        return replace(
            reading,
            inverters=full.inverters,
            inverters_online=full.inverters_online,
            firmware=_text(full.firmware),
            timezone=_text(full.timezone),
            ethernet_mac=_mac(full.ethernet_mac),
            wifi_mac=_mac(full.wifi_mac),
            last_ema_contact=_moment_or_none(full.last_ema_contact),
        )
    if head.layout == "02":
        short = read_record(InfoLayout02, cursor)
        return replace(
            reading,
            inverters=short.inverters,
            inverters_online=short.inverters_online,
            firmware=_text(short.firmware),
        )
    raise MalformedReplyError("malformed", f"expected layout 01 or 02, got {head.layout!r}")


def _inverters(reply: Reply) -> RoundReading:
    cursor = _good_body(reply)
    head = read_record(RoundHead, cursor)
    measured_at = _moment_or_none(head.measured_at)
    if measured_at is None:
        raise MalformedReplyError(
            "malformed", f"expected the time of a round, YYYYMMDDhhmmss, got {head.measured_at}"
        )
    inverters: dict[str, InverterReading] = {}
    unknown_rows: Counter[str] = Counter()
    for row in read_rows(cursor.take(cursor.remaining), head.row_count):
        if isinstance(row, UnknownRow):
            unknown_rows[row.type_code] += row.count
            continue
        inverter = _inverter(row.head, row.measured)
        known = inverters.get(inverter.inverter)
        if known is None or (known.type_code == NO_LAYOUT and row.measured is not None):
            inverters[inverter.inverter] = inverter
    return RoundReading(
        measured_at=measured_at,
        inverters=tuple(
            inverter
            for inverter in inverters.values()
            if not (
                inverter.type_code == NO_LAYOUT and inverter.inverter.startswith(_ECU_SERIAL_PREFIX)
            )
        ),
        unknown_rows=dict(unknown_rows),
    )


def _inverter(head: RowHead, measured: MeasuredRow | None) -> InverterReading:
    known = inverter_type(head.type_code, head.serial)
    if measured is None or known is None:
        return InverterReading(head.serial, head.type_code, model=None, online=False)
    # What an offline row says is left over from better days: watts, volts, -100 degC, 0 Hz.
    online = bool(head.online & _ONLINE_BIT)
    return InverterReading(
        inverter=head.serial,
        type_code=head.type_code,
        model=known.model,
        online=online,
        frequency_hertz=measured.frequency / 10 if online else None,
        temperature_celsius=measured.temperature - TEMPERATURE_OFFSET if online else None,
        phases=tuple(
            PhaseReading(phase, voltage if online else None)
            for phase, voltage in zip(
                known.phases_of(measured.voltages), measured.voltages, strict=True
            )
        ),
        channels=tuple(
            ChannelReading(channel, power if online else None)
            for channel, power in enumerate(measured.powers, start=1)
        ),
    )


def _signal(reply: Reply) -> SignalReading:
    cursor = _good_body(reply)
    return SignalReading(
        {
            checked_serial(row.serial): row.strength / STRONGEST_SIGNAL
            for row in _rows_to_the_end(SignalRow, cursor)
        }
    )


def _power_of_day(reply: Reply) -> PowerOfDay:
    if not reply.body:  # a day without data is just END
        return PowerOfDay({})
    cursor = _good_body(reply)
    return PowerOfDay(
        {_minute(row.minute): row.power for row in _rows_to_the_end(PowerOfDayRow, cursor)}
    )


def _energy_of_period(reply: Reply) -> EnergyOfPeriod:
    cursor = _good_body(reply)
    head = read_record(EnergyHead, cursor)
    periods = {code: period for period, code in PERIOD_CODES.items()}
    if head.period not in periods:
        raise MalformedReplyError("malformed", f"expected period 00, 01 or 02, got {head.period!r}")
    records = cursor.take(cursor.remaining)
    six, eight = _energies(EnergyRow6, records), _energies(EnergyRow8, records)
    for energies in (eight, six) if reply.group == "12" else (six, eight):
        if energies is not None:
            return EnergyOfPeriod(periods[head.period], energies)
    raise MalformedReplyError(
        "malformed",
        f"the {len(records)} bytes of the energy list are no rising dates "
        "with either two or four bytes of energy",
    )


def _energies(row_type: type[_EnergyRow], records: bytes) -> dict[date, int] | None:
    """The energies in joules if records of this type make sense of the bytes, else None."""
    if len(records) % size_of(row_type):
        return None
    energies: dict[date, int] = {}
    for row in _rows_to_the_end(row_type, Cursor(records)):
        day = _date_or_none(row.day)
        if day is None or (energies and day <= next(reversed(energies))):
            return None
        energies[day] = row.energy * JOULES_PER_HUNDREDTH_KWH
    return energies


def _rows_to_the_end(row_type: type[_Row], cursor: Cursor) -> Iterator[_Row]:
    """Rows of one size. They are counted from the reply's length, never from another reply."""
    while cursor.remaining:
        yield read_record(row_type, cursor)


def _moment_or_none(digits: str) -> datetime | None:
    """Fourteen digits as a local time; None when they are no date (never written, or rubbish)."""
    try:
        moment = datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")
    except ValueError:
        return None
    return moment if moment.year in _YEARS else None


def _date_or_none(digits: str) -> date | None:
    try:
        return date.fromisoformat(digits)
    except ValueError:
        return None


def _minute(digits: str) -> time:
    try:
        return time.fromisoformat(digits)
    except ValueError:
        raise MalformedReplyError(
            "malformed", f"expected a time of day, hhmm, got {digits}"
        ) from None


def _text(untrusted: str) -> str | None:
    """What may become a label: harmless characters, and not many; None when nothing is left."""
    return _UNWANTED_IN_TEXT.sub("", untrusted)[:_LONGEST_TEXT] or None


def _mac(digits: str) -> str | None:
    """A MAC address with colons, or None when it is all zero."""
    return bytes.fromhex(digits).hex(":") if digits.strip("0") else None


_DECODERS: Final[dict[str, Callable[[Reply], Reading]]] = {
    "0001": _info,
    "0002": _inverters,
    "0030": _signal,
    "0003": _power_of_day,
    "0004": _energy_of_period,
}
