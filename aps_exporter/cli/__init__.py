"""The commands. Each imports what it needs when it runs: `decode` starts no web server."""

import argparse
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

from aps_exporter import __version__
from aps_exporter.errors import ConfigError
from aps_exporter.simulator.faults import FAULTS, Fault, fault_named

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2
EXIT_NO_SERVICE: Final = 3
EXIT_INTERRUPTED: Final = 130

_COMMANDS_THAT_RUN_ON: Final = tuple(
    f"{__name__}.{function}" for function in ("serve:serve", "simulate:demo", "simulate:simulate")
)
_COMMAND_THAT_RELOADS: Final = _COMMANDS_THAT_RUN_ON[0]
_TOP_LEVEL_FLAGS: Final = ("-h", "--help", "--version")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 when all is well, 2 when the input is at fault."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in _TOP_LEVEL_FLAGS):
        arguments.insert(0, "serve")
    options = _parser().parse_args(arguments)
    if options.command == _COMMAND_THAT_RELOADS:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing was read yet that could be old
    if options.command in _COMMANDS_THAT_RUN_ON and getattr(options, "history", None) is None:
        # Until the command takes the signal itself there is nothing to clean up. An exception
        # instead could be lost, or found, in the middle of an import.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(EXIT_OK))
    try:
        command: Callable[[argparse.Namespace], int] = pkgutil.resolve_name(options.command)
        return command(options)
    except ConfigError as error:
        for fault in error.faults:
            print(f"aps-exporter: {fault}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone: there is nobody to tell
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aps-exporter",
        description="Prometheus exporter for APsystems solar gateways (ECUs), read on the LAN.",
        epilog="Everything can be set by environment variables too: see aps-exporter config.",
    )
    parser.add_argument("--version", action="version", version=f"aps-exporter {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = _add_command(
        commands,
        "serve",
        "serve:serve",
        help="run the exporter (the default)",
        description="Run the exporter.",
    )
    serve.add_argument(
        "hosts", nargs="*", metavar="HOST", help="an ECU, [name=]host[:port]; see APS_ECU_HOSTS"
    )
    _add_server_flags(serve)

    demo = _add_command(
        commands,
        "demo",
        "simulate:demo",
        help="simulator and exporter in one, without hardware",
        description="Run the exporter on a simulated ECU: http://127.0.0.1:10899/",
    )
    _add_plant_flags(demo)
    _add_server_flags(demo)

    simulate = _add_command(
        commands,
        "simulate",
        "simulate:simulate",
        help="only the simulated ECU",
        description="Run a simulated ECU that speaks the local protocol.",
    )
    simulate.add_argument(
        "--listen", default="127.0.0.1:8899", metavar="HOST:PORT", help="default: %(default)s"
    )
    _add_plant_flags(simulate)
    simulate.add_argument(
        "--replay", metavar="FILE", help="serve the captured replies of a JSON file instead"
    )
    simulate.add_argument(
        "--only", default="*", metavar="GLOB", help="of the captures, those with such a name"
    )

    _add_history_flags(simulate)

    check = _add_command(
        commands,
        "check",
        "check:check",
        help="read an ECU once and show what it says",
        description="Read an ECU once, and show what it says or why it does not.",
    )
    check.add_argument("host", nargs="?", metavar="HOST[:PORT]")
    check.add_argument(
        "--scan", metavar="CIDR", help="find the ECUs of a private network, such as 192.168.1.0/24"
    )
    check.add_argument(
        "--json",
        action="store_true",
        help="print an entry of /api/v1/snapshots, or a list of what was found",
    )

    capture = _add_command(
        commands,
        "capture",
        "capture:capture",
        help="save an ECU's raw replies, for a bug report",
        description="Save what an ECU replies, byte for byte, as JSON on standard output. Serials "
        "and MAC addresses are masked. simulate --replay and decode read it.",
    )
    capture.add_argument("host", metavar="HOST[:PORT]")
    capture.add_argument("--output", metavar="FILE", help="save it in this new file instead")
    capture.add_argument(
        "--no-mask", action="store_true", help="leave serials and MAC addresses as they are"
    )

    decode = _add_command(
        commands,
        "decode",
        "decode:decode_command",
        help="decode reply bytes to JSON",
        description="Decode replies to JSON, one object per line: lines of hex, raw bytes when "
        "the input starts with APS, or a capture when it starts with [.",
    )
    decode.add_argument("file", nargs="?", metavar="FILE", help="standard input without it")

    _add_backfill_command(commands)
    _add_dashboards_command(commands)

    _add_command(
        commands,
        "config",
        "options:show_config",
        help="show the effective configuration",
        description="Show the effective configuration and every fault in it.",
    )
    healthcheck = _add_command(
        commands,
        "healthcheck",
        "healthcheck:healthcheck",
        help="ask the running exporter whether it is healthy",
        description="Ask the exporter that runs on this machine whether it is healthy.",
    )
    _add_flag(healthcheck, "--web.listen-address", "the address it listens on")
    return parser


