"""The one table of faults that a simulated ECU can have, by name.

What each kind does stands in: `ecu_server` (connection), `reply_faults` (reply), and for the plant
in `rounds`, `energies`, `rows` and `ecu`. `fault_schedule` says which of them are on.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final, Literal, NamedTuple

FaultKind = Literal["connection", "reply", "plant"]

Fault = Literal[
    "refuse",
    "close",
    "silent",
    "empty",
    "slow",
    "drip",
    "segment",
    "one-client",
    "no-history",
    "no-energy-lists",
    "truncate",
    "wrong-length",
    "no-end",
    "glue",
    "trailing-bytes",
    "foreign-command",
    "status01",
    "status02",
    "frozen-clock",
    "clock-ahead",
    "late-rounds",
    "long-rounds",
    "zero-glitch",
    "lifetime-zero",
    "lifetime-lower",
    "lifetime-leap",
    "energy-frozen",
    "offline",
    "empty-list",
    "unknown-row",
    "never-heard",
    "wild-values",
]
"""The names again, so that a type checker knows them; a test holds them to the table."""


class FaultAbout(NamedTuple):
    """What a fault touches, and what it does in one short sentence.

    No dataclass: every command imports this table, and `dataclasses` alone would take a third more.
    """

    kind: FaultKind
    about: str


FAULTS: Final[Mapping[Fault, FaultAbout]] = {
    "refuse": FaultAbout("connection", "the port is closed; connections already open go on"),
    "close": FaultAbout("connection", "hangs up on each client at once"),
    "silent": FaultAbout("connection", "reads the query and never answers"),
    "empty": FaultAbout("connection", "reads the query and hangs up without a byte"),
    "slow": FaultAbout("connection", "answers only after 20 seconds"),
    "drip": FaultAbout("connection", "sends one byte a second"),
    "segment": FaultAbout("connection", "sends small pieces with short pauses between them"),
    "one-client": FaultAbout(
        "connection", "hangs up on whoever comes while another is served, instead of queueing them"
    ),
    "no-history": FaultAbout(
        "connection", "hangs up on queries for its history, of power and of energy, without a byte"
    ),
    "no-energy-lists": FaultAbout(
        "connection", "hangs up on queries for energy by day or month (PRO 2.1.15, ECU-C)"
    ),
    "truncate": FaultAbout("reply", "sends half of a reply, then hangs up"),
    "wrong-length": FaultAbout("reply", "declares more bytes than it sends, then hangs up"),
    "no-end": FaultAbout("reply", "leaves out the END of a reply (firmware ECU_R_1.3.19B)"),
    "glue": FaultAbout("reply", "sends the whole reply twice in a row"),
    "trailing-bytes": FaultAbout("reply", "sends a few stray bytes behind a reply"),
    "foreign-command": FaultAbout("reply", "answers with the digits of another command"),
    "status01": FaultAbout("reply", "says that the ECU id is not its own (all queries but info)"),
    "status02": FaultAbout("reply", "says that it has collected nothing yet (all but info)"),
    "frozen-clock": FaultAbout("plant", "the time of the rounds stands still, values go on"),
    "clock-ahead": FaultAbout("plant", "the ECU's clock is 7 minutes ahead"),
    "late-rounds": FaultAbout("plant", "each round shows 0 to 4 minutes late"),
    "long-rounds": FaultAbout("plant", "a round takes 600 seconds instead of 300"),
    "zero-glitch": FaultAbout("plant", "says 0 inverters and no energy today, with some online"),
    "lifetime-zero": FaultAbout("plant", "says a lifetime energy of 0"),
    "lifetime-lower": FaultAbout("plant", "says 5 kWh less lifetime energy"),
    "lifetime-leap": FaultAbout("plant", "says 1,000,000 kWh more lifetime energy"),
    "energy-frozen": FaultAbout(
        "plant", "lifetime energy stands still, that of today is 0 (firmware 1.3.6C)"
    ),
    "offline": FaultAbout("plant", "the first inverter is offline"),
    "empty-list": FaultAbout("plant", "a good reply with the time of a round and no inverters"),
    "unknown-row": FaultAbout("plant", "lists an inverter of a type that nobody knows"),
    "never-heard": FaultAbout("plant", "lists an inverter it never heard, and itself as another"),
    "wild-values": FaultAbout("plant", "the first inverter says 65.0 Hz, 5 V and 62,405 W"),
}


def fault_named(name: str) -> Fault:
    """The fault of this name; case does not count, nor spaces or underscores for hyphens.

    Raises:
        ValueError: there is none; says what there is, the nearest first.
    """
    wanted = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    for fault in FAULTS:
        if fault == wanted:
            return fault
    nearest = get_close_matches(wanted, FAULTS, n=1)
    suggestion = f" (perhaps {nearest[0]}?)" if nearest else ""
    raise ValueError(
        f"no fault is called {name!r}{suggestion}; expected one of {', '.join(FAULTS)}"
    )
