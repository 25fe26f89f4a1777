"""Draws dashboards with Grafana's own components, from a Prometheus with a simulated history.

python -m tests.integration.draw_dashboards APP DASHBOARDS PICTURES [UID...]: what `make pictures`
runs, APP being the built grafana/pictures. It says which panels it had to leave out.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urlencode

from tests.integration.browser import browse
from tests.integration.pictures import read_png
from tests.integration.programs import EXPORTER, own_environment
from tests.integration.prometheus import STORAGE, running_prometheus

DASHBOARDS: Final = ("aps-overview", "aps-panels", "aps-inverters", "aps-energy")
WIDTHS: Final = {"desk": 1400, "phone": 400}
"""In pixels, by what the file's name ends in."""

NOW: Final = "2026-06-21T14:32:10+02:00"
"""Between two rounds, as most moments are."""

TIMEZONE: Final = "Europe/Amsterdam"
HISTORY: Final = timedelta(days=32)
PANELS: Final = Path(__file__).parents[2] / "deploy/panels.example.toml"

TROUBLE: Final = (
    ("2026-06-10T09:30:00+02:00", "offline", "3h"),
    ("2026-06-16T11:00:00+02:00", "offline", "1h30m"),
    ("2026-06-20T10:15:00+02:00", "refuse", "1h45m"),
    ("2026-06-21T12:40:00+02:00", "offline", "1d"),
)
"""From when on the simulated ECU misbehaves, how, and for how long."""

SCRAPE_INTERVAL: Final = "240"
MOST_BYTES: Final = 250 * 1024

_DRAWN_WITHIN_MILLISECONDS: Final = 60_000
_FIRST_HEIGHT: Final = 1000

_ONE_BLOCK_SPAN: Final = "--max-block-duration=768h"
"""promtool reads the whole file for every block that it writes."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the page says about a dashboard it has drawn; panels by their titles."""

    height_pixels: int
    faults: tuple[str, ...]
    empty: tuple[str, ...]
    omitted: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("app", type=Path)
    parser.add_argument("dashboards", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("uid", nargs="*", default=DASHBOARDS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        draw_all(asked.app, asked.dashboards, asked.pictures, asked.uid, Path(folder))


def draw_all(app: Path, dashboards: Path, pictures: Path, uids: list[str], folder: Path) -> None:
    """One picture of each dashboard at each width."""
    site = shutil.copytree(app, folder / "site")
    for uid in uids:
        shutil.copy(dashboards / f"{uid}.json", site)
    _write_history(folder / STORAGE)
    settings: dict[str, Any] = {}
    with running_prometheus(folder, settings) as prometheus, _serving(site) as address:
        for uid in uids:
            question = {
                "dashboard": f"{uid}.json",
                "prometheus": f"http://{prometheus.address}",
                "now": NOW,
            }
            for name, width in WIDTHS.items():
                url = f"http://{address}/?{urlencode({**question, 'width': width})}"
                picture = pictures / f"{uid}-{name}.png"
                drawn = draw(url, picture, width, folder / "profile")
                print(f"{picture}: {drawn}")  # noqa: T201 - what was left out is its report


def draw(url: str, picture: Path, width: int, profile: Path) -> Drawn:
    """Draws a dashboard into a file, as high as it is."""
    drawn = look(browse(url, profile, *_window(width, _FIRST_HEIGHT), "--dump-dom", zone=TIMEZONE))
    window = _window(width, drawn.height_pixels)
    browse(url, profile, *window, f"--screenshot={picture}", zone=TIMEZONE)
    size = picture.stat().st_size
    seen = read_png(picture)
    assert (seen.width, seen.height) == (width, drawn.height_pixels)
    assert size < MOST_BYTES, f"{picture} has {size} bytes"
    return drawn


def look(page: str) -> Drawn:
    """What the page says; faults are an error."""
    said = {name: unescape(value) for name, value in re.findall(r'data-([a-z]+)="([^"]*)"', page)}
    assert "drawn" in said, f"nothing was drawn: {page[-2000:]}"
    lists = {name: tuple(json.loads(said[name])) for name in ("faults", "empty", "omitted")}
    assert not lists["faults"], lists["faults"]
    return Drawn(int(said["drawn"]), **lists)


def _window(width: int, height: int) -> tuple[str, ...]:
    return (
        f"--window-size={width},{height}",
        f"--virtual-time-budget={_DRAWN_WITHIN_MILLISECONDS}",
    )


def _write_history(storage: Path) -> None:
    """What Prometheus would have stored of a simulated ECU until `NOW`."""
    storage.mkdir()
    metrics, script = storage.with_suffix(".openmetrics"), storage.with_suffix(".faults")
    script.write_text(_script(), encoding="utf-8")
    _run(
        *(EXPORTER, "simulate", "--history", f"{HISTORY.days}d", "--until", NOW),
        *("--script", script, "--openmetrics", metrics),
        *("--scrape-interval", SCRAPE_INTERVAL, "--label", "job=aps"),
    )
    _run(
        *("promtool", "tsdb", "create-blocks-from", _ONE_BLOCK_SPAN, "openmetrics", "--quiet"),
        *(metrics, storage),
    )
    metrics.unlink()


def _script() -> str:
    """`TROUBLE` as the simulator reads it: since the start of the history."""
    start = datetime.fromisoformat(NOW) - HISTORY
    lines = []
    for begins, fault, duration in TROUBLE:
        minutes, seconds = divmod(int((datetime.fromisoformat(begins) - start).total_seconds()), 60)
        lines.append(f"+{minutes // 60}:{minutes % 60:02}:{seconds:02} {fault} for {duration}\n")
    return "".join(lines)


def _run(*command: str | Path) -> None:
    environment = own_environment() | {"TZ": TIMEZONE, "APS_PANELS_FILE": str(PANELS)}
    subprocess.run(  # noqa: S603 - our own commands
        command, check=True, env=environment, stdout=subprocess.DEVNULL
    )


@contextmanager
def _serving(site: Path) -> Iterator[str]:
    """The files of a folder at host:port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each file."""


if __name__ == "__main__":
    main()
