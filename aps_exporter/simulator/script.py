"""Fault scripts: lines `+H:MM:SS FAULT for DURATION`, in simulated time since the start."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aps_exporter.errors import ConfigError
from aps_exporter.simulator.faults import Fault, fault_named

EXPECTED_LINE: Final = "expected +H:MM:SS FAULT for DURATION"
EXPECTED_DURATION: Final = "expected a duration such as 90s, 25m, 1h30m, 2d or 0:25:00"

_COMMENT: Final = "#"

# Twelve digits of hours outlast the sun, and any sum of them still is an exact float.
_CLOCK: Final = r"([0-9]{1,12}):([0-5][0-9]):([0-5][0-9])"
_LINE: Final = re.compile(rf"\+{_CLOCK}\s+(\S.*?)\s+for\s+(\S+)", re.IGNORECASE)
_CLOCK_DURATION: Final = re.compile(_CLOCK)
_UNITS_DURATION: Final = re.compile(
    "".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in "dhms"), re.IGNORECASE
)
_SECONDS_OF_CLOCK: Final = (3_600, 60, 1)
_SECONDS_OF_UNITS: Final = (86_400, 3_600, 60, 1)


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A fault is on from `starts_at` until before `ends_at`, in seconds since the start."""

    fault: Fault
    starts_at: float
    ends_at: float


def read_script(path: Path) -> tuple[FaultWindow, ...]:
    """The windows of a script file.

    Raises:
        ConfigError: the file cannot be read, or some of its lines; all of them are named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: expected a script in UTF-8 text: {error}") from error
    return parse_script(text, source=str(path))


def parse_script(text: str, source: str = "script") -> tuple[FaultWindow, ...]:
    """The windows of a script, in the order of its lines.

    Raises:
        ConfigError: one fault for each line that is none; `source` and the line number name it.
    """
    windows: list[FaultWindow] = []
    complaints: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition(_COMMENT)[0].strip()
        if not content:
            continue
        try:
            windows.append(_window(content))
        except ValueError as error:
            complaints.append(f"{source}: line {number}: {error}")
    if complaints:
        raise ConfigError(*complaints)
    return tuple(windows)


def parse_duration(text: str) -> int:
    """Seconds of a duration such as `90s`, `1h30m` or `0:25:00`.

    Raises:
        ValueError: says what was expected.
    """
    if by_clock := _CLOCK_DURATION.fullmatch(text):
        seconds = _seconds(by_clock.groups(), _SECONDS_OF_CLOCK)
    elif by_units := _UNITS_DURATION.fullmatch(text):
        seconds = _seconds(by_units.groups(), _SECONDS_OF_UNITS)
    else:
        seconds = 0
    if not seconds:
        raise ValueError(f"{EXPECTED_DURATION}, got {text!r}")
    return seconds


def _window(content: str) -> FaultWindow:
    found = _LINE.fullmatch(content)
    if found is None:
        raise ValueError(f"{EXPECTED_LINE}, got {content!r}")
    *clock, fault, duration = found.groups()
    starts_at = _seconds(clock, _SECONDS_OF_CLOCK)
    return FaultWindow(fault_named(fault), starts_at, starts_at + parse_duration(duration))


def _seconds(counts: Iterable[str | None], units: tuple[int, ...]) -> int:
    return sum(int(count or 0) * unit for count, unit in zip(counts, units, strict=True))
