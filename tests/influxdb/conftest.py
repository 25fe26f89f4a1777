import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.influxdb.spools import (
    ECU,
    EVERYTHING,
    MEMORY,
    NOON,
    PERIOD,
    file_in,
    fill,
    lines_of,
    opened,
)


@pytest.fixture
def spool_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, tuple[str, ...]]]:
    """A spool of many pages: two levels, free pages within, a round on a chain of pages."""
    folder = tmp_path_factory.mktemp("filled")
    with opened(folder) as spool:
        put = fill(spool, 120)
        gone = [waiting.id for waiting in spool.oldest(EVERYTHING)[20:32]]
        spool.remove(gone)
        for n in range(20, 32):
            del put[NOON + n * PERIOD]
        for measured_at, channels in ((NOON + 1, 1_500), (NOON + 2, 700)):
            put[measured_at] = lines_of(measured_at, channels)
            spool.put(ECU, measured_at, put[measured_at])
    return file_in(folder), put
