"""`check --scan`: finds ECUs in a private network."""

import asyncio
import json
import sys
from collections.abc import Iterator

from aps_exporter.cli import EXIT_FAILED, EXIT_OK
from aps_exporter.cli.options import configure_without_targets
from aps_exporter.cli.table import table_lines
from aps_exporter.cli.trouble import advice_lines
from aps_exporter.config import ECU_PORT
from aps_exporter.ecu.models import ecu_model
from aps_exporter.errors import ConfigError
from aps_exporter.explanations import NO_ECU_FOUND
from aps_exporter.scanning import (
    ALLOWED_NETWORKS,
    ANSWER_SECONDS,
    MOST_ADDRESSES,
    Answer,
    Network,
    Scan,
    parse_network,
    scan,
)


def scan_network(text: str, *, as_json: bool) -> int:
    """Show every ECU of this network; the exit status is 1 when there is none."""
    try:
        network = parse_network(text)
    except ValueError:
        raise ConfigError(
            f"--scan={text}: expected a private network of at most {MOST_ADDRESSES:,} addresses "
            f"(a /22), such as 192.168.1.0/24; one within {', '.join(ALLOWED_NETWORKS)}"
        ) from None
    config = configure_without_targets()
    port = config.ecu_port
    found = asyncio.run(_scan(network, port, min(config.ecu_timeout, ANSWER_SECONDS)))
    if as_json:
        print(json.dumps([_as_json(answer) for answer in found.answers]))
    else:
        for line in _lines(found, network, port):
            print(line)
    return EXIT_OK if found.ecus else EXIT_FAILED


async def _scan(network: Network, port: int, answer_seconds: float) -> Scan:
    print(f"Looking for ECUs in {network}, port {port} ...", file=sys.stderr, flush=True)
    if not sys.stderr.isatty():
        return await scan(network, port, answer_seconds, lambda *_: None)

    def show(tried: int, total: int) -> None:
        print(f"\r{tried} of {total} addresses", end="", file=sys.stderr, flush=True)

    try:
        return await scan(network, port, answer_seconds, show)
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _lines(found: Scan, network: Network, port: int) -> Iterator[str]:
    if found.ecus:
        head = ("address", "model", "ECU id", "firmware")
        yield from table_lines([head, *(_row(answer) for answer in found.ecus)])
        yield ""
    for answer in found.answers:
        if answer.failure is not None:
            yield f"{answer.address} answers on port {port}, but not as an ECU ({answer.failure})"
    if not found.ecus:
        tried, closed = sum(found.silent.values()) + len(found.answers), found.silent["refused"]
        yield NO_ECU_FOUND.happened
        yield f"Of {tried} addresses in {network}, {closed} have port {port} closed, "
        yield f"and {tried - closed - len(found.answers)} did not answer."
        yield from advice_lines(NO_ECU_FOUND)
        return
    yield "Go on with:"
    # An ECU may answer on its Ethernet and its WiFi address; it should be asked on one.
    first_of_each = {answer.info.ecu: answer for answer in reversed(found.ecus) if answer.info}
    for answer in reversed(first_of_each.values()):
        yield f"  aps-exporter check {_host(answer.address, port)}"


def _row(answer: Answer) -> tuple[str, ...]:
    if answer.info is None:
        return (answer.address,)
    info = answer.info
    return answer.address, ecu_model(info.ecu), info.ecu, info.firmware or "not said"


def _host(address: str, port: int) -> str:
    if port == ECU_PORT:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _as_json(answer: Answer) -> dict[str, object]:
    info, failure = answer.info, answer.failure
    return {
        "address": answer.address,
        "model": info and ecu_model(info.ecu),
        "ecu": info and info.ecu,
        "firmware": info and info.firmware,
        "error": failure and {"reason": failure.reason, "detail": failure.detail},
    }
