"""promtool makes blocks of what is written in OpenMetrics, and Prometheus has it all."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from aps_exporter.metrics import Metric
from aps_exporter.sinks.openmetrics import SampleHistory
from tests.integration.prometheus import create_blocks, running_prometheus

pytestmark = pytest.mark.integration

NOON: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
EXTREMES: Final = [0.0, -1.5, 1 / 3, 4.3e15 + 1, 5e-324, math.inf, -math.inf]
AWKWARD: Final = 'a "b"\\\nü {c}'


def _metric(name: str, kind: Any = "gauge") -> Metric[Any]:
    return Metric(name, 'Says "so"\\\nand so.', ("ecu",), lambda _: [], kind)


def test_prometheus_has_every_value_at_its_very_time(tmp_path: Path) -> None:
    history = SampleHistory({"job": "aps", "site": AWKWARD})
    gauge, counter, info = _metric("g"), _metric("c_total", "counter"), _metric("i_info", "info")
    for index, value in enumerate(EXTREMES):
        at = NOON + timedelta(seconds=60 * index, milliseconds=index)
        history.add(gauge, ("1",), value, at)
        history.add(counter, ("1",), 1e9 + index, at)
        history.add(info, (AWKWARD,), 1, at)
        history.add(gauge, ("2",), -value, at)
    with (tmp_path / "history.om").open("w", encoding="utf-8", newline="\n") as file:
        assert history.write(file) == 4 * len(EXTREMES)
    create_blocks(tmp_path / "history.om", tmp_path)

    with running_prometheus(tmp_path, {}) as prometheus:
        end = NOON.timestamp() + 3_600
        found = prometheus.ask("query", query='{job="aps"}[2h]', time=str(end))["result"]

    moments = [NOON.timestamp() + 60.001 * index for index in range(len(EXTREMES))]

    def expected(values: list[float]) -> list[tuple[float, float]]:
        return [(round(at, 3), value) for at, value in zip(moments, values, strict=True)]

    assert {
        (one["metric"]["__name__"], one["metric"]["ecu"], one["metric"]["site"]): [
            (at, float(value)) for at, value in one["values"]
        ]
        for one in found
    } == {
        ("g", "1", AWKWARD): expected(EXTREMES),
        ("g", "2", AWKWARD): expected([-value for value in EXTREMES]),
        ("c_total", "1", AWKWARD): expected([1e9 + index for index in range(len(EXTREMES))]),
        ("i_info", AWKWARD, AWKWARD): expected([1.0] * len(EXTREMES)),
    }
