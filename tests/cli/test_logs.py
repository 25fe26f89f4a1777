import json
import logging
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aps_exporter.clock import RealClock
from aps_exporter.logs import (
    JsonFormatter,
    LogfmtFormatter,
    LogFormat,
    OncePerMinute,
    set_up_logging,
)

MOMENT = datetime(2026, 3, 29, 1, 2, 3, 456_000, tzinfo=UTC)

of_each_format = pytest.mark.parametrize(
    "formatter", [LogfmtFormatter(), JsonFormatter()], ids=["logfmt", "json"]
)


class HandClock:
    """A clock that only moves when a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return MOMENT + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Gate:
    """OncePerMinute, told of one event after the other."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self._filter = OncePerMinute(self.clock)

    def lets_through(
        self, message: str = "query failed", level: int = logging.WARNING, **fields: str | None
    ) -> bool:
        record = _record(message, level)
        vars(record).update(fields)
        return bool(self._filter.filter(record))

    def repeated(self) -> object:
        """How many were held back, by the next line that is let through."""
        record = _record("query failed", logging.WARNING)
        assert self._filter.filter(record)
        return vars(record).get("repeated")


@pytest.fixture
def gate() -> Gate:
    return Gate()


def _record(
    message: str, level: int = logging.INFO, *, error: Exception | None = None, **fields: object
) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord("aps_exporter.cache", level, __file__, 1, message, None, exc_info)
    record.created = MOMENT.timestamp()
    vars(record).update(fields)
    return record


def _fail() -> None:
    raise ValueError("no\nsuch row")


def _raised() -> ValueError:
    with pytest.raises(ValueError, match="such row") as raised:
        _fail()
    return raised.value


def _logfmt_pairs(line: str) -> list[tuple[str, str]]:
    """What a logfmt reader makes of a line; nothing of it may be left over."""
    pair = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |$)')
    pairs, position = [], 0
    while position < len(line):
        found = pair.match(line, position)
        assert found, line[position:]
        name, text = found.groups()
        pairs.append((name, json.loads(text) if text.startswith('"') else text))
        position = found.end()
    return pairs


def test_logfmt_line_is_time_level_message_and_fields() -> None:
    line = LogfmtFormatter().format(_record("listening", address=":10899", targets=2))
    assert line == (
        "time=2026-03-29T01:02:03.456Z level=info msg=listening address=:10899 targets=2"
    )


def test_json_line_is_time_level_message_and_fields() -> None:
    line = JsonFormatter().format(_record("listening", address=":10899", targets=2))
    assert list(json.loads(line).items()) == [
        ("time", "2026-03-29T01:02:03.456Z"),
        ("level", "info"),
        ("msg", "listening"),
        ("address", ":10899"),
        ("targets", 2),
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("192.168.1.20:8899", "192.168.1.20:8899"),
        (5, "5"),
        (0.25, "0.25"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("C:\\ecu", r'"C:\\ecu"'),
        ("one\ntwo", r'"one\ntwo"'),
        ("one\r\ntwo\tthree", r'"one\r\ntwo\tthree"'),
    ],
)
def test_logfmt_quotes_what_could_break_the_line(value: object, written: str) -> None:
    line = LogfmtFormatter().format(_record("query failed", detail=value))
    assert line.partition(" detail=")[2] == written


def test_logfmt_quotes_a_message_of_several_words() -> None:
    line = LogfmtFormatter().format(_record("query failed"))
    assert 'msg="query failed"' in line


@given(st.text())
def test_logfmt_line_is_one_line_that_reads_back_whatever_the_text(text: str) -> None:
    line = LogfmtFormatter().format(_record("query failed", detail=text, target="roof"))
    assert (_logfmt_pairs(line)[2:], len(line.splitlines())) == (
        [("msg", "query failed"), ("detail", text), ("target", "roof")],
        1,
    )


@given(st.text())
def test_json_line_is_one_line_that_reads_back_whatever_the_text(text: str) -> None:
    line = JsonFormatter().format(_record("query failed", detail=text))
    assert (json.loads(line)["detail"], len(line.splitlines())) == (text, 1)


@of_each_format
@pytest.mark.parametrize("text", ["Süddach", "屋顶", "\x1b[31mred", "\u2028", "🌞"])
def test_lines_are_plain_ascii(formatter: logging.Formatter, text: str) -> None:
    line = formatter.format(_record("query failed", detail=text))
    assert line.isascii()
    assert line.isprintable()


@of_each_format
def test_event_with_a_traceback_is_one_line(formatter: logging.Formatter) -> None:
    line = formatter.format(_record("internal error", logging.ERROR, error=_raised()))
    assert len(line.splitlines()) == 1


def test_logfmt_traceback_reads_back() -> None:
    line = LogfmtFormatter().format(_record("internal error", logging.ERROR, error=_raised()))
    name, text = _logfmt_pairs(line)[-1]
    assert name == "traceback"
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: no\nsuch row")


def test_json_traceback_reads_back() -> None:
    line = JsonFormatter().format(_record("internal error", logging.ERROR, error=_raised()))
    assert json.loads(line)["traceback"].endswith("ValueError: no\nsuch row")


