"""A real browser shows the landing page, on a desk and on a phone."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Final

import pytest

from tests.integration.browser import browse
from tests.integration.pictures import read_png
from tests.integration.programs import running_demo, running_replay

pytestmark = pytest.mark.integration

MARGIN: Final = 20
"""Pixels around the content: 1.25rem."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_demo(tmp_path_factory.mktemp("demo")) as program:
        yield program.address


@pytest.mark.parametrize(("width", "height"), [(1000, 900), (400, 900)], ids=["desk", "phone"])
def test_page_is_drawn_and_fits_the_width(
    demo: str, tmp_path: Path, width: int, height: int
) -> None:
    file = tmp_path / f"landing-{width}.png"
    browse(
        f"http://{demo}/",
        tmp_path / "profile",
        f"--screenshot={file}",
        f"--window-size={width},{height}",
    )
    picture = read_png(file)
    assert (picture.width, picture.height) == (width, height)
    assert len(picture.colours()) > 100
    assert len(picture.colours(left=width - MARGIN + 1)) == 1


def test_page_shows_the_figures_of_the_ecu(tmp_path: Path) -> None:
    with running_replay("ecur-qt2x6-*-2023-11-20", tmp_path) as exporter:
        page = browse(f"http://{exporter.address}/", tmp_path / "profile", "--dump-dom")
    shown = unescape(page).replace("\u00a0", " ").replace("\u202f", " ")
    assert "<h2>ECU-R 216037308721</h2>" in shown
    for figure in ("654 W", "0.17 kWh", "4 358.1 kWh", "6 / 6"):
        assert f"<dd>{figure}</dd>" in shown
    for cell in ("901055612951", "QT2", "104 W", "26 + 26 + 27 + 25", "23 °C", "67%"):
        assert f">{cell}</td>" in shown
