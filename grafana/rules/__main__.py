"""Writes the rule files: `python -m grafana.rules --voltage-limit 253 --output DIR`."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grafana.rules.rule_files import USUAL_VOLTAGE_LIMIT, rule_files

SHIPPED: Final = Path(__file__).parents[2] / "deploy" / "prometheus"

_LEAST_VOLTS, _MOST_VOLTS = 100.0, 300.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both files and say where; exit 2 for a limit or a folder that cannot be."""
    parser = ArgumentParser(prog="python -m grafana.rules", description="Writes Prometheus rules.")
    parser.add_argument(
        "--voltage-limit",
        type=_volts,
        default=USUAL_VOLTAGE_LIMIT,
        metavar="VOLTS",
        help="grid voltage to alert above, phase to neutral (default: %(default)g)",
    )
    parser.add_argument(
        "--output", type=Path, default=SHIPPED, metavar="DIR", help="default: deploy/prometheus"
    )
    chosen = parser.parse_args(arguments)
    for name, text in rule_files(chosen.voltage_limit).items():
        path = chosen.output / name
        try:
            chosen.output.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            parser.error(f"--output: expected a folder to write in, got {path}: {error.strerror}")
        sys.stdout.write(f"{path}\n")


def _volts(text: str) -> float:
    try:
        volts = float(text)
    except ValueError:
        volts = 0.0
    if not _LEAST_VOLTS <= volts <= _MOST_VOLTS:
        raise ArgumentTypeError(
            f"expected volts to neutral from {_LEAST_VOLTS:g} to {_MOST_VOLTS:g}, got {text!r}"
        )
    return volts


if __name__ == "__main__":
    main()
