"""Faults of a reply, as the real client and the decoder see them, and as bytes."""

import pytest

from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode, decode_reply
from aps_exporter.ecu.queries import InfoQuery, InvertersQuery, Query, SignalQuery
from aps_exporter.ecu.replies import Reply
from aps_exporter.errors import EcuStatusError, QueryError
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.reply_faults import REPLY_FAULTS, STRAY_BYTES, spoiled
from tests.protocol.captures import capture_named
from tests.virtual_time import in_virtual_time
from tests.world import World, world

ID = "216200000001"
QUERIES: list[Query] = [InfoQuery(), InvertersQuery(ID), SignalQuery(ID)]
REAL_REPLY = "ecur-yc600x7-2020-11-24"

each_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)


async def _ask(w: World, query: Query) -> Reply:
    return await EcuClient("127.0.0.1", w.port, timeout=10).ask(query)


@each_query
@pytest.mark.parametrize(
    ("fault", "reason"),
    [("truncate", "truncated"), ("wrong-length", "truncated"), ("foreign-command", "framing")],
)
def test_client_rejects_a_reply_for_its_reason(fault: Fault, reason: str, query: Query) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(faults=[fault]) as w:
            with pytest.raises(QueryError) as caught:
                await _ask(w, query)
            assert caught.value.reason == reason

    check()


@each_query
@pytest.mark.parametrize("fault", ["no-end", "glue", "trailing-bytes"])
def test_odd_reply_means_the_same_as_a_good_one(fault: Fault, query: Query) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w:
            good = await _ask(w, query)
            w.faults.add(fault)
            odd = await _ask(w, query)
            assert decode_reply(odd) == decode_reply(good)
            assert odd != good

    check()


@in_virtual_time
async def test_oddities_are_told_apart() -> None:
    async with world() as w:
        good = w.simulated.reply_to(InfoQuery().request) or b""
        oddities = {}
        for fault in ("no-end", "glue", "trailing-bytes"):
            w.faults.add(fault)
            reply = await _ask(w, InfoQuery())
            oddities[fault] = (reply.trailer_missing, reply.trailing_bytes)
            w.faults.clear()
        assert oddities == {
            "no-end": (True, 0),
            "glue": (False, len(good)),
            "trailing-bytes": (False, len(STRAY_BYTES)),
        }


@pytest.mark.parametrize("status", ["01", "02"])
@pytest.mark.parametrize("query", QUERIES[1:], ids=lambda query: query.name)
def test_status_answers_a_query_with_an_ecu_id(status: str, query: Query) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(faults=[f"status{status}"]) as w:  # type: ignore[list-item]
            with pytest.raises(EcuStatusError) as caught:
                decode_reply(await _ask(w, query))
            assert (caught.value.status, caught.value.command) == (status, query.command)

    check()


@in_virtual_time
async def test_status_does_not_touch_the_info_query() -> None:
    async with world(faults=["status01", "status02"]) as w:
        assert (await _ask(w, InfoQuery())).status is None


def test_status_is_sixteen_bytes_without_an_end() -> None:
    assert spoiled(capture_named(REAL_REPLY).raw, {"status02"}) == b"APS110015000202\n"


def test_reply_without_an_end_declares_its_own_length() -> None:
    good = b"APS1100250030" + b"00" + b"\x80\x20\x00\x10\x44\x13\xd1" + b"END\n"
    assert spoiled(good, {"no-end"}) == good[:5] + b"0022" + good[9:-4] + b"\n"


def test_status_has_no_end_to_leave_out() -> None:
    raw = capture_named(REAL_REPLY).raw
    assert spoiled(raw, {"status01", "no-end"}) == spoiled(raw, {"status01"})


def test_wrong_length_is_more_than_all_that_is_sent() -> None:
    good = b"APS110016000100END\n"
    assert spoiled(good, {"wrong-length", "glue"})[5:9] == b"%04d" % (2 * len(good) + 50)


def test_wrong_length_of_the_longest_reply_keeps_four_digits() -> None:
    longest = b"APS1199990002" + bytes(9_983) + b"END\n"
    assert spoiled(longest, {"wrong-length"}) == longest


def test_truncated_reply_is_its_first_half() -> None:
    assert spoiled(b"0123456789", {"truncate"}) == b"01234"


def test_foreign_command_is_never_the_one_that_was_asked() -> None:
    for command in (b"0001", b"0002", b"0003", b"0004", b"0030"):
        spoilt = spoiled(b"APS110016" + command + b"END\n", {"foreign-command"})
        assert (spoilt[:9], spoilt[13:]) == (b"APS110016", b"END\n")
        assert spoilt[9:13] != command


@pytest.mark.parametrize("fault", REPLY_FAULTS)
def test_each_fault_changes_a_real_reply(fault: Fault) -> None:
    raw = capture_named(REAL_REPLY).raw
    assert spoiled(raw, {fault}) != raw


def test_reply_without_faults_stays_as_it_was() -> None:
    raw = capture_named(REAL_REPLY).raw
    assert spoiled(raw, {"silent", "offline"}) == raw


def test_faults_of_a_reply_combine() -> None:
    raw = capture_named(REAL_REPLY).raw
    spoilt = spoiled(raw, {"no-end", "glue", "trailing-bytes"})
    assert spoilt.count(b"APS11") == 2
    assert spoilt.endswith(STRAY_BYTES)
    assert decode(spoilt) == decode(raw)
