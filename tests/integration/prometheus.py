"""A real Prometheus, run for a test: the installed one, or that of PROMETHEUS and PROMTOOL."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from tests.integration.pages import get
from tests.integration.programs import ANY_PORT, running
from tests.promtool import promtool_says

Series = dict[tuple[str, ...], float]
"""Values by the values of the labels that were asked for."""

STORAGE: Final = "storage"
"""Where in its folder it keeps what it knows."""

PROMETHEUS: Final = os.environ.get("PROMETHEUS", "prometheus")

_SAYS_PROMETHEUS: Final = r'msg="Listening on".* address=(\S+)'
_READY_WITHIN_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus and what it knows."""

    address: str

    def ask(self, path: str, **parameters: str) -> Any:
        answer = json.loads(get(self.address, f"/api/v1/{path}?{urlencode(parameters)}").text)
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def series(self, query: str, *labels: str, at: float | None = None) -> Series:
        """The result of an instant query; `at` is in Unix time, None for now."""
        moment = {} if at is None else {"time": str(at)}
        found = self.ask("query", query=query, **moment)["result"]
        series = {
            tuple(one["metric"][label] for label in labels): float(one["value"][1]) for one in found
        }
        assert len(series) == len(found)
        return series


@contextmanager
def running_prometheus(folder: Path, settings: Mapping[str, Any]) -> Iterator[Prometheus]:
    """A Prometheus with these settings, ready, on what is in `STORAGE` of the folder already."""
    (folder / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")
    with running(
        PROMETHEUS,
        "--config.file=prometheus.yml",
        f"--storage.tsdb.path={folder / STORAGE}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={ANY_PORT}",
        says=_SAYS_PROMETHEUS,
        folder=folder,
    ) as program:
        deadline = time.monotonic() + _READY_WITHIN_SECONDS
        while get(program.address, "/-/ready").status != HTTPStatus.OK:  # it listens before that
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Prometheus(program.address)


def create_blocks(file: Path, folder: Path) -> None:
    """What a Prometheus of this folder then knows is what stands in the file, too.

    promtool reads the whole file once for each block: a month in one saves minutes.
    """
    longest = "--max-block-duration=768h"
    status, said = promtool_says(
        "tsdb", "create-blocks-from", longest, "openmetrics", "-q", file, folder / STORAGE
    )
    assert status == 0, said