def _add_backfill_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    backfill = _add_command(
        commands,
        "backfill",
        "backfill:backfill",
        help="write what an ECU remembers and a database lacks",
        description="Ask an ECU for the power and energy of past days, and write what is missing "
        "to APS_INFLUXDB_URL, or to a file for Prometheus. It stops where it likes and goes on "
        "from there when it is run again.",
        epilog="exit status: 0 done, 1 stopped, 2 bad input, 3 the ECU has no such service, or "
        "only half of it",
    )
    backfill.add_argument("host", metavar="HOST[:PORT]")
    backfill.add_argument(
        "--from", dest="first", required=True, metavar="DATE", help="the first day, 2026-10-03"
    )
    backfill.add_argument("--to", dest="last", metavar="DATE", help="the last; default: yesterday")
    backfill.add_argument(
        "--dry-run", action="store_true", help="ask, and tell what would be written"
    )
    backfill.add_argument(
        "--openmetrics",
        metavar="FILE",
        help="write this new file instead, for promtool tsdb create-blocks-from openmetrics",
    )
    backfill.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="add this label in the file; as often as needed",
    )
    backfill.add_argument(
        "--prometheus", metavar="URL", help="leave out of the file what this Prometheus has"
    )


def _add_dashboards_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    dashboards = commands.add_parser(
        "dashboards",
        help="the Grafana dashboards that come with the exporter",
        description="The Grafana dashboards that come with the exporter.",
    )
    export = _add_command(
        dashboards.add_subparsers(metavar="ACTION", required=True),
        "export",
        "dashboards:export",
        help="write them as JSON files, to import or to provision",
        description="Write every dashboard as a JSON file into DIR, which is made if it is not "
        "there. A file that differs is not replaced, and then nothing is written.",
    )
    export.add_argument("folder", metavar="DIR")
    export.add_argument("--force", action="store_true", help="replace files that differ")


def _add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    function: str,
    **texts: str,
) -> argparse.ArgumentParser:
    """A command, run by `function` of this package, which is imported only then."""
    parser = commands.add_parser(name, **texts)  # type: ignore[arg-type]
    parser.set_defaults(command=f"{__name__}.{function}")
    return parser


def _add_server_flags(parser: argparse.ArgumentParser) -> None:
    _add_flag(parser, "--web.listen-address", "where to serve, host:port or :port")
    _add_flag(parser, "--web.telemetry-path", "path of the metrics")
    _add_flag(parser, "--web.config.file", argparse.SUPPRESS)  # TLS is not there yet
    _add_flag(parser, "--log.level", "debug, info, warn or error")
    _add_flag(parser, "--log.format", "logfmt or json")


def _add_flag(parser: argparse.ArgumentParser, flag: str, text: str) -> None:
    parser.add_argument(flag, dest=flag, metavar="VALUE", help=text)


def _add_plant_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--inverters",
        metavar="TYPE:COUNT,...",
        help="types: qs1, qs1a, ds3, ds3-h, yc600, yc1000, qt2; default: one or more of most",
    )
    parser.add_argument(
        "--speed", default="1", metavar="N", help="run the clock N times as fast, 0.1 to 1000"
    )
    sun = parser.add_mutually_exclusive_group()
    sun.add_argument(
        "--sun", default="11:00", metavar="HH:MM", help="sun time at start; default: %(default)s"
    )
    sun.add_argument(
        "--real-sun", action="store_true", help="let the sun stand where the clock says"
    )
    parser.add_argument("--model", default="ecu-r", choices=("ecu-r", "ecu-r-pro"))
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        type=_fault,
        help="misbehave like this, see below; may be given more than once",
    )
    parser.add_argument(
        "--script",
        metavar="FILE",
        help="misbehave for a while: lines +H:MM:SS FAULT for DURATION, from the start on",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    width = max(map(len, FAULTS))
    lines = (f"  {name:{width}}  {fault.about}" for name, fault in FAULTS.items())
    parser.epilog = "\n".join(("faults:", *lines))


def _add_history_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "history", "instead of serving, write what the exporter would have published"
    )
    group.add_argument(
        "--history", metavar="DURATION", help="live through so much time, such as 14d or 36h"
    )
    group.add_argument("--openmetrics", metavar="FILE", help="for promtool and Prometheus")
    group.add_argument("--line-protocol", metavar="FILE", help="for InfluxDB")
    group.add_argument("--until", metavar="TIME", help="when it ends, with a zone; default: now")
    group.add_argument(
        "--scrape-interval", metavar="SECONDS", help="between two scrapes, 5 to 240; default: 60"
    )
    group.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="on every series for Prometheus, such as job=aps; may be given more than once",
    )


def _fault(name: str) -> Fault:
    try:
        return fault_named(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
