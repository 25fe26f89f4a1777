"""Fault scripts: what their lines mean, and what is said of those that mean nothing."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aps_exporter.errors import ConfigError
from aps_exporter.simulator.faults import FAULTS
from aps_exporter.simulator.script import FaultWindow, parse_duration, parse_script, read_script

counts = st.integers(min_value=0, max_value=10**6)


def _complaints(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_script(text, source="night.txt")
    return caught.value.faults


def test_line_is_a_window_of_a_fault() -> None:
    assert parse_script("+3:00:00 refuse for 25m") == (FaultWindow("refuse", 10_800, 12_300),)


@pytest.mark.parametrize(
    ("start", "seconds"),
    [("0:00:00", 0), ("0:00:01", 1), ("00:59:59", 3_599), ("168:00:00", 604_800)],
)
def test_hours_of_the_start_have_any_number_of_digits(start: str, seconds: int) -> None:
    (window,) = parse_script(f"+{start} silent for 1s")
    assert (window.starts_at, window.ends_at) == (seconds, seconds + 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_can_stand_in_a_script_however_it_is_written(fault: str) -> None:
    text = f"+0:00:00 {fault} for 1s\n+0:00:02 {fault.replace('-', ' ').upper()} FOR 1S"
    assert [window.fault for window in parse_script(text)] == [fault, fault]


def test_comments_blank_lines_and_spaces_do_not_count() -> None:
    text = "# night\n\n  +0:00:10\tzero_glitch   for 5s # one reply\r\n   # +0:00:00 x for 1s\n"
    assert parse_script(text) == (FaultWindow("zero-glitch", 10, 15),)


def test_script_without_windows_is_one() -> None:
    assert parse_script("# nothing yet\n") == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("25m", 1_500),
        ("6h", 21_600),
        ("2d", 172_800),
        ("1h30m", 5_400),
        ("1D2H3M4S", 93_784),
        ("0:25:00", 1_500),
        ("72:00:00", 259_200),
    ],
)
def test_duration_means_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@given(counts, counts, counts, counts)
def test_duration_is_the_sum_of_its_units(days: int, hours: int, minutes: int, secs: int) -> None:
    seconds = ((days * 24 + hours) * 60 + minutes) * 60 + secs
    assume(seconds)
    assert parse_duration(f"{days}d{hours}h{minutes}m{secs}s") == seconds


@given(counts, st.integers(0, 59), st.integers(0, 59))
def test_duration_by_the_clock_is_that_of_its_units(hours: int, minutes: int, secs: int) -> None:
    assume(hours or minutes or secs)
    by_units = parse_duration(f"{hours}h{minutes}m{secs}s")
    assert parse_duration(f"{hours}:{minutes:02}:{secs:02}") == by_units


@given(st.text(max_size=12))
def test_any_other_text_is_no_duration(text: str) -> None:
    try:
        assert parse_duration(text) > 0
    except ValueError as error:
        assert "expected a duration" in str(error)  # noqa: PT017 - either is fine


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "0:00:00",
        "-5m",
        "5",
        "5 m",
        "m",
        "30m1h",
        "1h1h",
        "1.5h",
        "1:60:00",
        "25:00",
        "٣m",
    ],
)
def test_bad_duration_says_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 90s") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "0:00:00 silent for 1s",
        "+0:00 silent for 1s",
        "+0:60:00 silent for 1s",
        "+-1:00:00 silent for 1s",
        "+0:00:00 silent 1s",
        "+0:00:00 for 1s",
        "+0:00:00 silent for",
        "+0:00:00 silent for 1h 30m",
        "silent",
        f"+{'9' * 5_000}:00:00 silent for 1s",
    ],
)
def test_bad_line_is_named_with_what_was_expected_and_what_came(line: str) -> None:
    (complaint,) = _complaints(f"\n{line}\n")
    assert complaint == (f"night.txt: line 2: expected +H:MM:SS FAULT for DURATION, got {line!r}")


def test_unknown_fault_in_a_script_is_named_with_its_line() -> None:
    (complaint,) = _complaints("+0:00:00 slient for 1s")
    assert complaint.startswith("night.txt: line 1: no fault is called 'slient' (perhaps silent?)")


def test_all_bad_lines_are_named_at_once() -> None:
    text = "bad\n+0:00:00 silent for 1s\n+0:00:00 sleepy for 1s\n+0:00:00 silent for ever"
    lines = [complaint.split(": ")[1] for complaint in _complaints(text)]
    assert lines == ["line 1", "line 3", "line 4"]


@given(st.text())
def test_any_text_is_a_script_or_a_config_error(text: str) -> None:
    try:
        assert all(window.ends_at > window.starts_at for window in parse_script(text))
    except ConfigError as error:
        assert all(fault.startswith("script: line ") for fault in error.faults)  # noqa: PT017 - either is fine


def test_script_is_read_from_a_file_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "night.txt"
    for mark in (b"", b"\xef\xbb\xbf"):
        file.write_bytes(mark + b"+0:00:00 silent for 1s\n")
        assert read_script(file) == (FaultWindow("silent", 0, 1),)


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_script_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read: "):
        read_script(tmp_path / name)


def test_script_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "night.txt"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"night\.txt: expected a script in UTF-8 text"):
        read_script(file)
