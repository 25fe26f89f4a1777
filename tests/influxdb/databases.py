"""A pretended database over HTTP, for answers that a real one gives only in trouble."""

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

Answer = Callable[[list[str]], web.StreamResponse]


def taken(_: list[str]) -> web.StreamResponse:
    return web.Response(status=204)


def answering(status: int, text: str = "", **headers: str) -> Answer:
    """Always this answer; an underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(status=status, text=text, headers=named)


def refusing(*parts: str) -> Answer:
    """Refuses whatever has a line with one of these parts in it, as a whole."""

    def answer(lines: list[str]) -> web.StreamResponse:
        is_bad = any(part in line for line in lines for part in parts)
        return web.Response(status=400, text="field type conflict") if is_bad else taken(lines)

    return answer


@dataclass
class PretendedDatabase:
    """Notes what it is sent, and answers as it is told."""

    answer: Answer = taken
    url: str = ""
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)  # aiohttp has done so already, or not
        lines = body.decode().splitlines()
        self.requests.append(request)
        self.bodies.append(lines)
        answer = self.answer(lines)
        if answer.status == web.HTTPNoContent.status_code:
            self.lines += lines
        return answer


@asynccontextmanager
async def database(answer: Answer = taken) -> AsyncIterator[PretendedDatabase]:
    """A database that listens until the context ends."""
    pretended = PretendedDatabase(answer)
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", pretended.handle)
    async with TestServer(app) as server:
        pretended.url = str(server.make_url("")).rstrip("/")
        yield pretended
