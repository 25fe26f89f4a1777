"""What only somebody can help, on real databases: it is said clearly, and nothing is lost by it."""

import random
import re
import resource
import sqlite3
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.integration.databases import (
    ADMIN,
    EVERY_KIND,
    SECRET,
    Database,
    InfluxDb1,
    InfluxDb2,
    Kind,
    Series,
    Trouble,
    VictoriaMetrics,
    proxy,
    started,
)
from tests.integration.lives import STATE, Life, life, log_of
from tests.integration.pages import get
from tests.integration.plant_record import DAY_ENERGY, record
from tests.integration.programs import (
    EXPORTER,
    own_environment,
    running_exporter,
    running_simulator,
)
from tests.integration.scaled_exporter import ROUND_SECONDS

pytestmark = pytest.mark.integration

START: Final = datetime(2024, 6, 1, 8, 0, 20, tzinfo=UTC)
FIRST_ROUND: Final = START.replace(second=0)
HOURS: Final = 4
ROUNDS: Final = HOURS * 3_600 // ROUND_SECONDS + 1
END: Final = START + timedelta(hours=HOURS, seconds=200)
SPEED: Final = 6_000
SPEED_ON_A_FULL_DISK: Final = 2_000
"""The clock does not wait for rounds that no disk takes."""

SPOOL: Final = "influxdb-spool.sqlite3"
PAGE_BYTES: Final = 4_096
DISK_BYTES: Final = 8 * 2**20
ZLIB_HEAD: Final = b"\x78\x9c"


@dataclass(frozen=True, slots=True)
class Case:
    """Settings that do not fit the database, or what a proxy says instead of one that minds."""

    database: Kind
    reason: str
    hint: str
    wrong: Mapping[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None


CASES: Final = {
    "wrong password": Case(
        InfluxDb1,
        "reason=unauthorized",
        "or user name and password (v1)",
        wrong={"APS_INFLUXDB_PASSWORD": "guessed"},
    ),
    "no such database": Case(
        InfluxDb1,
        "reason=not_found",
        "or APS_INFLUXDB_DATABASE (v1)",
        wrong={"APS_INFLUXDB_DATABASE": "nosuch"},
    ),
    "wrong token": Case(
        VictoriaMetrics, "reason=unauthorized", "check APS_INFLUXDB_TOKEN (v2)", trouble=401
    ),
    "no such bucket": Case(
        VictoriaMetrics, "reason=not_found", "check APS_INFLUXDB_BUCKET", trouble=404
    ),
    "wrong token of InfluxDB 2": Case(
        InfluxDb2,
        "reason=unauthorized",
        "check APS_INFLUXDB_TOKEN (v2)",
        wrong={"APS_INFLUXDB_TOKEN": "guessed"},
    ),
    "no such bucket in InfluxDB 2": Case(
        InfluxDb2,
        "reason=not_found",
        "check APS_INFLUXDB_BUCKET",
        wrong={"APS_INFLUXDB_BUCKET": "nosuch"},
    ),
    "no such organisation in InfluxDB 2": Case(
        InfluxDb2,
        "reason=not_found",
        "check APS_INFLUXDB_BUCKET",
        wrong={"APS_INFLUXDB_ORG": "nosuch"},
    ),
}


def _assert_everything_is_there(series: Series, *, but: int = 0) -> None:
    """All that the plant did, or all but so many rounds."""
    expected = record(FIRST_ROUND, ROUNDS)
    times = {at for points in expected.values() for at in points}
    missing = times - {at for points in series.values() for at in points}
    assert len(missing) == but
    stored = {key: points for key, points in series.items() if key[0] != DAY_ENERGY}
    assert stored == {
        key: pytest.approx(
            {at: value for at, value in points.items() if at not in missing}, rel=1e-9
        )
        for key, points in expected.items()
    }


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=name, marks=[pytest.mark.influxdb2] if case.database is InfluxDb2 else []
        )
        for name, case in CASES.items()
    ],
)
def test_wrong_settings_are_told_and_nothing_is_lost(case: Case, tmp_path: Path) -> None:
    database: Database = case.database(tmp_path / "database")
    exporter = tmp_path / "exporter"
    with started(database), proxy(database.address) as front:
        settings = {**database.settings, "APS_INFLUXDB_URL": f"http://{front.address}"}
        front.trouble = case.trouble
        with life(exporter, START, END, SPEED, {**settings, **case.wrong}) as wrong:
            wrong.reach(HOURS * 3_600 / 2)
        front.trouble = None
        (line, *_) = [line for line in log_of(exporter).splitlines() if "takes no points" in line]
        assert case.reason in line
        assert case.hint in line
        assert front.taken == []
        again = START + timedelta(seconds=wrong.seconds())
        with life(exporter, again, END, SPEED, settings) as right:
            assert right.process.wait(30) == 0
        _assert_everything_is_there(database.series())


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A small file system in this folder, if this machine lets us make one; tells whether it is."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        is_mounted = not subprocess.run(mount, capture_output=True, check=False).returncode  # noqa: S603 - ours
    except FileNotFoundError:
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 - ours


