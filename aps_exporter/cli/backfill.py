"""`backfill`: fills a database, or a file for Prometheus, with what an ECU remembers."""

import argparse
import asyncio
import sys
from contextlib import ExitStack, aclosing, closing
from datetime import date, timedelta
from typing import Final

from aps_exporter.backfill_progress import BackfillFolder, DayDone
from aps_exporter.backfilling import Backfill, BackfillRange, BackfillStart, BackfillSum
from aps_exporter.cli import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_NO_SERVICE, EXIT_OK
from aps_exporter.cli.backfill_destination import destination_of, destination_trouble
from aps_exporter.cli.options import configure_for_one
from aps_exporter.cli.progress import progress
from aps_exporter.clock import RealClock
from aps_exporter.config import Config
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu_history import LONGEST_QUERY_SECONDS, EcuHistory
from aps_exporter.errors import (
    ConfigError,
    HistoryLostError,
    NoHistoryError,
    SinkUnavailableError,
    SpoolUnavailableError,
    StateUnavailableError,
)
from aps_exporter.explanations import EXPLANATIONS
from aps_exporter.readings import JOULES_PER_KWH
from aps_exporter.state import remembered
from aps_exporter.turns import Turns

MOST_DAYS: Final = 3_653
"""Ten years: beyond, there is a slip of the pen, not an ECU."""

_TIMES: Final = {
    "configured": "{} (APS_TIMEZONE)",
    "ecu": "{} (as the ECU says)",
    "host": "this host's zone; the ECU does not know its own, set APS_TIMEZONE if it is another",
    "found": "UTC{}, as the exporter found; it has no summer time, set APS_TIMEZONE",
}
"""What the ECU's times are reckoned by, by whose word it is."""

_GO_ON: Final = "\nWhat is written stays; the same command goes on from there."


def backfill(options: argparse.Namespace) -> int:
    """Fill the gaps.

    The exit status is 3 when the ECU has no such service, or half of it, and 1 when a day is lost.
    """
    config = configure_for_one(options.host)
    days = _range(options, RealClock().now().astimezone(config.timezone).date())
    go_on = "" if options.dry_run else _GO_ON
    try:
        return asyncio.run(_fill(config, options, days))
    except KeyboardInterrupt:
        _say(f"\nInterrupted.{go_on}")
        return EXIT_INTERRUPTED
    except HistoryLostError as error:
        happened = EXPLANATIONS[error.cause.reason].happened
        _say(f"The {error.query} query failed: {happened} ({error.cause}){go_on}")
    except NoHistoryError as error:
        _say(
            f"This ECU does not answer for its history, though it answers otherwise ({error}). "
            "Firmware without this service exists (ECU_R_PRO 2.1.15, ECU-C). Nothing was written."
        )
        return EXIT_NO_SERVICE
    except SinkUnavailableError as error:
        _say(f"{destination_trouble(config, options, error)}{go_on}")
    except SpoolUnavailableError as error:
        _say(f"APS_STATE_DIR={config.state_dir}: {error}{go_on}")
    except StateUnavailableError as error:
        raise ConfigError(
            f"APS_STATE_DIR={config.state_dir}: expected a folder to write to, as a back-fill "
            f"notes there how far it is, and takes turns with the exporter: {error}"
        ) from error
    return EXIT_FAILED


def _range(options: argparse.Namespace, today: date) -> BackfillRange:
    """The days asked for, by the date of `APS_TIMEZONE`, or of this host.

    Raises:
        ConfigError: with every fault.
    """
    first, last = _date("--from", options.first), today - timedelta(days=1)
    if options.last is not None:
        last = _date("--to", options.last)
    if last > today:
        raise ConfigError(f"--to={last}: expected today, {today}, or a day before it")
    if first > last:
        asked = f"--to={last}" if options.last is not None else f"yesterday, {last}"
        raise ConfigError(f"--from={first}: expected {asked}, or a day before it")
    if (last - first).days >= MOST_DAYS:
        raise ConfigError(f"--from={first}: expected a day within ten years before {last}")
    return BackfillRange(first, last, is_open=options.last is None)


