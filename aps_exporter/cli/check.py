"""`check`: one full read of an ECU, as a person understands it."""

import argparse
import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from textwrap import fill

from aps_exporter import app, cache
from aps_exporter.cache import EcuCache
from aps_exporter.cli import EXIT_FAILED, EXIT_OK
from aps_exporter.cli.database import database_trouble
from aps_exporter.cli.options import configure_for_one
from aps_exporter.cli.scan import scan_network
from aps_exporter.cli.table import table_lines
from aps_exporter.cli.trouble import trouble_lines
from aps_exporter.clock import RealClock
from aps_exporter.errors import ConfigError
from aps_exporter.json_forms import kwh, snapshot_as_json
from aps_exporter.readings import EcuStatus, InverterReading, Snapshot
from aps_exporter.state import State
from aps_exporter.turns import Turns


def check(options: argparse.Namespace) -> int:
    """Read the ECU once; the exit status is 1 when a query got no good reply.

    Where InfluxDB is configured, it must let us write too.

    With `--scan`, look for ECUs instead.
    """
    if (options.host is None) == (options.scan is None):
        raise ConfigError("check: expected either a HOST, or --scan CIDR to find one")
    if options.scan is not None:
        return scan_network(options.scan, as_json=options.json)
    config = configure_for_one(options.host)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_not_told_in_plain_words)
    clock = RealClock()
    turn = Turns(config.state_dir, clock).of_refresh
    (reader,) = app.build_caches(config, clock, State(), Counter(), turn=turn)
    asyncio.run(_ask(reader))
    status, snapshot = reader.status(), reader.snapshot()
    if options.json:
        print(json.dumps(snapshot_as_json(status, snapshot)))
    else:
        _show(status, snapshot, options.host)
    is_well = all(status.query_success.values())
    if config.influxdb is not None:
        trouble = database_trouble(config.influxdb)
        told = trouble or f"InfluxDB at {config.influxdb.url} lets us write."
        print(f"\n{told}", file=sys.stderr if options.json else sys.stdout)
        is_well = is_well and trouble is None
    return EXIT_OK if is_well else EXIT_FAILED


def _is_not_told_in_plain_words(record: logging.LogRecord) -> bool:
    """A query that failed is explained at the end; it needs no log line."""
    return record.name != cache.__name__ or record.levelno > logging.WARNING


async def _ask(reader: EcuCache) -> None:
    print(f"Asking {reader.target} ...", file=sys.stderr, flush=True)
    await reader.ask_once()
    await reader.close()


def _show(status: EcuStatus, snapshot: Snapshot | None, host: str) -> None:
    if snapshot is not None:
        for line in _ecu_lines(snapshot):
            print(line)
    if status.last_error is not None:
        for line in trouble_lines(status.last_error):
            print(line)
    elif snapshot is not None:
        doubts = [*_doubts(snapshot)]
        print()
        for doubt in doubts:
            print(fill(f"Note: {doubt}", 88, subsequent_indent="      ", break_on_hyphens=False))
        print(f"{'The ECU answers' if doubts else 'All well'}. Run the exporter with:")
        print(f"  aps-exporter serve {host}")


def _doubts(snapshot: Snapshot) -> Iterator[str]:
    """What came, but is not as it should be."""
    if snapshot.rejected_values.get("empty_list"):
        yield "the list of inverters is empty, though the ECU says that all is well with it."
    if snapshot.unknown_rows_of_round:
        yield (
            f"rows of a model that cannot be read yet: {snapshot.unknown_rows_of_round}. "
            "Please open an issue with that inverter's model and the output of "
            "aps-exporter capture HOST."
        )
    rejected = {
        reason: count
        for reason, count in snapshot.rejected_values.items()
        if count and reason != "empty_list"
    }
    if rejected:
        yield f"some values cannot be true and are not believed: {', '.join(rejected)}."
    if snapshot.info.inverters_online == 0:
        yield "no inverter is online. By night that is as it should be."


def _ecu_lines(snapshot: Snapshot) -> Iterator[str]:
    info = snapshot.info
    yield f"{snapshot.ecu_model} {snapshot.ecu}"
    yield f"  firmware     {info.firmware or 'not said'}"
    yield f"  time zone    {info.timezone or 'not said'} (as the ECU says it)"
    yield f"  power        {_text(info.power_watts)} W"
    yield f"  today        {_text(kwh(info.today_energy_joules))} kWh"
    yield f"  lifetime     {_text(kwh(snapshot.reported_lifetime_energy_joules))} kWh"
    yield f"  inverters    {_text(info.inverters)}, {_text(info.inverters_online)} of them online"
    if snapshot.measured_at is not None:
        yield f"  last round   {snapshot.measured_at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if snapshot.inverters:
        yield ""
        yield from _table(snapshot)


def _table(snapshot: Snapshot) -> Iterator[str]:
    head = ("inverter", "model", "power W", "channels W", "temp degC", "grid V", "Hz", "signal")
    signal = snapshot.signal or {}
    return table_lines([head, *(_row(i, signal.get(i.inverter)) for i in snapshot.inverters)])


def _row(inverter: InverterReading, signal: float | None) -> tuple[str, ...]:
    name = (inverter.inverter, inverter.model or "never heard")
    if not inverter.online:
        return (*name, "offline", "", "", "", "", "")
    return (
        *name,
        _text(inverter.power_watts),
        " ".join(_text(channel.power_watts) for channel in inverter.channels),
        _text(inverter.temperature_celsius),
        " ".join(_text(phase.voltage_volts) for phase in inverter.phases),
        _text(inverter.frequency_hertz),
        "-" if signal is None else f"{signal:.0%}",
    )


def _text(value: float | None) -> str:
    return "-" if value is None else str(value)
