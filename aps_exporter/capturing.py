"""What an ECU answers to the three queries of a refresh, byte for byte, and how it is kept."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from aps_exporter.clock import Clock
from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode, decode_reply
from aps_exporter.ecu.masking import mask
from aps_exporter.ecu.models import ecu_model
from aps_exporter.ecu.queries import InfoQuery, InvertersQuery, Query, SignalQuery
from aps_exporter.errors import QueryError
from aps_exporter.readings import EcuReading, QueryFailure, Reading

_MODEL_OF_ANY: Final = "ecu"


@dataclass(frozen=True, slots=True)
class CapturedReply:
    """All that came in answer to one query, what it says, and what is wrong with it.

    Attributes:
        raw: empty when nothing came.
        is_masked: whether the names in it are masked.
        is_guessed: whether some of them are by guess.
    """

    query: str
    raw: bytes
    reading: Reading | None
    failure: QueryFailure | None
    is_masked: bool = False
    is_guessed: bool = False


async def captured_replies(
    client: EcuClient, clock: Clock, pause: float
) -> AsyncIterator[CapturedReply]:
    """The replies to info, inverters and signal, as they come, bad ones too.

    Without an ECU id nothing but info can be asked.
    """
    info = await _ask(client, InfoQuery())
    yield info
    if not isinstance(info.reading, EcuReading):
        return
    for query in (InvertersQuery(info.reading.ecu), SignalQuery(info.reading.ecu)):
        await clock.sleep(pause)
        yield await _ask(client, query)


async def _ask(client: EcuClient, query: Query) -> CapturedReply:
    try:
        reply = await client.ask(query)
        reading = decode_reply(reply)
    except QueryError as error:
        failure = QueryFailure(query.name, error.reason, error.detail)
        return CapturedReply(query.name, error.received, None, failure)
    return CapturedReply(query.name, reply.raw, reading, None)


def masked(captured: Sequence[CapturedReply]) -> list[CapturedReply]:
    """These replies, all of one ECU, without the names in them."""
    return [
        replace(
            reply,
            raw=without_names.raw,
            failure=reply.failure and _masked_failure(reply.failure, without_names.raw),
            is_masked=True,
            is_guessed=without_names.is_guessed,
        )
        for reply, without_names in zip(
            captured, mask([reply.raw for reply in captured]), strict=True
        )
    ]


def _masked_failure(failure: QueryFailure, raw: bytes) -> QueryFailure:
    """What is wrong, told of the masked bytes: a detail may quote a serial."""
    try:
        decode(raw)
    except QueryError as error:
        if error.reason == failure.reason:
            return replace(failure, detail=error.detail)
    return failure


def to_json(captured: Iterable[CapturedReply], model: str, day: date) -> str:
    """A capture file of the replies of which something came."""
    return json.dumps([_entry(reply, model, day) for reply in captured if reply.raw], indent=1)


def _entry(reply: CapturedReply, model: str, day: date) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": f"{model}-{reply.query}-{day.isoformat()}",
        "query": reply.query,
        "masked": reply.is_masked,
        "hex": reply.raw.hex(),
    }
    if reply.failure is not None:
        entry["error"] = {"reason": reply.failure.reason, "detail": reply.failure.detail}
    return entry


def model_of(captured: Iterable[CapturedReply]) -> str:
    """The ECU's model as a part of a name, such as `ecu-r-pro`; `ecu` if it is not known."""
    for reply in captured:
        if isinstance(reply.reading, EcuReading):
            model = ecu_model(reply.reading.ecu)
            return _MODEL_OF_ANY if model == "unknown" else model.lower()
    return _MODEL_OF_ANY
