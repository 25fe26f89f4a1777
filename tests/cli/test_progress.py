"""The bar of a long job: for a person at a terminal only."""

import logging
import os
import pty
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest

from aps_exporter.cli.progress import progress


def _shown_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[TextIO], None] = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> str:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        before(terminal)
        with progress(4, "day") as advance:
            advance(1)
            meanwhile()
            advance(3)
    with os.fdopen(master, "rb") as shown:
        return os.read(shown.fileno(), 10_000).decode()


def test_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _shown_on_a_terminal(monkeypatch)
    assert "  0%|" in shown
    assert "100%|" in shown
    assert "4/4" in shown
    assert "day" in shown


def test_what_is_logged_meanwhile_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def log_to(terminal: TextIO) -> None:
        monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(terminal)])

    shown = _shown_on_a_terminal(
        monkeypatch, log_to, lambda: logging.getLogger("a").warning("query failed")
    )
    (line,) = [line for line in shown.split("\n") if "query failed" in line]
    assert line.removesuffix("\r").rpartition("\r")[2] == "query failed"


def test_file_sees_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as file, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", file)
        with progress(4, "day") as advance:
            advance(4)
    assert log.read_text() == ""
