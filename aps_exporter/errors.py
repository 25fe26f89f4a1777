"""What can go wrong, one class per thing a caller can do about it."""

from typing import Literal

FailureReason = Literal[
    "resolve",
    "refused",
    "unreachable",
    "timeout",
    "closed",
    "truncated",
    "framing",
    "malformed",
    "status",
    "duplicate",
]


class ApsExporterError(Exception):
    """The root of everything this package raises on purpose."""


class ConfigError(ApsExporterError):
    """Print every fault and exit with status 2."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class CannotListenError(ConfigError):
    """An address to serve on is taken, or is not this machine's."""

    def __init__(self, address: str, error: OSError) -> None:
        super().__init__(
            f"cannot listen on {address}: {error.strerror or error}; "
            "choose another address, or end the program that has this one"
        )


class StateUnavailableError(ApsExporterError):
    """The state directory cannot be used: go on in memory, and say so."""


class SpoolUnavailableError(ApsExporterError):
    """The disk is full, or the spool's file out of reach: nothing was changed; try again later."""


SinkFailure = Literal[
    "network",
    "tls",
    "busy",
    "server_error",
    "unauthorized",
    "not_found",
    "rejected",
    "unexpected",
    "spool",
]
"""Why points could not be handed over, or not even be kept on disk."""


class SinkUnavailableError(ApsExporterError):
    """A sink takes nothing now: keep it all, and try again later.

    `retry_after` is what the sink asked for, in seconds; `is_lasting` says that waiting alone will
    not help.
    """

    def __init__(
        self,
        reason: SinkFailure,
        detail: str,
        *,
        retry_after: float = 0.0,
        is_lasting: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: SinkFailure = reason
        self.detail = detail
        self.retry_after = retry_after
        self.is_lasting = is_lasting


class SinkRejectedError(ApsExporterError):
    """A sink refuses these points as they are: perhaps only some of them, or so many at once."""


class QueryError(ApsExporterError):
    """One query to an ECU got no usable reply; `reason` is its name in the metrics.

    `received` is what came nevertheless, as far as it is known: evidence for whoever looks into it.
    """

    def __init__(self, reason: FailureReason, detail: str, *, received: bytes = b"") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: FailureReason = reason
        self.detail = detail
        self.received = received


class EcuUnreachableError(QueryError):
    """No reply came: try again on schedule.

    `connected` tells a connection that stayed silent from one that was never made.
    """

    def __init__(
        self,
        reason: FailureReason,
        detail: str,
        *,
        connected: bool = False,
        received: bytes = b"",
    ) -> None:
        super().__init__(reason, detail, received=received)
        self.connected = connected


class MalformedReplyError(QueryError):
    """Bytes came that are no good reply: count it; decoding the same bytes again is pointless."""


class EcuStatusError(QueryError):
    """The ECU answered with a status instead of what was asked."""

    def __init__(self, command: str, status: str, meaning: str) -> None:
        super().__init__("status", f"the ECU answered with status {status}: {meaning}")
        self.command = command
        self.status = status
        self.meaning = meaning


class DuplicateEcuError(QueryError):
    """Another target already reads this ECU: stop asking through this one."""

    def __init__(self, ecu: str, target: str) -> None:
        super().__init__(
            "duplicate", f"ECU {ecu} is read through target {target} already; remove one of the two"
        )
        self.ecu = ecu


class HistoryLostError(ApsExporterError):
    """An ECU does not answer for its history any more: end, and go on from there another time."""

    def __init__(self, query: str, cause: QueryError) -> None:
        super().__init__(f"the {query} query failed: {cause}")
        self.query = query
        self.cause = cause


class DayLostError(HistoryLostError):
    """An ECU is well, and answers for other days, but not for this one: leave it out."""

    def __init__(self, cause: QueryError) -> None:
        super().__init__("power_of_day", cause)


class NoHistoryError(ApsExporterError):
    """An ECU has no history to ask for, though it answers otherwise: nothing to do."""

    def __init__(self, cause: QueryError | None) -> None:
        super().__init__(str(cause or "not one query for it was answered"))
