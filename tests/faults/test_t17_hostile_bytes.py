"""T17: hostile bytes raise none but our own errors; 64 KiB are read for a query at most; whatever
stands in a text, the exposition parses and the page stays harmless.
"""

import asyncio
import re
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from html.parser import HTMLParser
from itertools import chain, repeat
from typing import Final
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode_reply
from aps_exporter.ecu.queries import REFRESH_QUERIES, InfoQuery, InvertersQuery, Query, SignalQuery
from aps_exporter.errors import QueryError
from tests.exporter import Client, exporter
from tests.faults.ordeal import PLAIN, ordeal
from tests.protocol.captures import WHOLE
from tests.protocol.frames import framed
from tests.virtual_time import in_virtual_time
from tests.world import QUERY_OF, world

MOST_BYTES_A_QUERY: Final = 64 * 1024
ECU: Final = "216200000001"
QUERIES: Final[tuple[Query, ...]] = (InfoQuery(), InvertersQuery(ECU), SignalQuery(ECU))

OPENMETRICS: Final = {"Accept": "application/openmetrics-text; version=1.0.0", **PLAIN}
TAGS_OF_THE_PAGE: Final = frozenset(
    (
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "nav", "a"),
        *("section", "header", "span", "strong", "small", "dl", "div", "dt", "dd"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    )
)
ATTRIBUTES_OF_THE_PAGE: Final = frozenset(
    {"lang", "charset", "name", "content", "http-equiv", "class", "href", "data-column"}
)

HOSTILE_TEXTS: Final = (
    b"<script>alert(1)</script>",
    b'"><img src=x onerror=alert(1)>',
    b'quoted "text" \\ and \\n',
    b"two\nlines",
    b'"} 1\naps_up{target="roof"} 7\n',
    b"\x00\xff\x80\r\t",
    b"${ecus} {{x}} %s",
    b"../../etc/passwd",
    b"# HELP aps_up no\n# EOF\n",
    b"",
    b"A" * 500,
)

examples = settings(deadline=None)

pieces_of_replies = st.sampled_from(
    [b"\x00", b"\n", b"END", b"APS11", b"APS12", b"0040", b"0001", b"00", b"zz", b"\xff"]
)
any_bytes = st.one_of(
    st.binary(max_size=400),
    st.lists(pieces_of_replies, max_size=60).map(b"".join),
    st.sampled_from(HOSTILE_TEXTS),
)


@st.composite
def mutated_capture(draw: st.DrawFn, command: bytes) -> bytes:
    """A real reply to this command, with up to eight bytes changed or with its end cut off."""
    raws = [capture.raw for capture in WHOLE if capture.raw[9:13] == command]
    raw = bytearray(draw(st.sampled_from(raws)))
    places = st.integers(0, len(raw) - 1)
    changes = draw(st.dictionaries(places, st.integers(0, 255), max_size=8))
    for place, byte in changes.items():
        raw[place] = byte
    return bytes(raw if changes else raw[: draw(places)])


def any_answers() -> st.SearchStrategy[dict[str, bytes | None]]:
    """What each query of a refresh is answered with: anything, a bad real reply, or a hang-up."""
    return st.fixed_dictionaries(
        {
            name: mutated_capture(command) | any_bytes | st.none()
            for command, name in QUERY_OF.items()
            if name in REFRESH_QUERIES
        }
    )


def info_reply(*, ecu: bytes = ECU.encode(), firmware: bytes = b"", zone: bytes = b"") -> bytes:
    """An info reply with these texts, whatever is in them."""
    energies_and_power = bytes.fromhex("00001000 00000064 00000010")
    contact_and_counts = bytes.fromhex("20260601100000 0002 0002")
    texts = b"%03d" % len(firmware) + firmware + b"%03d" % len(zone) + zone
    body = ecu + b"01" + energies_and_power + contact_and_counts + b"10" + texts + bytes(12)
    return framed("0001", body)


