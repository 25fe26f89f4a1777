"""A file of samples with their times, as promtool and the strict OpenMetrics parser take it."""

import io
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from aps_exporter.metrics import Metric
from aps_exporter.sinks.openmetrics import SampleHistory

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NOON_UNIX = 1_780_315_200
MINUTE = timedelta(minutes=1)


def _metric(
    name: str,
    labels: tuple[str, ...] = ("ecu",),
    kind: Literal["gauge", "counter", "info"] = "gauge",
    about: str = "Help.",
) -> Metric[Any]:
    return Metric(name, about, labels, lambda _: [], kind)


POWER = _metric("aps_power_watts")
ENERGY = _metric("aps_energy_joules_total", kind="counter")
INFO = _metric("aps_ecu_info", ("ecu", "firmware"), "info")


def _written(history: SampleHistory) -> str:
    file = io.StringIO()
    history.write(file)
    return file.getvalue()


def _samples(text: str) -> list[tuple[str, dict[str, str], float, float]]:
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # theirs
    return [(s.name, s.labels, s.value, float(s.timestamp)) for f in families for s in f.samples]


def test_file_of_three_kinds_is_this_text() -> None:
    history = SampleHistory({"job": "aps"})
    for minutes in range(2):
        at = NOON + minutes * MINUTE
        history.add(POWER, ("1",), 2658, at)
        history.add(INFO, ("1", "R 1.2"), 1, at)
        history.add(POWER, ("2",), 0.5, at)
        history.add(ENERGY, ("1",), 4.3e9 + minutes, at)
    assert _written(history) == (
        "# HELP aps_power_watts Help.\n"
        "# TYPE aps_power_watts gauge\n"
        'aps_power_watts{ecu="1",job="aps"} 2658.0 1780315200\n'
        'aps_power_watts{ecu="1",job="aps"} 2658.0 1780315260\n'
        'aps_power_watts{ecu="2",job="aps"} 0.5 1780315200\n'
        'aps_power_watts{ecu="2",job="aps"} 0.5 1780315260\n'
        "# HELP aps_ecu Help.\n"
        "# TYPE aps_ecu info\n"
        'aps_ecu_info{ecu="1",firmware="R 1.2",job="aps"} 1.0 1780315200\n'
        'aps_ecu_info{ecu="1",firmware="R 1.2",job="aps"} 1.0 1780315260\n'
        "# HELP aps_energy_joules Help.\n"
        "# TYPE aps_energy_joules counter\n"
        'aps_energy_joules_total{ecu="1",job="aps"} 4300000000.0 1780315200\n'
        'aps_energy_joules_total{ecu="1",job="aps"} 4300000001.0 1780315260\n'
        "# EOF\n"
    )


def test_nothing_added_is_a_valid_file_too() -> None:
    assert _written(SampleHistory()) == "# EOF\n"
    assert _samples("# EOF\n") == []


def test_write_says_how_many_samples_there_are() -> None:
    history = SampleHistory()
    for minutes in range(3):
        history.add(POWER, ("1",), 1, NOON + minutes * MINUTE)
    history.add(POWER, ("2",), 1, NOON)
    assert history.write(io.StringIO()) == 4


def test_milliseconds_are_kept_and_finer_times_rounded() -> None:
    history = SampleHistory()
    history.add(POWER, ("1",), 1, NOON + timedelta(milliseconds=7))
    history.add(POWER, ("1",), 1, NOON + timedelta(microseconds=120_400))
    assert re.findall(r" (\S+)\n", _written(history).partition("gauge\n")[2]) == [
        "1780315200.007",
        "1780315200.120",
        "EOF",
    ]


def test_metric_without_labels_has_no_braces() -> None:
    history = SampleHistory()
    history.add(_metric("aps_up", ()), (), 1, NOON)
    assert "\naps_up 1.0 1780315200\n" in _written(history)


@given(
    value=st.text(st.characters(exclude_categories=["Cs"])),
    extra=st.text(st.characters(exclude_categories=["Cs"])),
    about=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_whatever_a_label_says_is_read_again(value: str, extra: str, about: str) -> None:
    history = SampleHistory({"site": extra})
    history.add(_metric("aps_power_watts", about=about), (value,), 1, NOON)
    labels = {"ecu": value, "site": extra}
    assert _samples(_written(history)) == [("aps_power_watts", labels, 1, NOON_UNIX)]


@given(st.floats())
def test_any_number_is_read_again(value: float) -> None:
    history = SampleHistory()
    history.add(POWER, ("1",), value, NOON)
    ((_, _, read, _),) = _samples(_written(history))
    assert read == value or (math.isnan(read) and math.isnan(value))


@pytest.mark.parametrize("minutes", [0, -1])
def test_time_that_does_not_rise_is_refused(minutes: int) -> None:
    history = SampleHistory()
    history.add(POWER, ("1",), 1, NOON)
    history.add(POWER, ("2",), 1, NOON)
    with pytest.raises(ValueError, match=r'aps_power_watts\{ecu="1"\}: expected times that rise'):
        history.add(POWER, ("1",), 1, NOON + minutes * MINUTE)


@pytest.mark.parametrize("name", ["", "1st", "a-b", "a:b", "a b", "ü", "__name__", "__x", "a\n"])
def test_label_that_prometheus_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match="expected a label name of letters, digits and underscores"
    ):
        SampleHistory({name: "x"})


def test_label_that_a_metric_has_of_its_own_is_refused() -> None:
    history = SampleHistory({"ecu": "x"})
    with pytest.raises(ValueError, match="'ecu' cannot be added: aps_power_watts has one"):
        history.add(POWER, ("1",), 1, NOON)
