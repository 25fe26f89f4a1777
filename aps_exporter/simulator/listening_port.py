"""A port that can be shut and opened again, without anybody else taking it meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ANY_PORT: Final = 0


class ListeningPort:
    """Shut, its sockets are bound but do not listen, so that connections to it are refused.

    Connections that are open stay as they are, whatever the port does.
    """

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._host: str | None = None
        self._port = ANY_PORT
        self._server: asyncio.Server | None = None
        self._one_change_at_a_time = asyncio.Lock()

    async def bind(self, host: str | None, port: int) -> int:
        """Take the port, shut; 0 takes a free one. Returns the port.

        Raises:
            OSError: it is taken, or not this machine's.
        """
        self._host = host
        self._server = await self._bound(port)
        # On every interface and a free port, IPv4 and IPv6 each get their own: tell IPv4's.
        self._port = min((s.getsockname() for s in self._server.sockets), key=len)[1]
        return self._port

    async def set_open(self, *, wanted: bool) -> None:
        """Listen, or refuse; nothing happens if that is so already.

        Raises:
            OSError: the port cannot be had any more; it stays shut.
        """
        async with self._one_change_at_a_time:
            if wanted == (self._server is not None and self._server.is_serving()):
                return
            if not wanted:
                await self._let_go()
            if self._server is None:
                self._server = await self._bound(self._port)
            if wanted:
                try:
                    await self._server.start_serving()
                except OSError:
                    await self._let_go()
                    raise

    async def close(self) -> None:
        """Give the port back."""
        async with self._one_change_at_a_time:
            await self._let_go()

    async def _bound(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._accept, self._host, port, start_serving=False)

    async def _let_go(self) -> None:
        if self._server is None:
            return
        for listening in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listening)
        # A connection taken a moment ago still needs its server: asyncio attaches it next.
        await asyncio.sleep(0)
        self._server.close()
        self._server = None
