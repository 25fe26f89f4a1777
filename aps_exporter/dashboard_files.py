"""The Grafana dashboards that come with the package: classic JSON, one file each."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_PACKAGED: Final = Path(__file__).parent / "dashboards"
_IN_A_CHECKOUT: Final = Path(__file__).parents[1] / "grafana" / "dashboards"


def dashboard_files() -> Mapping[str, str]:
    """The files' text by name; empty for a package that was built without them."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_paths())}


def _paths() -> Iterator[Path]:
    folder = _PACKAGED if _PACKAGED.is_dir() else _IN_A_CHECKOUT
    return folder.glob("*.json")
