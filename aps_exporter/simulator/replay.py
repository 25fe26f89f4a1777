"""Real replies served again: a capture file stands in for an ECU."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from aps_exporter.capture_file import Capture, captures_in
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.records import InfoHead, InfoLayout01
from aps_exporter.ecu.replies import HEADER_SIZE, build_reply, split_replies
from aps_exporter.errors import ConfigError, MalformedReplyError, QueryError
from aps_exporter.readings import InverterReading, RoundReading
from aps_exporter.simulator.ecu import GOOD
from aps_exporter.wire import to_bytes

MADE_UP_ECU: Final = "216000000001"

_COMMAND: Final = slice(9, HEADER_SIZE)
_INFO: Final = b"0001"
_INVERTERS: Final = b"0002"
_SIGNAL: Final = b"0030"


def read_captures(path: Path, only: str = "*") -> list[Capture]:
    """The captures of a file whose names match the glob `only`.

    Raises:
        ConfigError: the file cannot be read, is no capture file, or nothing in it matches.
    """
    try:
        captures = captures_in(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    wanted = [capture for capture in captures if fnmatchcase(capture.name, only)]
    if not wanted:
        raise ConfigError(f"{path}: no capture has a name that matches {only!r}")
    return wanted


class ReplayedEcu:
    """Answers each query with its captures in file order; the last one repeats.

    Without an info capture one is made that fits the rows; without a signal capture, an empty one.
    """

    def __init__(self, captures: Iterable[Capture]) -> None:
        self._frames: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for capture in captures:
            self._frames[capture.raw[_COMMAND]].append(capture.raw)
        if _INFO not in self._frames:
            self._frames[_INFO].append(_info_that_fits(self._frames[_INVERTERS]))
        if _SIGNAL not in self._frames:
            self._frames[_SIGNAL].append(build_reply("11", "0030", to_bytes(GOOD)))
        self._served: Counter[bytes] = Counter()

    def reply_to(self, request: bytes) -> bytes | None:
        command = request[_COMMAND]
        frames = self._frames.get(command)
        if not frames:
            return None
        frame = frames[min(self._served[command], len(frames) - 1)]
        self._served[command] += 1
        return frame


def _info_that_fits(frames: Iterable[bytes]) -> bytes:
    rows = next((rows for frame in frames if (rows := _rows_of(frame))), ())
    online = [row for row in rows if row.online]
    head = InfoHead(
        ecu=MADE_UP_ECU,
        layout="01",
        lifetime_energy=10_000,
        power=round(sum(row.power_watts or 0 for row in online)),
        today_energy=0,
    )
    rest = InfoLayout01(
        last_ema_contact="d0" * 7,
        inverters=len(rows),
        inverters_online=len(online),
        zigbee_channel="10",
        firmware="ECU_R_replay",
        timezone="Etc/GMT-8",
        ethernet_mac="80971b000001",
        wifi_mac="000000000000",
    )
    return build_reply("11", "0001", to_bytes(head) + to_bytes(rest))


def _rows_of(frame: bytes) -> tuple[InverterReading, ...]:
    try:
        reply, _ = split_replies(frame)
        reading = decode_reply(reply)
    except (QueryError, MalformedReplyError):
        return ()
    return reading.inverters if isinstance(reading, RoundReading) else ()
