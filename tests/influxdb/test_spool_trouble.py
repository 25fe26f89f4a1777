import contextlib
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aps_exporter.errors import SpoolUnavailableError
from aps_exporter.sinks.influxdb.spool import (
    Spool,
)
from aps_exporter.sinks.influxdb.sqlite_pages import PAGE_BYTES
from tests.influxdb.spools import (
    ECU,
    EVERYTHING,
    MIB,
    NOON,
    all_of,
    damage_while_open,
    fill,
    lines_of,
    opened,
)

PUTTING_AND_REMOVING = """
import random, sys
from pathlib import Path
from aps_exporter.sinks.influxdb.spool import Spool
spool = Spool(Path(sys.argv[1]), 1 << 26)
number = int(sys.argv[2])
while True:
    print("putting", number, flush=True)
    spool.put("216000000001", number, [f"line {number} {n} {random.random()}" for n in range(99)])
    print("put", number, flush=True)
    number += 1
    if random.random() < 0.2:
        for gone in random.sample(waiting := spool.oldest(10_000), min(3, len(waiting))):
            print("removing", gone.measured_at, flush=True)
            spool.remove([gone.id])
            print("removed", gone.measured_at, flush=True)
"""


def test_kill_at_any_moment_loses_and_doubles_nothing(
    spool_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there: set[int] = set()
    number = 1
    for _ in range(10):
        command = [sys.executable, "-c", PUTTING_AND_REMOVING, str(spool_folder), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
            assert child.stdout
            told = [child.stdout.readline()]
            time.sleep(random.uniform(0, 0.1))
            child.send_signal(signal.SIGKILL)
            told += child.stdout.read().splitlines(keepends=True)
        unsure = None
        for verb, about in (line.split() for line in told if line.endswith("\n")):
            unsure = int(about) if verb in {"putting", "removing"} else None
            number = max(number, int(about) + 1)
            if verb == "put":
                there.add(int(about))
            elif verb == "removed":
                there.remove(int(about))
        with opened(spool_folder) as spool:
            rounds = spool.oldest(EVERYTHING)
        assert all(
            len(r.lines) == 99
            and all(line.startswith(f"line {r.measured_at} {n} ") for n, line in enumerate(r.lines))
            for r in rounds
        )
        found = [r.measured_at for r in rounds]
        assert len(set(found)) == len(found)
        assert set(found) ^ there <= {unsure}
        there = set(found)
    assert number > 50
    assert not caplog.records


@contextlib.contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _put_until_full(spool: Spool) -> dict[int, tuple[str, ...]]:
    put: dict[int, tuple[str, ...]] = {}
    for measured_at in range(NOON, NOON + 5_000):
        lines = lines_of(measured_at)
        try:
            spool.put(ECU, measured_at, lines)
        except SpoolUnavailableError:
            return put
        put[measured_at] = lines
    pytest.fail("never full")


def test_file_that_cannot_grow_stops_nothing_but_putting(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        with _files_of_at_most(MIB // 2):
            put = _put_until_full(spool)
            assert len(put) > 100
            assert all_of(spool) == put
            with pytest.raises(SpoolUnavailableError):
                spool.remove(range(1, len(put)))
            assert all_of(spool) == put
        spool.put(ECU, NOON - 2, put.setdefault(NOON - 2, ("there is space again",)))
        assert all_of(spool) == put
    with opened(spool_folder) as spool:
        assert all_of(spool) == put


def test_full_disk_stops_nothing_but_putting(spool_folder: Path) -> None:
    disk = spool_folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(  # noqa: S603
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)],  # noqa: S607
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    try:
        (disk / "another's").write_bytes(bytes(MIB))
        with opened(disk) as spool:
            put = _put_until_full(spool)
            assert len(put) > 50
            assert all_of(spool) == put
            with pytest.raises(SpoolUnavailableError, match="full"):
                spool.put(ECU, NOON - 1, lines_of(NOON - 1, 2_000))
            removed = spool.oldest(20 * 121)
            spool.remove([r.id for r in removed])
            for gone in removed:
                del put[gone.measured_at]
            (disk / "another's").unlink()
            spool.put(ECU, NOON - 2, put.setdefault(NOON - 2, ("there is space again",)))
            assert all_of(spool) == put
        with opened(disk) as spool:
            assert all_of(spool) == put
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S603, S607


def test_spool_cannot_be_opened_where_nothing_can_be_written(spool_folder: Path) -> None:
    with _files_of_at_most(0), pytest.raises(SpoolUnavailableError):
        Spool(spool_folder, MIB)
    with opened(spool_folder) as spool:
        assert spool.oldest(1) == []


def test_damaged_spool_stays_where_it_is_while_there_is_no_space_for_a_new_one(
    spool_folder: Path,
) -> None:
    with opened(spool_folder) as spool:
        put = fill(spool, 10)
        damage_while_open(spool_folder, b"?" * 300)
        with _files_of_at_most(PAGE_BYTES):
            for _ in range(2):
                with pytest.raises(SpoolUnavailableError):
                    spool.oldest(EVERYTHING)
        assert all_of(spool) == put


@pytest.mark.parametrize("blocker", ["folder", "folder/influxdb-spool.sqlite3/x"])
def test_spool_in_a_place_that_cannot_be_used_says_where(spool_folder: Path, blocker: str) -> None:
    if blocker == "folder":
        (spool_folder / blocker).write_text("a file", encoding="utf-8")
    else:
        (spool_folder / blocker).mkdir(parents=True)
    with pytest.raises(SpoolUnavailableError, match=r"folder.influxdb-spool\.sqlite3: "):
        Spool(spool_folder / "folder", MIB)


def test_space_for_removing_is_held_once_there_is_so_much(spool_folder: Path) -> None:
    reserve = spool_folder / "influxdb-spool.sqlite3.reserve"
    with _files_of_at_most(MIB // 2), opened(spool_folder) as spool:
        assert not reserve.exists()
        spool.put(ECU, NOON, ["line"])
        assert not reserve.exists()
    with opened(spool_folder) as spool:
        assert reserve.stat().st_size == MIB
        reserve.unlink()
        spool.put(ECU, NOON + 300, ["line"])
        assert reserve.stat().st_size == MIB
