"""Chromium without a window."""

import subprocess
from pathlib import Path
from typing import Final

from tests.integration.programs import own_environment

_CHROMIUM: Final = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_GIVE_UP_SECONDS: Final = 120


def browse(url: str, profile: Path, *flags: str, zone: str = "UTC") -> str:
    """What Chromium prints when it opens a page with these flags, in this time zone."""
    return subprocess.run(  # noqa: S603 - a fixed command on a page of this machine
        [*_CHROMIUM, f"--user-data-dir={profile}", *flags, url],
        capture_output=True,
        check=True,
        env={**own_environment(), "TZ": zone},
        text=True,
        timeout=_GIVE_UP_SECONDS,
    ).stdout
