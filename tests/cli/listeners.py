"""Things on loopback that are no simulated ECU, and remember all that they were sent."""

import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Listener(socketserver.ThreadingTCPServer):
    """Answers each connection with the next of its replies, the last one for ever.

    Then it says no more, but listens on until the client hangs up. A reply of None is silence.
    What it was sent is complete once its context has ended.
    """

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], replies: Sequence[bytes | None]) -> None:
        super().__init__(address, _Client)
        self.replies = list(replies)
        self.received: list[bytes] = []
        self.asked = threading.Event()

    @property
    def host(self) -> str:
        """Its address, as a command takes it."""
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port


class _Client(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        listener = self.server
        assert isinstance(listener, Listener)
        request = self.request.recv(1_000)
        listener.asked.set()
        reply = listener.replies.pop(0) if len(listener.replies) > 1 else listener.replies[0]
        if reply is not None:
            self.request.sendall(reply)
            self.request.shutdown(socket.SHUT_WR)
        request += self.request.recv(1_000)
        listener.received.append(request)


@contextmanager
def listening(*replies: bytes | None, host: str = "127.0.0.1", port: int = 0) -> Iterator[Listener]:
    """A listener that serves as long as the context lasts."""
    with Listener((host, port), replies) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()
            thread.join()
