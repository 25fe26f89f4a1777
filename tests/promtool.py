"""The real promtool."""

import os
import subprocess
from pathlib import Path
from typing import Final

PROMTOOL: Final = os.environ.get("PROMTOOL", "promtool")
_ANSWERS_WITHIN_SECONDS: Final = 250


def promtool_says(*arguments: str | Path, given: str = "") -> tuple[int, str]:
    """Its exit status and all its words; `given` is its standard input."""
    said = subprocess.run(  # noqa: S603 - what is run stands here
        [PROMTOOL, *map(str, arguments)],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_ANSWERS_WITHIN_SECONDS,
    )
    return said.returncode, said.stdout
