"""Finds ECUs in a private network: connects to each address, and asks what answers for its info.

Nothing but the info query is ever sent.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.queries import InfoQuery
from aps_exporter.errors import EcuUnreachableError, FailureReason, QueryError
from aps_exporter.readings import EcuReading

MOST_ADDRESSES: Final = 1_024
"""A /22; the home networks that are larger are rare, and scanning one is no longer gentle."""

CONNECTS_AT_A_TIME: Final = 32
CONNECT_SECONDS: Final = 0.5
"""In one network a connection comes about in milliseconds, over bad WiFi in a hundred or two."""

ANSWER_SECONDS: Final = 4.0
"""Connect and info reply together; the slowest info reply seen took 1.1 s."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ALLOWED_NETWORKS: Final = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "fc00::/7",
    "::1/128",
)


@dataclass(frozen=True, slots=True)
class FoundEcu:
    """An ECU, and what it says of itself."""

    address: str
    info: EcuReading


@dataclass(frozen=True, slots=True)
class Stranger:
    """What takes connections, but does not answer as an ECU does."""

    address: str
    failure: QueryError


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found, in the order of addresses.

    `silent` counts, by reason, the addresses that took no connection.
    """

    ecus: tuple[FoundEcu, ...]
    strangers: tuple[Stranger, ...]
    silent: Counter[FailureReason]


def parse_network(text: str) -> Network:
    """A network that may be scanned: private or loopback, and small. Host bits are forgiven.

    Raises:
        ValueError: it is none.
    """
    network = ipaddress.ip_network(text, strict=False)
    if network.num_addresses > MOST_ADDRESSES or not any(_lies_in(network, n) for n in _ALLOWED):
        raise ValueError(text)
    return network


_ALLOWED: Final = tuple(ipaddress.ip_network(text) for text in ALLOWED_NETWORKS)


def _lies_in(network: Network, other: Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and network.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and network.subnet_of(other)


async def scan(
    network: Network, port: int, answer_seconds: float, on_progress: Callable[[int, int], None]
) -> Scan:
    """Try every address of a network, a few at a time.

    `on_progress` is told how many addresses have been tried, of how many.
    """
    ecus: dict[int, FoundEcu] = {}
    strangers: dict[int, Stranger] = {}
    silent: Counter[FailureReason] = Counter()
    tried = 0
    addresses = [str(address) for address in network.hosts()]
    places = iter(range(len(addresses)))

    async def try_addresses() -> None:
        nonlocal tried
        for place in places:
            address = addresses[place]
            client = EcuClient(address, port, answer_seconds, connect_timeout=CONNECT_SECONDS)
            try:
                ecus[place] = FoundEcu(address, await _info(client))
            except QueryError as error:
                if isinstance(error, EcuUnreachableError) and not error.connected:
                    silent[error.reason] += 1
                else:
                    strangers[place] = Stranger(address, error)
            tried += 1
            on_progress(tried, len(addresses))

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTS_AT_A_TIME):
            group.create_task(try_addresses())
    return Scan(
        ecus=tuple(ecus[place] for place in sorted(ecus)),
        strangers=tuple(strangers[place] for place in sorted(strangers)),
        silent=silent,
    )


async def _info(client: EcuClient) -> EcuReading:
    reading = decode_reply(await client.ask(InfoQuery()))
    if not isinstance(reading, EcuReading):  # the client takes no other reply
        raise TypeError(reading)
    return reading
