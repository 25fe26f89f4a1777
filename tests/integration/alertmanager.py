"""A real Alertmanager, and who it tells."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.integration.pages import get
from tests.integration.programs import ANY_PORT, running

Message = dict[str, Any]
"""What a webhook is sent: its status, and the alerts it is about."""

_SAYS_ALERTMANAGER: Final = r'msg="Listening on" address=(\S+)'
_READY_WITHIN_SECONDS: Final = 20


class Webhook(ThreadingHTTPServer):
    """Takes the messages of an Alertmanager."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Messages)
        self._messages: queue.Queue[Message] = queue.Queue()

    @property
    def url(self) -> str:
        host, port = self.socket.getsockname()
        return f"http://{host}:{port}/"

    def take(self, message: Message) -> None:
        self._messages.put(message)

    def next_message(self, within_seconds: float) -> Message:
        """The next one, waited for.

        Raises:
            queue.Empty: there was none in time.
        """
        return self._messages.get(timeout=within_seconds)


class _Messages(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.take(json.loads(body))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening_webhook() -> Iterator[Webhook]:
    """A webhook, until the context ends."""
    with Webhook() as webhook:
        thread = threading.Thread(target=webhook.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield webhook
        finally:
            webhook.shutdown()
            thread.join()


@contextmanager
def running_alertmanager(folder: Path, webhook: Webhook) -> Iterator[str]:
    """The address of an Alertmanager that tells this webhook of each alert, without delay."""
    settings = {
        "route": {
            "receiver": "owner",
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
        },
        "receivers": [{"name": "owner", "webhook_configs": [{"url": webhook.url}]}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alertmanager.yml").write_text(json.dumps(settings), encoding="utf-8")
    with running(
        "prometheus-alertmanager",
        "--config.file=alertmanager.yml",
        f"--storage.path={folder / 'storage'}",
        f"--web.listen-address={ANY_PORT}",
        "--cluster.listen-address=",  # else it opens a port on every address
        says=_SAYS_ALERTMANAGER,
        folder=folder,
    ) as program:
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while get(program.address, "/-/ready").status != HTTPStatus.OK:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield program.address
