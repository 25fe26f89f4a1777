"""Names in PromQL, told by hand for each way in which they can stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana.promql import Window, names_in


@pytest.mark.parametrize(
    ("expr", "metrics"),
    [
        ("aps_up", {"aps_up": set()}),
        ("sum(aps_up)", {"aps_up": set()}),
        ('aps_up{target="a", job!~"b{c}"}', {"aps_up": {"target", "job"}}),
        ("max by (ecu) (aps_a) / on (ecu) aps_b", {"aps_a": set(), "aps_b": set()}),
        ("sum(aps_a) by (ecu)", {"aps_a": set()}),
        ("increase(aps_a[1d:5m] offset -1d) > bool 3", {"aps_a": set()}),
        (
            "aps_a and aps_b or aps_c unless aps_d",
            {"aps_a": set(), "aps_b": set(), "aps_c": set(), "aps_d": set()},
        ),
        ('{target="a"}', {"": {"target"}}),
        ("max_over_time(aps_a[$__range:1m])", {"aps_a": set()}),
        ("aps_a * on (ecu) group_left aps_b", {"aps_a": set(), "aps_b": set()}),
        ("3e5 + 0x1f - .5 * aps_a # aps_b", {"aps_a": set()}),
        ("ecu:aps_energy:kwh_today", {"ecu:aps_energy:kwh_today": set()}),
        ("SUM BY (ecu) (aps_a)", {"aps_a": set()}),
        ('label_replace(aps_a, "aps_b", "aps_c", "d", "aps_e")', {"aps_a": set()}),
        ("time() - aps_a", {"aps_a": set()}),
        ("aps_a{ecu=~\"x\"} + aps_a{job='y'}", {"aps_a": {"ecu", "job"}}),
    ],
)
def test_metrics(expr: str, metrics: dict[str, set[str]]) -> None:
    assert names_in(expr).metrics == metrics


@pytest.mark.parametrize(
    ("expr", "labels"),
    [
        ("max by (ecu, inverter) (aps_a)", {"ecu", "inverter"}),
        ("sum without (phase) (aps_a)", {"phase"}),
        ("aps_a * on (ecu) group_left (panel, row) aps_b", {"ecu", "panel", "row"}),
        ("aps_a / ignoring (phase) group_right () aps_b", {"phase"}),
        ('label_replace(aps_a, "made", "$1", "read", "(.*)")', {"read"}),
        ('label_replace(aps_a, "made", "text", "", "")', set()),
        ('label_join(sum(aps_a), "made", " ", "one", "other")', {"one", "other"}),
        ("aps_a{ecu='1'}", set()),
    ],
)
def test_labels_outside_of_braces(expr: str, labels: set[str]) -> None:
    assert names_in(expr).labels == labels


def test_labels_that_functions_make() -> None:
    expr = (
        'label_join(label_replace(aps_a, "x", "$1", "ecu", ".*"), "y", "-", "x") '
        '* on () group_left (z) count_values("z", aps_b)'
    )
    assert names_in(expr).made_labels == {"x", "y", "z"}


def test_functions() -> None:
    expr = "topk by (ecu) (1, rate(aps_a[5m])) or sum(aps_b) by (ecu) or vector(0)"
    assert names_in(expr).functions == {"topk", "rate", "sum", "vector"}


def test_functions_around_a_metric() -> None:
    expr = 'sum by (ecu) (rate((max(aps_a) + aps_b{ecu="1"})[1d:5m])) / abs(aps_c)'
    assert names_in(expr).within == {
        ("rate", "aps_a"),
        ("max", "aps_a"),
        ("rate", "aps_b"),
        ("abs", "aps_c"),
    }


@pytest.mark.parametrize(
    ("expr", "windows"),
    [
        ("increase(aps_a[5m])", [Window("increase", "5m", "")]),
        ("increase(aps_a[1d] OFFSET -1d) > 0", [Window("increase", "1d", "-1d")]),
        ('rate(aps_a{b="[1h]"}[5m] offset 364d)', [Window("rate", "5m", "364d")]),
        (
            "increase(aps_a[$__interval] offset -$__interval)",
            [Window("increase", "$__interval", "-$__interval")],
        ),
        (
            "max_over_time((aps_a - increase(aps_b[1h] offset 1h))[1d : 5m] offset 1w)",
            [Window("increase", "1h", "1h"), Window("max_over_time", "1d:5m", "1w")],
        ),
        ("aps_a offset 1d", []),
        ("aps_a[5m]", [Window("", "5m", "")]),
    ],
)
def test_windows(expr: str, windows: list[Window]) -> None:
    assert names_in(expr).windows == windows


@given(st.text(alphabet="aps_ {}()[]\"'`$=~!,.:1dbyon#\\\n", max_size=60))
def test_any_text_comes_to_an_end(expr: str) -> None:
    names = names_in(expr)
    assert all(name in expr for name in names.metrics)