def _date(flag: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{flag}={text}: expected a date such as 2026-10-03") from None


async def _fill(config: Config, options: argparse.Namespace, days: BackfillRange) -> int:
    clock = RealClock()
    (target,) = config.targets
    timeout = min(config.ecu_timeout, LONGEST_QUERY_SECONDS)
    client = EcuClient(target.host, target.port or config.ecu_port, timeout)
    turns = Turns(config.state_dir, clock)
    memories = remembered(config.state_dir)
    with ExitStack() as stack:
        progress_of = None  # a dry run needs no more of the folder than its turns
        if not options.dry_run:
            folder = stack.enter_context(closing(BackfillFolder(config.state_dir)))
            progress_of = folder.progress
        async with destination_of(config, options) as destination:
            work = Backfill(
                EcuHistory(client, clock, turns.of_backfill),
                clock,
                destination,
                days,
                zone=config.timezone,
                recall=memories.get,
                progress_of=progress_of,
                round_seconds=config.refresh,
            )
            _say(f"Asking {target.name} ...")
            start = await work.begin()
            _tell_of_start(start)
            await _fill_days(work, start, is_dry=options.dry_run)
            total = work.finish()
    _tell_of_end(total, options)
    if total.lacks_energies or total.lacks_power:
        return EXIT_NO_SERVICE
    return EXIT_FAILED if total.left_out else EXIT_OK


async def _fill_days(work: Backfill, start: BackfillStart, *, is_dry: bool) -> None:
    """Day after day: a bar on a terminal, else a line each."""
    is_terminal = sys.stdout.isatty() and sys.stderr.isatty() and not is_dry
    with ExitStack() as stack:
        advance = stack.enter_context(progress(start.days, "days")) if is_terminal else None
        async with aclosing(work.days()) as days:
            async for done in days:
                if advance is None:
                    print(_day_line(done, is_dry=is_dry), flush=True)
                else:
                    advance(1)


def _day_line(done: DayDone, *, is_dry: bool) -> str:
    if done.is_left_out:
        return f"{done.day}  left out: the ECU does not answer for this day, though for others"
    what = "to write" if is_dry else "written"
    parts = [f"{done.written} points {what}", f"{done.present} present"]
    if done.refused:
        parts.append(f"{done.refused} refused")
    if done.energy_joules is not None:
        parts.append(f"{_kwh(done.energy_joules)} kWh")
    return f"{done.day}  {', '.join(parts)}"


def _tell_of_start(start: BackfillStart) -> None:
    info = start.info
    _say(f"ECU {info.ecu}, firmware {info.firmware or 'not said'}, {start.days} days to do.")
    if start.resumed_at is not None:
        _say(f"Going on at {start.resumed_at}, where an earlier run has stopped.")
    _say(f"Times: {_TIMES[start.reckoning.source].format(start.reckoning.zone)}.")


def _tell_of_end(total: BackfillSum, options: argparse.Namespace) -> None:
    for month in total.months:
        print(
            f"{month.first:%Y-%m}: the ECU says {_kwh(month.said_joules)} kWh for the month, its "
            f"days add up to {_kwh(month.days_joules)} kWh."
        )
    what = "to write" if options.dry_run else "written"
    summary = f"{total.days} days: {total.written} points {what}, {total.present} present"
    if total.refused:
        summary += f", {total.refused} refused (see influxdb-refused.lp under APS_STATE_DIR)"
    print(f"{summary}.")
    if options.openmetrics is not None and not options.dry_run:
        print(f"Saved in {options.openmetrics}.")
    if total.lacks_energies:
        _say(
            "This ECU does not answer for its energies by day: those of the days are reckoned from "
            "its power."
        )
    if total.left_out:
        days = ", ".join(map(str, total.left_out))
        _say(f"Left out, as the ECU does not answer for them, though for other days: {days}.")
    if total.lacks_power:
        _say("This ECU does not answer for the power of a day: only energies could be had.")


def _kwh(joules: float) -> str:
    return f"{joules / JOULES_PER_KWH:.2f}"


def _say(text: str) -> None:
    """To a person, beside what goes to standard output."""
    print(text, file=sys.stderr, flush=True)