class Elements(HTMLParser):
    """What a browser would make of a page: its tags and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


async def assert_harmless(client: Client) -> dict[str, str]:
    """What is served can be read by those it is for; the labels of `aps_ecu_info`."""
    text = await (await client.get("/metrics", headers=PLAIN)).text()
    openmetrics = await (await client.get("/metrics", headers=OPENMETRICS)).text()
    for parse, exposed in ((parse_text, text), (parse_openmetrics, openmetrics)):
        families = [*parse(exposed)]
        ups = [s.value for f in families for s in f.samples if s.name == "aps_up"]
        assert ups in ([0], [1])
        infos = [s.labels for f in families for s in f.samples if s.name == "aps_ecu_info"]
    page = Elements(await (await client.get("/")).text())
    assert page.tags <= TAGS_OF_THE_PAGE
    assert page.attributes <= ATTRIBUTES_OF_THE_PAGE
    assert len((await (await client.get("/api/v1/snapshots")).json())["ecus"]) == 1
    return dict(infos[0]) if infos else {}


@asynccontextmanager
async def hostile_ecu(
    *pieces: bytes, for_ever: bool = False, pause: float = 0
) -> AsyncIterator[int]:
    """Answers any query with these pieces, once or for ever, and hangs up. Gives its port."""
    clients: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients[asyncio.current_task()] = writer
        with suppress(ConnectionError):
            await reader.readline()
            for piece in chain.from_iterable(repeat(pieces)) if for_ever else pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in clients.values():
            writer.transport.abort()
        await asyncio.gather(*filter(None, clients))


@contextmanager
def bytes_read() -> Iterator[dict[socket.socket, int]]:
    """How many bytes were read from each connection of ours."""
    loop = asyncio.get_running_loop()
    read: defaultdict[socket.socket, int] = defaultdict(int)
    sock_recv = loop.sock_recv

    async def counted(connection: socket.socket, size: int) -> bytes:
        received = await sock_recv(connection, size)
        read[connection] += len(received)
        return received

    with patch.object(loop, "sock_recv", counted):
        yield read


def ask_of(query: Query, *pieces: bytes) -> None:
    """Put a query to an ECU that answers so; whatever it says, nothing but our own errors comes."""

    @in_virtual_time
    async def ask() -> None:
        async with hostile_ecu(*pieces, pause=0.01) as port:
            with suppress(QueryError):
                decode_reply(await EcuClient("127.0.0.1", port, timeout=10).ask(query))

    ask()


@settings(examples, max_examples=100)
@given(query=st.sampled_from(QUERIES), pieces=st.lists(any_bytes, max_size=4))
def test_client_reads_any_bytes_or_raises_our_own_error(query: Query, pieces: list[bytes]) -> None:
    ask_of(query, *pieces)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
@settings(examples, max_examples=200)
@given(draw=st.data())
def test_client_reads_a_mutated_capture_or_raises_our_own_error(
    query: Query, draw: st.DataObject
) -> None:
    ask_of(query, draw.draw(mutated_capture(query.command.encode())))


@settings(examples, max_examples=40)
@given(answers=any_answers())
def test_exporter_bears_any_answers_and_recovers(answers: dict[str, bytes | None]) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            trial.world.ecu.answers.update(answers)
            await trial.scrape_for(700, every=150)
            await assert_harmless(trial.client)

    check()


@pytest.mark.parametrize(
    "stream",
    [
        b"APS1199990001",
        b"APS1199990002" + b"0001" + b"\xff" * 4_000,
        b"APS1100130001",
        b"APS119999000",
        b"APS",
        b"\n",
        b"END\n",
        b"1",
        b"<html>",
        b"\x00",
        info_reply(),
    ],
    ids=lambda stream: repr(stream[:13]),
)
def test_no_more_than_64_kib_of_an_endless_stream_are_read_for_a_query(stream: bytes) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w, hostile_ecu(stream * (100_000 // len(stream)), for_ever=True) as p:
            cache = w.cache(port=p)
            with bytes_read() as read:
                async with exporter([cache]) as client:
                    await w.pass_time(700)
                    await assert_harmless(client)
                    await w.pass_time(30)
            assert len(read) >= 2
            assert max(read.values()) <= MOST_BYTES_A_QUERY
            assert not w.internal_errors
            await cache.close()

    check()


@in_virtual_time
async def test_endless_stream_that_drips_is_left_at_the_deadline() -> None:
    async with hostile_ecu(b"APS1199990001", b"1", for_ever=True, pause=0.5) as port:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(QueryError, match="timeout"):
            await EcuClient("127.0.0.1", port, timeout=10).ask(InfoQuery())
        assert loop.time() - began == pytest.approx(10, rel=0.1)


@settings(examples, max_examples=40)
@given(
    firmware=st.sampled_from(HOSTILE_TEXTS) | st.binary(max_size=200),
    zone=st.sampled_from(HOSTILE_TEXTS) | st.binary(max_size=200),
)
def test_texts_of_an_ecu_are_harmless_where_they_are_shown(firmware: bytes, zone: bytes) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            trial.world.ecu.answers["info"] = info_reply(firmware=firmware, zone=zone)
            await trial.world.pass_time(300)
            await trial.scrape()
            labels = await assert_harmless(trial.client)
            assert not trial.cache.status().query_failures
            assert all(
                re.fullmatch(r"[A-Za-z0-9_./+-]{0,64}", labels[name])
                for name in ("firmware", "timezone")
            )

    check()


@pytest.mark.parametrize(
    "reply",
    [
        *HOSTILE_TEXTS,
        info_reply(ecu=b"<script>x();"),
        info_reply(ecu=b'"><b a="1">\n'),
        info_reply()[:9] + b"<b>\n" + info_reply()[13:],
        framed("0001", b"<b"),
    ],
    ids=lambda reply: repr(reply[:25]),
)
def test_bad_reply_is_harmless_where_its_bytes_are_told(reply: bytes) -> None:
    @in_virtual_time
    async def check() -> None:
        async with ordeal() as trial:
            trial.world.ecu.answers["info"] = reply
            await trial.world.pass_time(300)
            await trial.scrape()
            await trial.world.pass_time(30)
            assert trial.cache.status().last_error is not None
            await assert_harmless(trial.client)

    check()
