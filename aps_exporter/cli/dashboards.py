"""`dashboards export`: the Grafana dashboards, as files to import or to provision."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from aps_exporter.cli import EXIT_OK
from aps_exporter.dashboard_files import dashboard_files
from aps_exporter.errors import ConfigError


def export(options: argparse.Namespace) -> int:
    """Write every dashboard, or none where one would replace a file that differs."""
    folder = Path(options.folder)
    dashboards = dashboard_files()
    if not dashboards:
        raise ConfigError("this installation has no dashboards in it; install aps-exporter anew")
    there = _what_is_there(folder, dashboards)
    if not options.force:
        _refuse_what_differs(folder, dashboards, there)
    _write(folder, {n: text for n, text in dashboards.items() if there.get(n) != text.encode()})
    for name, text in dashboards.items():
        state = "unchanged" if there.get(name) == text.encode() else "written"
        print(f"{folder / name}: {state}")
    return EXIT_OK


def _what_is_there(folder: Path, names: Mapping[str, str]) -> dict[str, bytes]:
    try:
        return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}
    except OSError as error:
        raise _unusable(folder, error) from error


def _refuse_what_differs(
    folder: Path, dashboards: Mapping[str, str], there: Mapping[str, bytes]
) -> None:
    def faults() -> Iterator[str]:
        for name, found in there.items():
            if found != dashboards[name].encode():
                yield (
                    f"{folder / name}: is there already, and differs; choose another directory, or "
                    "replace it with --force"
                )

    if found := [*faults()]:
        raise ConfigError(*found)


def _write(folder: Path, dashboards: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in dashboards.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: OSError) -> ConfigError:
    place = error.filename or folder
    return ConfigError(
        f"{place}: cannot be used: {error.strerror}; expected a directory that can be written"
    )
