"""Samples of many moments as a file in the OpenMetrics format, of which promtool makes blocks."""

import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TextIO

from aps_exporter.metrics import Metric

_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED: Final = "__"
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_MILLISECONDS: Final = 1_000
_SUFFIXES: Final = {"counter": "_total", "info": "_info", "gauge": ""}
"""What a family's samples have behind its name."""


@dataclass(frozen=True, slots=True)
class _Series:
    """One series: how its lines begin, and its samples in the order of their times."""

    head: str
    milliseconds: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def lines(self) -> Iterator[str]:
        for at, value in zip(self.milliseconds, self.values, strict=True):
            seconds, rest = divmod(at, _MILLISECONDS)
            fraction = f".{rest:03}" if rest else ""
            yield f"{self.head} {value!r} {seconds}{fraction}\n"


class SampleHistory:
    """Samples with their times, by family and series; 16 bytes each until they are written."""

    def __init__(self, labels: Mapping[str, str] = {}) -> None:
        """`labels` are added to every series, such as job and instance.

        Raises:
            ValueError: a name is none for a label, or one of Prometheus's own; or a value cannot be
                written.
        """
        for name, value in labels.items():
            if not _LABEL_NAME.fullmatch(name) or name.startswith(_RESERVED):
                raise ValueError(
                    "expected a label name of letters, digits and underscores that starts with no "
                    f"digit and no {_RESERVED}, got {name!r}"
                )
            if not _is_utf8(value):  # bytes of a command line that are none come as surrogates
                raise ValueError(f"expected a value of {name} in UTF-8, got {value!r}")
        self._labels = dict(labels)
        self._families: dict[str, tuple[Metric[Any], dict[tuple[str, ...], _Series]]] = {}
        self._at: datetime | None = None
        self._milliseconds = 0

    def add(
        self, metric: Metric[Any], label_values: tuple[str, ...], value: float, at: datetime
    ) -> None:
        """Add one sample; `at` counts to the millisecond.

        Raises:
            ValueError: an added label is one of the metric's own too, or this series has a sample
                of this time or a later one already.
        """
        if at is not self._at:  # a scrape adds hundreds of one moment
            self._at, self._milliseconds = at, round(at.timestamp() * _MILLISECONDS)
        milliseconds = self._milliseconds
        try:
            series = self._families[metric.name][1][label_values]
        except KeyError:
            series = self._new_series(metric, label_values)
        if series.milliseconds and milliseconds <= series.milliseconds[-1]:
            last = series.milliseconds[-1] / _MILLISECONDS
            raise ValueError(
                f"{series.head}: expected times that rise, got {at.timestamp()} after {last}"
            )
        series.milliseconds.append(milliseconds)
        series.values.append(value)

    def write(self, file: TextIO) -> int:
        """Write everything in the OpenMetrics format; the number of samples written."""
        written = 0
        for metric, family in self._families.values():
            name = metric.name.removesuffix(_SUFFIXES[metric.kind])
            about = metric.help.translate(_ESCAPES)
            file.write(f"# HELP {name} {about}\n# TYPE {name} {metric.kind}\n")
            for series in family.values():
                file.writelines(series.lines())
                written += len(series.values)
        file.write("# EOF\n")
        return written

    def _new_series(self, metric: Metric[Any], label_values: tuple[str, ...]) -> _Series:
        for name in metric.labels:
            if name in self._labels:
                raise ValueError(
                    f"the label {name!r} cannot be added: {metric.name} has one of that name"
                )
        _, family = self._families.setdefault(metric.name, (metric, {}))
        series = family[label_values] = _Series(self._head(metric, label_values))
        return series

    def _head(self, metric: Metric[Any], label_values: tuple[str, ...]) -> str:
        labels = dict(zip(metric.labels, label_values, strict=True)) | self._labels
        if not labels:
            return metric.name
        pairs = (f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items())
        return f"{metric.name}{{{','.join(pairs)}}}"


def _is_utf8(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode("utf-8") == text
