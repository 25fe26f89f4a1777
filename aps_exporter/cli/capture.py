"""`capture`: an ECU's raw replies, for a bug report or a test."""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from aps_exporter.capturing import CapturedReply, captured_replies, masked, model_of, to_json
from aps_exporter.cli import EXIT_FAILED, EXIT_OK
from aps_exporter.cli.options import configure_for_one
from aps_exporter.cli.trouble import trouble_lines
from aps_exporter.clock import Clock, RealClock
from aps_exporter.config import Config
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.queries import REFRESH_QUERIES
from aps_exporter.errors import ConfigError


def capture(options: argparse.Namespace) -> int:
    """Save the replies; the exit status is 1 when one is missing or no good reply."""
    config = configure_for_one(options.host)
    clock = RealClock()
    with _destination(options.output) as destination:
        captured = asyncio.run(_ask(config, clock))
        _tell_of_trouble(captured)
        if any(reply.raw for reply in captured):
            saved = captured if options.no_mask else masked(captured)
            day = clock.now().astimezone().date()
            destination.write(to_json(saved, model_of(captured), day) + "\n")
            _tell_what_was_saved(saved, options.output)
        else:
            _say("\nNot one byte came: there is nothing to save.")
    return EXIT_FAILED if any(reply.failure for reply in captured) else EXIT_OK


@contextmanager
def _destination(output: str | None) -> Iterator[TextIO]:
    """Where the capture goes. A file is made before anything is asked, and not left empty."""
    if output is None:
        yield sys.stdout
        return
    path = Path(output)
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        raise ConfigError(
            f"--output={output}: exists already; choose another name, or remove it"
        ) from None
    except OSError as error:
        raise ConfigError(f"--output={output}: cannot be written: {error.strerror}") from error
    try:
        with file:
            yield file
    finally:
        if not path.stat().st_size:
            path.unlink()


async def _ask(config: Config, clock: Clock) -> list[CapturedReply]:
    (target,) = config.targets
    client = EcuClient(target.host, target.port or config.ecu_port, config.ecu_timeout)
    _say(f"Asking {target.name} ...")
    return [reply async for reply in captured_replies(client, clock, config.ecu_pause)]


def _tell_of_trouble(captured: Sequence[CapturedReply]) -> None:
    """Each failed query; the causes of one reason only once."""
    told = set()
    for reply in captured:
        if reply.failure is not None:
            lines = [*trouble_lines(reply.failure)]
            _say("\n".join(lines[:3] if reply.failure.reason in told else lines))
            told.add(reply.failure.reason)
    if len(captured) < len(REFRESH_QUERIES):
        _say("\nWithout the ECU's id from its info reply, nothing else can be asked.")


def _tell_what_was_saved(saved: Sequence[CapturedReply], output: str | None) -> None:
    queries = [reply.query for reply in saved if reply.raw]
    place = "" if output is None else f" in {output}"
    _say(f"Saved{place}: {', '.join(queries)}.")
    if not all(reply.is_masked for reply in saved):
        _say("Serials and MAC addresses are in it as they are.")
        return
    _say("Serials and MAC addresses are masked.")
    guessed = [reply.query for reply in saved if reply.is_guessed]
    if guessed:
        _say(
            f"Parts of {', '.join(guessed)} cannot be read: there, all that looks like a serial "
            "or a MAC address\nwas masked by guess. Use --no-mask if whoever gets this needs the "
            "exact bytes."
        )


def _say(text: str) -> None:
    """To a person: the capture itself goes to standard output."""
    print(text, file=sys.stderr, flush=True)
