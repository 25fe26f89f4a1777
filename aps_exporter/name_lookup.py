"""The addresses of a name, looked up without holding anybody up."""

import asyncio
import socket
import threading
from contextlib import suppress

Address = tuple[socket.AddressFamily, tuple[str, int]]
"""Its family; IP address and port."""


async def look_up(host: str, port: int) -> list[Address]:
    """The addresses of a name.

    In a daemon thread of its own and not in the loop's executor: a DNS server that never answers
    must neither block the look-ups of others nor hold up the end of the process.

    Raises:
        OSError: there are none.
        UnicodeError: this cannot be a name.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Address]] = loop.create_future()

    def settle(found: list[Address] | Exception) -> None:
        if answer.done():
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: list[Address] | Exception
        try:
            found = [
                (family, (str(address[0]), int(address[1])))
                for family, _, _, _, address in socket.getaddrinfo(
                    host, port, type=socket.SOCK_STREAM
                )
            ]
        except (OSError, UnicodeError) as error:
            found = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    return await answer