@contextmanager
def full(folder: Path, running: Life, *, is_mounted: bool) -> Iterator[None]:
    """No file in it can grow, until the context ends."""
    if not is_mounted:
        size = (folder / SPOOL).stat().st_size
        _, most = before = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (size, most))
        yield
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, before)
        return
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(PAGE_BYTES))
    yield
    filler.unlink()


def test_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    database = InfluxDb1(tmp_path / "database")
    exporter = tmp_path / "exporter"
    with (
        small_disk(exporter / STATE) as is_mounted,
        started(database),
        proxy(database.address) as front,
    ):
        settings = {
            **database.settings,
            "APS_INFLUXDB_URL": f"http://{front.address}",
            "APS_LOG_LEVEL": "error",  # the log is not to grow until it is full itself
        }
        front.trouble = 503
        with life(exporter, START, END, SPEED_ON_A_FULL_DISK, settings) as running:
            address = running.address()
            running.reach(3_600)
            with full(exporter / STATE, running, is_mounted=is_mounted):
                running.says("the InfluxDB spool cannot be written; points are kept in memory")
                running.reach(3 * 3_600)
                page = get(address, "/metrics").text
            front.trouble = None
            assert running.process.wait(30) == 0
        assert re.search(
            r'^aps_influxdb_write_failures_total\{reason="spool"\} [1-9]', page, re.MULTILINE
        )
        assert "make room on the disk of APS_STATE_DIR" in log_of(exporter)
        _assert_everything_is_there(database.series())


def test_damaged_spool_is_told_and_costs_what_was_on_the_damaged_page(tmp_path: Path) -> None:
    database = InfluxDb1(tmp_path / "database")
    exporter = tmp_path / "exporter"
    with started(database), proxy(database.address) as front:
        settings = {**database.settings, "APS_INFLUXDB_URL": f"http://{front.address}"}
        front.trouble = 503
        with life(exporter, START, END, SPEED, settings) as before:
            before.reach(HOURS * 3_600 / 2)
        on_page = _damage_a_page(exporter / STATE / SPOOL)
        front.trouble = None
        again = START + timedelta(seconds=before.seconds())
        with life(exporter, again, END, SPEED, settings) as after:
            assert after.process.wait(30) == 0
        (line,) = [line for line in log_of(exporter).splitlines() if "the spool is damaged" in line]
        assert "level=error" in line
        assert f" rounds_lost={on_page} " in line
        assert [*(exporter / STATE).glob(f"{SPOOL}.damaged-*")]
        _assert_everything_is_there(database.series(), but=on_page)


def _damage_a_page(file: Path) -> int:
    """Overwrite one that has rounds on it; how many they were."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    rounds = {
        start: content[start : start + PAGE_BYTES].count(ZLIB_HEAD)
        for start in range(PAGE_BYTES, len(content), PAGE_BYTES)
    }
    start = max(rounds, key=lambda start: rounds[start])
    content[start : start + PAGE_BYTES] = random.Random(5).randbytes(PAGE_BYTES)
    file.write_bytes(content)
    return rounds[start]


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("trouble", [None, 401])
def test_secret_is_nowhere_to_be_seen(kind: Kind, trouble: Trouble | None, tmp_path: Path) -> None:
    secrets = {SECRET, b64encode(f"{ADMIN}:{SECRET}".encode()).decode()}
    database = kind(tmp_path / "database")
    folder = tmp_path / "exporter"
    with (
        started(database),
        proxy(database.address) as front,
        running_simulator(folder) as ecu,
    ):
        front.trouble = trouble
        settings = {
            **database.settings,
            "APS_INFLUXDB_URL": f"http://{front.address}",
            "APS_LOG_LEVEL": "debug",
            "APS_STATE_DIR": str(folder / STATE),
        }
        up = f"aps_influxdb_up {float(trouble is None)}"
        with running_exporter(ecu.address, folder, settings) as exporter:
            while up not in get(exporter.address, "/metrics").text:
                pass
            seen = [
                get(exporter.address, page).text
                for page in ("/metrics", "/", "/api/v1/snapshots", "/-/ready")
            ]
        for command in (["config"], ["check", ecu.address], ["check", "--json", ecu.address]):
            ended = subprocess.run(  # noqa: S603 - our own command
                [EXPORTER, *command],
                cwd=folder,
                env={**own_environment(), **settings, "APS_ECU_HOSTS": ecu.address},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == (0 if trouble is None else 1)
            seen += [ended.stdout, ended.stderr]
        seen += [log.read_text(encoding="utf-8") for log in folder.glob("*.log")]
        seen += [
            file.read_bytes().decode("utf-8", errors="replace")
            for file in (folder / STATE).iterdir()
        ]
    assert len(seen) > 10
    assert [text for text in seen for secret in secrets if secret in text] == []
