"""`check --scan`: finds ECUs in a private network."""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator

from aps_exporter.cli import EXIT_FAILED, EXIT_OK
from aps_exporter.cli.options import configure_without_targets
from aps_exporter.cli.table import table_lines
from aps_exporter.cli.trouble import advice_lines
from aps_exporter.config import ECU_PORT
from aps_exporter.ecu.models import ecu_model
from aps_exporter.errors import ConfigError
from aps_exporter.explanations import NO_ECU_FOUND
from aps_exporter.json_forms import JsonObject
from aps_exporter.scanning import (
    ALLOWED_NETWORKS,
    ANSWER_SECONDS,
    MOST_ADDRESSES,
    FoundEcu,
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
        print(json.dumps(_as_json(found)))
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
        yield from table_lines([head, *(_row(ecu) for ecu in found.ecus)])
        yield ""
    for stranger in found.strangers:
        failure = stranger.failure
        yield f"{stranger.address} answers on port {port}, but not as an ECU ({failure})"
    if found.strangers:
        yield "If one of these is your ECU, aps-exporter check ADDRESS says what may be wrong."
        yield ""
    if found.ecus:
        yield "Go on with:"
        for address in _first_addresses(found.ecus):
            yield f"  aps-exporter check {_host(address, port)}"
    else:
        yield NO_ECU_FOUND.happened
        yield _summary(found, network, port)
        yield from advice_lines(NO_ECU_FOUND)


def _row(ecu: FoundEcu) -> tuple[str, ...]:
    info = ecu.info
    return ecu.address, ecu_model(info.ecu), info.ecu, info.firmware or "not said"


def _first_addresses(ecus: Iterable[FoundEcu]) -> Iterable[str]:
    """One address of each: an ECU may have two, Ethernet and WiFi, but should be asked on one."""
    addresses: dict[str, str] = {}
    for ecu in ecus:
        addresses.setdefault(ecu.info.ecu, ecu.address)
    return addresses.values()


def _host(address: str, port: int) -> str:
    if port == ECU_PORT:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _summary(found: Scan, network: Network, port: int) -> str:
    silent, closed = sum(found.silent.values()), found.silent["refused"]
    tried = silent + len(found.strangers)
    return (
        f"  ({tried} addresses in {network}: {silent - closed} silent, "
        f"{closed} there but with port {port} closed)"
    )


def _as_json(found: Scan) -> list[JsonObject]:
    return [
        *(
            {
                "address": ecu.address,
                "model": ecu_model(ecu.info.ecu),
                "ecu": ecu.info.ecu,
                "firmware": ecu.info.firmware,
                "error": None,
            }
            for ecu in found.ecus
        ),
        *(
            {
                "address": stranger.address,
                "model": None,
                "ecu": None,
                "firmware": None,
                "error": {"reason": stranger.failure.reason, "detail": stranger.failure.detail},
            }
            for stranger in found.strangers
        ),
    ]
