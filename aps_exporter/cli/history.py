"""`simulate --history`: what the exporter would have published of a simulated plant, as files."""

import argparse
import logging
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TextIO

from aps_exporter.cli import EXIT_OK
from aps_exporter.cli.labels import labels_of
from aps_exporter.cli.new_file import new_file, told_when_not_written
from aps_exporter.cli.options import configure_without_targets
from aps_exporter.cli.progress import progress
from aps_exporter.cli.simulate import DEMO_TARGET, simulation_of
from aps_exporter.clock import RealClock
from aps_exporter.errors import ConfigError
from aps_exporter.metrics import ECU_METRICS, EXPORTER_METRICS, TARGET_METRICS, Metric
from aps_exporter.readings import Snapshot
from aps_exporter.simulated_history import Span, live_through, run_in_virtual_time
from aps_exporter.simulator.script import parse_duration
from aps_exporter.sinks.openmetrics import SampleHistory

_OPENMETRICS: Final = "--openmetrics"
_LINE_PROTOCOL: Final = "--line-protocol"

_DEFAULT_INTERVAL: Final = 60
_LEAST_INTERVAL: Final = 5
_MOST_INTERVAL: Final = 240
"""Prometheus takes a series without a sample for 300 s as gone: less, by one late scrape."""

_LONGEST: Final = timedelta(days=366)
"""All samples are held in memory until they are written by series."""

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def refuse_without_history(options: argparse.Namespace) -> None:
    """Flags that only a history heeds.

    Raises:
        ConfigError: one of them is given without `--history`.
    """
    given = [
        flag
        for flag, value in (
            (_OPENMETRICS, options.openmetrics),
            (_LINE_PROTOCOL, options.line_protocol),
            ("--until", options.until),
            ("--scrape-interval", options.scrape_interval),
            ("--label", options.label or None),
        )
        if value is not None
    ]
    if given:
        raise ConfigError(f"{', '.join(given)}: for a simulated history; give --history 14d too")


def write_history(options: argparse.Namespace) -> int:
    """Simulate the time asked for and write the files asked for, whole or not at all."""
    _end_on_sigterm_as_on_sigint()
    _refuse_what_a_history_ignores(options)
    span, labels = _span(options), _labels(options)
    simulation = simulation_of(options, RealClock(), real_sun=True)
    config = configure_without_targets()
    logging.getLogger().setLevel(logging.ERROR)  # queries that fail were asked for
    history = SampleHistory(labels)
    with ExitStack() as stack:
        samples_file = _open(stack, _OPENMETRICS, options.openmetrics)
        rounds = _Rounds(options, _open(stack, _LINE_PROTOCOL, options.line_protocol))
        advance = stack.enter_context(progress(len([*span.scrapes()]), "scrapes"))

        def scraped() -> None:
            rounds.write()
            advance(1)

        run_in_virtual_time(
            live_through(
                span,
                simulation,
                config,
                DEMO_TARGET,
                take_sample=None if samples_file is None else history.add,
                take_round=None if rounds.file is None else rounds.take,
                scraped=scraped,
            )
        )
        rounds.write()
        if samples_file is not None:
            with told_when_not_written(_OPENMETRICS, options.openmetrics):
                written = history.write(samples_file)
    _say(f"What was published from {span.starts_at} to {span.ends_at}:")
    if samples_file is not None:
        _say(f"  {options.openmetrics}: {written:,} samples")
    if rounds.file is not None:
        _say(f"  {options.line_protocol}: {rounds.written:,} lines")
    return EXIT_OK


