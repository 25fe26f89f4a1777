"""An event loop whose time jumps to the next timer as soon as nothing else is left to do.

Real sockets on loopback work in it: what one end sends, the other end can read at once. So the real
client reads a simulated ECU through hours and days of schedule in milliseconds.
"""

import asyncio
import selectors
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Final, TypeVar

_STARTS_AT: Final = 1_000.0

_LOOPBACK: Final = "127.0.0.1"
_PROBE_WAIT_SECONDS: Final = 1.0
"""Loopback delivers within the call that sends, or a little later when the kernel is busy."""

_THREADS_WAIT_SECONDS: Final = 0.005

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Selects what is ready; when nothing is, lets the time of the next timer come."""

    def __init__(self) -> None:
        super().__init__()
        self.time = _STARTS_AT
        self._connections: set[int] = set()
        self._old_threads = frozenset(threading.enumerate())
        self._probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._probe.bind((_LOOPBACK, 0))
        self._probe.connect(self._probe.getsockname())
        self._probe.settimeout(_PROBE_WAIT_SECONDS)

    def close(self) -> None:
        super().close()
        self._probe.close()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if _is_connection(key.fd):
            self._connections.add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self._connections.discard(key.fd)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._connections:
            self._let_arrive_what_was_sent()
            ready = super().select(0)
            if ready:
                return ready
        if not self._old_threads.issuperset(threading.enumerate()):  # a name is being looked up
            return super().select(_THREADS_WAIT_SECONDS)
        if timeout is None:
            return super().select(None)
        self.time += max(0.0, timeout)
        return ready

    def _let_arrive_what_was_sent(self) -> None:
        """Loopback is a queue: when something sent now has arrived, so has all that came before."""
        self._probe.send(b"?")
        with suppress(TimeoutError):
            self._probe.recv(1)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector loop that lives in its own time.

    It waits for what may be on its way between its own sockets and for threads that are started in
    it, in real time; not for anybody else.
    """

    def __init__(self) -> None:
        self._jumping_selector = _JumpingSelector()
        super().__init__(self._jumping_selector)

    def time(self) -> float:
        return self._jumping_selector.time

    def run_in_executor(  # type: ignore[override]  # of the same shape, less general
        self, _: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """At once, and not in a thread: what a disk needs is no time here."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed on
            done.set_exception(error)
        return done


def _is_connection(fd: int) -> bool:
    """Whether something may be on its way to this: neither a listening socket nor a loop's own."""
    try:
        looked_at = socket.socket(fileno=fd)
    except OSError:
        return False
    try:
        is_listening = looked_at.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return looked_at.family in (socket.AF_INET, socket.AF_INET6) and not is_listening
    finally:
        looked_at.detach()
