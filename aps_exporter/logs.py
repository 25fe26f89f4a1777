"""Logs: one line an event, logfmt or JSON, and never the same cause twice a minute."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Literal

from aps_exporter.clock import Clock

LogFormat = Literal["logfmt", "json"]
LOG_LEVELS: Final = ("debug", "info", "warn", "error")
LOG_FORMATS: Final = ("logfmt", "json")

QUIET_SECONDS: Final = 60.0

_MOST_CAUSES_REMEMBERED: Final = 1_000
_PLAIN_ATTRIBUTES: Final = frozenset(
    (*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName")
)
_LEVEL_NAMES: Final = {"WARNING": "warn", "CRITICAL": "error"}
_CAUSE_FIELDS: Final = ("target", "query", "reason", "reload")


def set_up_logging(level: str, log_format: LogFormat, clock: Clock) -> None:
    """Send every log line of the process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else LogfmtFormatter())
    handler.addFilter(OncePerMinute(clock))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    # At debug level asyncio tells of its selector and every slow callback: not our events.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """What a line says, in its order: time, level, message, and the event's own fields."""
    moment = datetime.fromtimestamp(record.created, UTC)
    yield "time", moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    yield "level", _LEVEL_NAMES.get(record.levelname, record.levelname.lower())
    yield "msg", record.getMessage()
    for name, value in record.__dict__.items():
        if name not in _PLAIN_ATTRIBUTES:
            yield name, value


class LogfmtFormatter(logging.Formatter):
    """key=value pairs on one line; whatever could break the line is quoted and escaped."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = dict(_fields(record))
        if record.exc_info:
            pairs["traceback"] = self.formatException(record.exc_info)
        return " ".join(f"{name}={_logfmt_value(value)}" for name, value in pairs.items())


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = dict(_fields(record))
        if record.exc_info:
            pairs["traceback"] = self.formatException(record.exc_info)
        return json.dumps(pairs, default=str)


def _logfmt_value(value: object) -> str:
    text = str(value)
    plain = text.isascii() and text.isprintable() and not set(text) & set(' "=\\')
    return text if plain and text else json.dumps(text)


class OncePerMinute(logging.Filter):
    """Lets a warning of one cause through once a minute; a cause is message and what it is about.

    What was held back is counted in the next line that gets through, as `repeated`.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._last: dict[tuple[object, ...], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        cause = (record.msg, *(getattr(record, name, None) for name in _CAUSE_FIELDS))
        now = self._clock.monotonic()
        said_at, held_back = self._last.get(cause, (float("-inf"), 0))
        if now - said_at < QUIET_SECONDS:
            self._last[cause] = said_at, held_back + 1
            return False
        if held_back:
            record.repeated = held_back
        if len(self._last) >= _MOST_CAUSES_REMEMBERED:
            self._last.clear()
        self._last[cause] = now, 0
        return True
