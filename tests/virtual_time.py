"""An event loop whose time jumps to the next timer as soon as nothing else is left to do.

Real sockets on loopback work in it: what one end sends, the other end can read at once. So the real
client reads a simulated ECU through hours and days of schedule in milliseconds.
"""

import asyncio
import functools
import selectors
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, ParamSpec, TypeVar

_WAIT_FOR_THREADS = 0.005

P = ParamSpec("P")
T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Selects what is ready; when nothing is, lets the time of the next timer come."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1_000.0
        self._threads = threading.active_count()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if threading.active_count() > self._threads:  # a name is being looked up
            return super().select(_WAIT_FOR_THREADS)
        if timeout is None:
            return super().select(None)
        self.time += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector loop that lives in its own time."""

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


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test in a loop of virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