@of_each_format
def test_arguments_of_a_message_are_filled_in(formatter: logging.Formatter) -> None:
    record = _record("%d of %s")
    record.args = (3, "four")
    assert '"3 of four"' in formatter.format(record)


def test_json_says_what_is_no_json_as_text() -> None:
    line = JsonFormatter().format(_record("listening", at=MOMENT))
    assert json.loads(line)["at"] == str(MOMENT)


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "info"),
        (logging.WARNING, "warn"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "error"),
    ],
)
def test_levels_have_the_names_that_configuration_has(level: int, name: str) -> None:
    assert json.loads(JsonFormatter().format(_record("x", level)))["level"] == name


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warn", "error"]),
        ("info", ["info", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
    ],
)
def test_level_lets_through_itself_and_what_is_worse(
    level: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(level, "json", RealClock())
    for number, name in ((10, "debug"), (20, "info"), (30, "warn"), (40, "error")):
        logging.getLogger("aps_exporter.test").log(number, name)
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["msg"] for line in lines] == said


@pytest.mark.parametrize(("log_format", "start"), [("logfmt", "time="), ("json", '{"time": ')])
def test_lines_go_to_standard_error_in_the_chosen_format(
    log_format: LogFormat, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("info", log_format, RealClock())
    logging.getLogger("aps_exporter.test").info("listening")
    printed = capsys.readouterr()
    assert (printed.out, printed.err[: len(start)]) == ("", start)


def test_line_of_a_library_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "logfmt", RealClock())
    logging.getLogger("aiohttp.server").error("Error handling request")
    (line,) = capsys.readouterr().err.splitlines()
    assert _logfmt_pairs(line)[1:] == [("level", "error"), ("msg", "Error handling request")]


def test_setting_up_twice_says_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "logfmt", RealClock())
    set_up_logging("info", "logfmt", RealClock())
    logging.getLogger("aps_exporter.test").info("listening")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_asyncio_tells_nothing_of_itself_at_debug_level(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug", "logfmt", RealClock())
    logging.getLogger("asyncio").debug("Using selector: EpollSelector")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_same_cause_is_held_back_for_a_minute(gate: Gate, level: int) -> None:
    said = []
    for seconds in (0, 0.5, 30, 29, 0.5, 1):
        gate.clock.seconds += seconds
        said.append(gate.lets_through(level=level))
    assert said == [True, False, False, False, True, False]


@pytest.mark.parametrize("field", ["target", "query", "reason"])
def test_other_target_query_or_reason_is_another_cause(gate: Gate, field: str) -> None:
    cause = {"target": "roof", "query": "info", "reason": "refused"}
    gate.lets_through("query failed", logging.WARNING, **cause)
    assert gate.lets_through("query failed", logging.WARNING, **{**cause, field: "other"})


def test_other_message_is_another_cause(gate: Gate) -> None:
    gate.lets_through("query failed", target="roof")
    assert gate.lets_through("internal error", target="roof")


def test_other_detail_is_the_same_cause(gate: Gate) -> None:
    gate.lets_through(target="roof", detail="ended after 47 bytes")
    assert not gate.lets_through(target="roof", detail="ended after 48 bytes")


def test_each_cause_has_its_own_minute(gate: Gate) -> None:
    gate.lets_through(target="roof")
    gate.clock.seconds += 40
    gate.lets_through(target="barn")
    gate.clock.seconds += 20
    assert (gate.lets_through(target="roof"), gate.lets_through(target="barn")) == (True, False)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_info_and_debug_are_never_held_back(gate: Gate, level: int) -> None:
    assert [gate.lets_through(level=level) for _ in range(5)] == [True] * 5


def test_info_does_not_silence_a_warning(gate: Gate) -> None:
    gate.lets_through(level=logging.INFO)
    assert gate.lets_through(level=logging.WARNING)


def test_next_line_after_a_minute_counts_what_was_held_back(gate: Gate) -> None:
    for _ in range(4):
        gate.lets_through()
    gate.clock.seconds += 60
    assert gate.repeated() == 3


def test_count_starts_anew_after_it_was_said(gate: Gate) -> None:
    for _ in range(4):
        gate.lets_through()
    gate.clock.seconds += 60
    gate.lets_through()
    gate.lets_through()
    gate.clock.seconds += 60
    assert gate.repeated() == 1


def test_line_that_repeats_nothing_has_no_count(gate: Gate) -> None:
    gate.lets_through()
    gate.clock.seconds += 60
    assert gate.repeated() is None


def test_count_is_of_one_cause_only(gate: Gate) -> None:
    for target in ("roof", "roof", "roof", None):
        gate.lets_through(target=target)
    gate.clock.seconds += 60
    assert gate.repeated() is None


def test_count_stands_in_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = HandClock()
    set_up_logging("info", "logfmt", clock)
    logger = logging.getLogger("aps_exporter.test")
    for seconds in (0, 10, 60):
        clock.seconds += seconds
        logger.warning("query failed", extra={"target": "roof"})
    first, second = capsys.readouterr().err.splitlines()
    assert "repeated" not in first
    assert _logfmt_pairs(second)[3:] == [("target", "roof"), ("repeated", "1")]
