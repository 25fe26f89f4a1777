"""What a failure means in plain words, and what the owner can do about it.

The usual causes come from some 160 public threads of people who read these ECUs.
"""

from dataclasses import dataclass
from typing import Final

from aps_exporter.errors import FailureReason, SinkFailure


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened, and the usual causes with what to do, the most likely first."""

    happened: str
    advice: tuple[str, ...]


_WIFI_NOT_ETHERNET: Final = (
    "ECU-R and ECU-B (ids 2160..., 2163...) answer on their WiFi address only, some of them only "
    "with the Ethernet cable unplugged: connect the ECU to your WiFi with the EMA Manager app and "
    "use the address your router shows for that."
)
_WRONG_ADDRESS: Final = (
    "The address may be another device's: look for the ECU in your router's list "
    "(MAC addresses of ECUs start with 80:97:1b or 60:c5:a8)."
)
_POWER_CYCLE: Final = (
    "Some firmware closes port 8899 until the ECU is restarted (ECU_R_1.3.19B and 1.3.20 an hour "
    "after each boot): unplug the ECU for ten seconds. The exporter goes on trying by itself."
)
_NO_SUCH_PORT: Final = (
    "ECU-3 gateways and battery ECUs have no port 8899 at all: they cannot be read this way."
)
_OTHER_READER: Final = (
    "Something else may be reading this ECU (Home Assistant, another exporter): it serves one "
    "client at a time. Stop the other reader."
)
_RESTARTING: Final = "The ECU may be restarting: that takes up to ten minutes."
_OTHER_NETWORK: Final = (
    "This machine and the ECU may be in different networks (guest WiFi, VLAN, Docker bridge, "
    "client isolation of the access point)."
)

NO_ECU_FOUND: Final = Explanation(
    "No ECU was found.",
    (_WIFI_NOT_ETHERNET, _OTHER_NETWORK, _POWER_CYCLE, _RESTARTING, _NO_SUCH_PORT),
)

EXPLANATIONS: Final[dict[FailureReason, Explanation]] = {
    "resolve": Explanation(
        "The name of the ECU could not be turned into an address.",
        (
            "Check the spelling, or use the ECU's IP address.",
            "Give the ECU a fixed address in your router.",
        ),
    ),
    "refused": Explanation(
        "Something is at this address, but nothing listens on the port.",
        (_WIFI_NOT_ETHERNET, _POWER_CYCLE, _WRONG_ADDRESS, _NO_SUCH_PORT),
    ),
    "unreachable": Explanation(
        "There is no way to this address.",
        (
            _RESTARTING,
            "Its address may have changed: give it a fixed one in your router.",
            _OTHER_NETWORK,
        ),
    ),
    "timeout": Explanation(
        "No answer came in time.",
        (_WRONG_ADDRESS, _OTHER_NETWORK, _WIFI_NOT_ETHERNET, _OTHER_READER, _POWER_CYCLE),
    ),
    "closed": Explanation(
        "The ECU took the connection and hung up without a word.",
        (_OTHER_READER, _POWER_CYCLE),
    ),
    "truncated": Explanation(
        "The reply was cut short.",
        (_OTHER_READER, "A weak WiFi signal cuts replies: move the ECU or the access point."),
    ),
    "framing": Explanation(
        "What came is not this query's reply.",
        (_OTHER_READER, "Another device may listen on this port: " + _WRONG_ADDRESS),
    ),
    "malformed": Explanation(
        "The reply has the right form, but makes no sense inside.",
        (
            "If it stays, this firmware is new to us: open an issue with the output of "
            "aps-exporter capture HOST (it masks serials and MAC addresses).",
            _OTHER_READER,
        ),
    ),
    "status": Explanation(
        "The ECU answered that it has nothing to say.",
        (
            "After a restart it needs one round, about five minutes, and daylight.",
            "If the ECU was replaced, the exporter learns the new id by itself.",
        ),
    ),
    "duplicate": Explanation(
        "Two targets are one and the same ECU.",
        ("Remove one of them: an ECU should be asked on one address only.",),
    ),
}

SINK_ADVICE: Final[dict[SinkFailure, str]] = {
    "network": "check APS_INFLUXDB_URL, and that the database runs and can be reached from here",
    "tls": "check that APS_INFLUXDB_URL says https only where TLS is spoken, and that this machine "
    "trusts the certificate: a private authority must be in the system's store",
    "busy": "the database asks for fewer writes; nothing to do, it is tried again more slowly",
    "server_error": "look into the database's own log",
    "unauthorized": "check APS_INFLUXDB_TOKEN (v2), or user name and password (v1), and that they "
    "may write there",
    "not_found": "check APS_INFLUXDB_BUCKET and APS_INFLUXDB_ORG, or APS_INFLUXDB_DATABASE (v1), "
    "and the path of APS_INFLUXDB_URL",
    "rejected": "read what the database says; a wrong bucket, or fields of another type, are usual",
    "unexpected": "APS_INFLUXDB_URL seems to lead to something that is no InfluxDB, or to a page "
    "that redirects",
    "spool": "make room on the disk of APS_STATE_DIR, and let this user write there",
}
