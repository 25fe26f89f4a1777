"""Bytes that are no HTTP get an answer and leave nothing in the log: anybody can send some."""

import re

import pytest

from tests.cli.console import TRACEBACK, Start, connect, get

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
CHUNKED = GET + b"Transfer-Encoding: chunked\r\n\r\n"
NO_HTTP = {
    "length is no number": GET + b"Content-Length: x\r\n\r\n",
    "length is negative": GET + b"Content-Length: -1\r\n\r\n",
    "two lengths": GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "chunk without a size": CHUNKED + b"zz\r\n\r\n",
    "chunk of another size": CHUNKED + b"5\r\nabc\r\n0\r\n\r\n",
    "URL of half a host": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "URL of no port": b"GET http://x:99999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "URL of no ASCII": b"GET \xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "long URL": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": GET + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
    "many headers": GET + b"X: a\r\n" * 1_000 + b"\r\n",
    "header without a name": GET + b"rubbish\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "query of an ECU": b"APS1100160001END\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
BODIES_THAT_ARE_NONE = {
    "no gzip": GET + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde",
    "no Brotli": GET + b"Content-Encoding: br\r\nContent-Length: 5\r\n\r\nabcde",
    "cut short": GET + b"Content-Length: 50\r\n\r\nabcde",
    "chunk that breaks late": CHUNKED + b"3\r\nabc\r\n",
}


def _status_line(address: str, request: bytes) -> bytes:
    """The first line of the answer."""
    with connect(address) as client, client.makefile("rb") as answer:
        client.sendall(request)
        return answer.readline()


def _log_after(start: Start, request: bytes) -> str:
    """All that an exporter of its own says that was sent this, to its end."""
    serve = start("serve", "127.0.0.1:1", "--web.listen-address", "127.0.0.1:0")
    _status_line(serve.address, request)
    assert get(serve.address, "/-/healthy")[0] == 200
    serve.stop()
    return serve.output


@pytest.mark.parametrize("case", NO_HTTP)
def test_bytes_that_are_no_http_are_the_clients_fault(case: str, exporter: str) -> None:
    assert re.match(rb"HTTP/1\.[01] 4\d\d ", _status_line(exporter, NO_HTTP[case]))


@pytest.mark.parametrize(
    "case",
    ["length is no number", "chunk without a size", "URL of half a host", "long header", "TLS"],
)
def test_bytes_that_are_no_http_leave_nothing_in_the_log(case: str, start: Start) -> None:
    log = _log_after(start, NO_HTTP[case])
    assert [word for word in (TRACEBACK, "level=error", "Error") if word in log] == []


@pytest.mark.parametrize("case", BODIES_THAT_ARE_NONE)
def test_body_that_is_not_what_its_header_says_leaves_nothing_in_the_log(
    case: str, start: Start
) -> None:
    log = _log_after(start, BODIES_THAT_ARE_NONE[case])
    assert [word for word in (TRACEBACK, "level=error", "Error") if word in log] == []