def _end_on_sigterm_as_on_sigint() -> None:
    """However it is ended, it cleans up: asyncio does so on SIGINT, and on that only."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


class _Rounds:
    """Rounds on their way to a file in line protocol; written outside of the cache's task."""

    def __init__(self, options: argparse.Namespace, file: TextIO | None) -> None:
        self.file = file
        self.written = 0
        self._path = options.line_protocol
        self._snapshots: list[Snapshot] = []

    def take(self, snapshot: Snapshot) -> None:
        self._snapshots.append(snapshot)

    def write(self) -> None:
        if self.file is None or not self._snapshots:
            return
        # Here, so that whoever wants no line protocol does not pay for the client library.
        from aps_exporter.sinks.influxdb.points import round_lines  # noqa: PLC0415

        with told_when_not_written(_LINE_PROTOCOL, self._path):
            for snapshot in self._snapshots:
                lines = round_lines(snapshot)
                self.file.writelines(f"{line}\n" for line in lines)
                self.written += len(lines)
        self._snapshots.clear()


def _open(stack: ExitStack, flag: str, path: str | None) -> TextIO | None:
    return None if path is None else stack.enter_context(new_file(flag, Path(path)))


def _refuse_what_a_history_ignores(options: argparse.Namespace) -> None:
    """A history has its own clock and nobody to serve: to change those is a mistake."""
    given = [
        flag
        for flag, is_given in (
            ("--listen", options.listen != "127.0.0.1:8899"),
            ("--replay", options.replay is not None),
            ("--only", options.only != "*"),
            ("--speed", options.speed != "1"),
            ("--sun", options.sun != "11:00"),
        )
        if is_given
    ]
    if given:
        raise ConfigError(
            f"{', '.join(given)}: a history runs through its own time, with the sun where the "
            "clock says, and serves nobody; leave it out"
        )
    asked = [f for f in (options.openmetrics, options.line_protocol) if f is not None]
    files = {Path(file).resolve() for file in asked}
    if not asked:
        raise ConfigError(
            f"--history={options.history}: expected a file to write; "
            f"give {_OPENMETRICS} FILE, {_LINE_PROTOCOL} FILE, or both"
        )
    if options.openmetrics is None and options.label:
        raise ConfigError(f"--label={options.label[0]}: goes into a file of {_OPENMETRICS} only")
    if len(files) < len(asked):
        raise ConfigError(f"{_LINE_PROTOCOL}={options.line_protocol}: expected a file of its own")


def _span(options: argparse.Namespace) -> Span:
    try:
        seconds = parse_duration(options.history)
    except ValueError as error:
        raise ConfigError(f"--history={options.history}: {error}") from error
    if seconds > _LONGEST.total_seconds():
        raise ConfigError(f"--history={options.history}: expected at most {_LONGEST.days}d")
    ends_at = _until(options.until)
    interval = timedelta(seconds=_interval(options.scrape_interval))
    return Span(ends_at - timedelta(seconds=seconds), ends_at, interval)


def _until(text: str | None) -> datetime:
    if text is None:
        return RealClock().now().replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not _EARLIEST + _LONGEST <= moment < _LATEST:
        raise ConfigError(
            f"--until={text}: expected a date and time with its zone, such as "
            f"2026-06-15T00:00:00Z, from {(_EARLIEST + _LONGEST).year + 1} to {_LATEST.year - 1}"
        )
    return moment.astimezone(UTC)


def _interval(text: str | None) -> int:
    interval = _DEFAULT_INTERVAL if text is None else int(text) if text.isdecimal() else 0
    if not _LEAST_INTERVAL <= interval <= _MOST_INTERVAL:
        raise ConfigError(
            f"--scrape-interval={text}: expected whole seconds from {_LEAST_INTERVAL} to "
            f"{_MOST_INTERVAL}; Prometheus forgets a series after 300 without a sample"
        )
    return interval


def _labels(options: argparse.Namespace) -> Mapping[str, str]:
    metrics: tuple[Metric[Any], ...] = (*ECU_METRICS, *TARGET_METRICS, *EXPORTER_METRICS)
    return labels_of(options.label, {label for metric in metrics for label in metric.labels})


def _say(what: object) -> None:
    print(what, file=sys.stderr, flush=True)
