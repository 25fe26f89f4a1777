import contextlib
import io
import logging
import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from aps_exporter.errors import SpoolUnavailableError
from aps_exporter.sinks.influxdb.spool import (
    Spool,
)
from aps_exporter.sinks.influxdb.spool_file import is_damage
from aps_exporter.sinks.influxdb.sqlite_pages import PAGE_BYTES, Pages
from tests.influxdb.spools import (
    ECU,
    EVERYTHING,
    MIB,
    NOON,
    PERIOD,
    all_of,
    damage_while_open,
    file_in,
    fill,
    lines_of,
    opened,
    set_aside_in,
    wal_in,
)


def _check_renewed(
    folder: Path, put: dict[int, tuple[str, ...]], lost_at_most: int
) -> dict[int, tuple[str, ...]]:
    """Open a damaged spool: what is there is whole, next to nothing is missing, and it works."""
    with opened(folder) as spool:
        kept = all_of(spool)
        assert kept.items() <= put.items()
        assert len(put) - len(kept) <= lost_at_most
        spool.put(ECU, NOON - 1, ["new"])
        assert all_of(spool) == {**kept, NOON - 1: ("new",)}
    return kept


def _rounds_on_page(file: Path) -> dict[int, int]:
    """How many rounds are lost with each page, found by cutting through SQLite's own eyes."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        try:
            rows = connection.execute(
                "SELECT pageno, SUM(ncell), MAX(pagetype) FROM dbstat"
                " WHERE name = 'rounds' AND pagetype <> 'internal' GROUP BY pageno"
            ).fetchall()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite has no dbstat table")
    return {page: 1 if kind == "overflow" else cells for page, cells, kind in rows}


@pytest.mark.parametrize("filler", ["zeros", "chance"])
def test_each_single_damaged_page_costs_only_the_rounds_on_it(
    filled: tuple[Path, dict[int, tuple[str, ...]]], spool_folder: Path, filler: str
) -> None:
    source, put = filled
    on_page = _rounds_on_page(source)
    whole = source.read_bytes()
    pages = len(whole) // PAGE_BYTES
    assert pages > 30
    chance = random.Random(filler)
    for page in range(1, pages + 1):
        folder = spool_folder / str(page)
        folder.mkdir()
        filling = {
            "zeros": bytes(PAGE_BYTES),
            "chance": chance.randbytes(PAGE_BYTES),
        }[filler]
        file_in(folder).write_bytes(
            whole[: (page - 1) * PAGE_BYTES] + filling + whole[page * PAGE_BYTES :]
        )
        kept = _check_renewed(folder, put, on_page.get(page, 0))
        assert len(put) - len(kept) == on_page.get(page, 0)
        shutil.rmtree(folder)


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_anywhere_leave_only_whole_rounds(
    filled: tuple[Path, dict[int, tuple[str, ...]]], spool_folder: Path, seed: int
) -> None:
    source, put = filled
    chance = random.Random(seed)
    octets = bytearray(source.read_bytes())
    for _ in range(chance.choice([1, 1, 1, 3])):
        length = chance.choice([1, 1, 8, 100, 5_000])
        start = chance.randrange(len(octets))
        octets[start : start + length] = chance.randbytes(length)
    file_in(spool_folder).write_bytes(octets[: source.stat().st_size])
    _check_renewed(spool_folder, put, lost_at_most=40)


def test_schema_that_is_no_text_is_damage(
    filled: tuple[Path, dict[int, tuple[str, ...]]], spool_folder: Path
) -> None:
    source, put = filled
    octets = source.read_bytes().replace(b"CREATE TABLE rounds", b"CREATE \xe4ABLE rounds")
    file_in(spool_folder).write_bytes(octets)
    assert _check_renewed(spool_folder, put, 0) == put
    assert len(set_aside_in(spool_folder)) == 1


def test_file_of_random_bytes_is_no_hindrance(spool_folder: Path) -> None:
    file_in(spool_folder).write_bytes(random.Random(1).randbytes(30 * PAGE_BYTES + 17))
    assert _check_renewed(spool_folder, {}, 0) == {}


@pytest.mark.parametrize("tenths", range(10))
def test_truncated_file_gives_the_rounds_before_the_cut(
    filled: tuple[Path, dict[int, tuple[str, ...]]], spool_folder: Path, tenths: int
) -> None:
    source, put = filled
    whole = source.read_bytes()
    file_in(spool_folder).write_bytes(whole[: len(whole) * tenths // 10 + 1])
    kept = _check_renewed(spool_folder, put, lost_at_most=len(put))
    assert len(kept) > len(put) * (tenths - 2) // 10


def _copy_of_open_spool(spool_folder: Path, folder: Path) -> None:
    folder.mkdir()
    for file in (file_in(spool_folder), wal_in(spool_folder)):
        shutil.copy(file, folder)


def test_deleted_wal_costs_only_what_was_in_it(spool_folder: Path) -> None:
    with opened(spool_folder / "open") as spool:
        put = fill(spool, 90)
        _copy_of_open_spool(spool_folder / "open", spool_folder / "copy")
    wal_in(spool_folder / "copy").unlink()
    kept = _check_renewed(spool_folder / "copy", put, lost_at_most=60)
    assert kept


@pytest.mark.parametrize("size", [0, PAGE_BYTES, 5 * PAGE_BYTES])
def test_rounds_in_the_wal_outlive_the_file_beside_it(spool_folder: Path, size: int) -> None:
    with opened(spool_folder / "open") as spool:
        put = fill(spool, 3)
        _copy_of_open_spool(spool_folder / "open", spool_folder / "copy")
    file_in(spool_folder / "copy").write_bytes(b"?" * size)
    assert _check_renewed(spool_folder / "copy", put, lost_at_most=0) == put


def _row_ids(folder: Path, wal: bytes | None) -> list[int]:
    """Ids of all that is whole in a file and this WAL, by the pages alone."""
    with file_in(folder).open("rb") as database:
        pages = Pages(database, io.BytesIO(wal) if wal is not None else None)
        return sorted(
            cell.row_id
            for cell in pages.cells()
            if cell.row_id and isinstance(cell.values[-1], bytes)
        )


def test_pages_alone_show_what_sqlite_shows(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        fill(spool, 150)
        spool.remove(range(30, 60))
        spool.put(ECU, 1, lines_of(1, 3_000))
        ids = sorted(waiting.id for waiting in spool.oldest(EVERYTHING))
        wal = wal_in(spool_folder).read_bytes()
        assert _row_ids(spool_folder, wal) == ids
        by_file_alone = _row_ids(spool_folder, None)
        assert by_file_alone != ids
        for not_a_wal in (b"", wal[:20], bytes(len(wal)), wal[:8] + b"????" + wal[12:]):
            assert _row_ids(spool_folder, not_a_wal) == by_file_alone


def test_wal_cut_or_damaged_anywhere_counts_up_to_its_last_whole_transaction(
    spool_folder: Path,
) -> None:
    with opened(spool_folder) as spool:
        fill(spool, 8)
        wal = wal_in(spool_folder).read_bytes()
        rounds = set()
        for length in range(32, len(wal), 1_111):
            cut = _row_ids(spool_folder, wal[:length])
            assert cut == list(range(1, len(cut) + 1))
            damaged = wal[:length] + bytes([wal[length] ^ 0xFF]) + wal[length + 1 :]
            assert _row_ids(spool_folder, damaged) == cut
            rounds.add(len(cut))
        assert rounds == set(range(8))


def test_page_that_cannot_be_read_is_passed_over(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        fill(spool, 40)

    class BadSector(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 9 * PAGE_BYTES:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with BadSector(file_in(spool_folder)) as database:
        rows = [c for c in Pages(database, None).cells() if isinstance(c.values[-1], bytes)]
    assert 30 <= len(rows) < 40


def test_loud_line_tells_what_was_saved_and_what_was_lost(
    spool_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(spool_folder) as spool:
        fill(spool, 40)
    octets = bytearray(file_in(spool_folder).read_bytes())
    first = octets.index(b"\x78\x9c", octets.index(ECU.encode()))
    octets[first + 50] ^= 0x10
    file_in(spool_folder).write_bytes(octets)
    os.utime(file_in(spool_folder), (NOON, NOON))
    with opened(spool_folder) as spool:
        assert not caplog.records
        assert len(spool.oldest(EVERYTHING)) == 39
    (record,) = caplog.records
    (aside,) = set_aside_in(spool_folder)
    assert record.levelno == logging.ERROR
    assert (
        record.__dict__.items()
        >= {
            "set_aside": str(aside),
            "rounds_saved": 39,
            "rounds_lost": 1,
            "points_lost": 121,
        }.items()
    )
    assert aside.name == "influxdb-spool.sqlite3.damaged-20260528T202640Z"
    assert aside.read_bytes() == octets


def test_no_file_set_aside_takes_the_place_of_another(spool_folder: Path) -> None:
    for text in (b"one" * 50, b"two" * 50, b"three" * 50):
        file_in(spool_folder).write_bytes(text)
        os.utime(file_in(spool_folder), (NOON, NOON))
        with opened(spool_folder) as spool:
            assert spool.oldest(1) == []
    assert [aside.read_bytes()[:3] for aside in set_aside_in(spool_folder)] == [
        b"one",
        b"two",
        b"thr",
    ]


DAMAGES = {
    "body": "UPDATE rounds SET body = x'00' WHERE id = 5",
    "no body": "UPDATE rounds SET body = NULL WHERE id = 5",
    "another time": "UPDATE rounds SET measured_at = 7 WHERE id = 5",
    "points": "UPDATE rounds SET points = 7 WHERE id = 5",
    "text": "UPDATE rounds SET ecu = CAST(x'FF' AS TEXT) WHERE id = 5",
    "id": "UPDATE rounds SET id = 700 WHERE id = 5",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_row_that_does_not_prove_itself_is_left_behind(spool_folder: Path, name: str) -> None:
    with opened(spool_folder) as spool:
        fill(spool, 10)
        with contextlib.closing(
            sqlite3.connect(file_in(spool_folder), isolation_level=None)
        ) as other:
            other.execute(DAMAGES[name])
        assert sorted(r.id for r in spool.oldest(EVERYTHING)) == [1, 2, 3, 4, 6, 7, 8, 9, 10]
        assert spool.put(ECU, NOON + 4 * PERIOD, ["sent or lost"]) == 0
        assert spool.put(ECU, NOON - 1, ["new"]) == 0
        assert spool.oldest(1)[0].lines == ("new",)
    assert len(set_aside_in(spool_folder)) == 1


@pytest.mark.parametrize(
    "statement", ["DROP TABLE remembered", "PRAGMA user_version = 9", "PRAGMA user_version = 0"]
)
def test_file_of_another_shape_is_set_aside_and_its_rounds_carried_over(
    spool_folder: Path, statement: str
) -> None:
    with opened(spool_folder) as spool:
        put = fill(spool, 10)
    with contextlib.closing(sqlite3.connect(file_in(spool_folder), isolation_level=None)) as other:
        other.execute(statement)
    with opened(spool_folder) as spool:
        spool.put(ECU, NOON, ["again"])
        assert all_of(spool) == put
    assert len(set_aside_in(spool_folder)) == 1


def test_database_of_another_program_is_set_aside_not_destroyed(spool_folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(file_in(spool_folder), isolation_level=None)) as other:
        other.execute("CREATE TABLE photographs (name TEXT)")
        other.execute("INSERT INTO photographs VALUES ('roof')")
    with opened(spool_folder) as spool:
        assert spool.oldest(1) == []
    (aside,) = set_aside_in(spool_folder)
    with contextlib.closing(sqlite3.connect(aside)) as other:
        assert other.execute("SELECT * FROM photographs").fetchall() == [("roof",)]


def test_damage_at_run_time_is_mended_before_the_call_returns(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        put = fill(spool, 20)
        for number in range(1, 4):
            damage_while_open(spool_folder, b"?" * 300)
            assert all_of(spool) == put
            damage_while_open(spool_folder, b"?" * 300)
            put[NOON - number] = (f"line {number}",)
            assert spool.put(ECU, NOON - number, put[NOON - number]) == 0
            damage_while_open(spool_folder, b"?" * 300)
            assert spool.state().points == sum(map(len, put.values()))
            damage_while_open(spool_folder, b"?" * 300)
            newest = spool.newest()
            assert newest
            damage_while_open(spool_folder, b"?" * 300)
            spool.remove([newest.id])
            del put[newest.measured_at]
        assert all_of(spool) == put
    assert len(set_aside_in(spool_folder)) == 3  # of fifteen, the newest


def test_id_is_not_given_out_again_after_all_was_lost(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        spool.put(ECU, NOON, ["lost"])
        spool.close()
        with opened(spool_folder) as same:
            assert [r.id for r in same.oldest(1)] == [1]
        file_in(spool_folder).write_bytes(b"?" * 9_000)
        spool.put(ECU, NOON + 300, ["new"])
        assert [r.id for r in spool.oldest(10)] == [2]


def test_deleted_spool_is_said_and_started_anew(
    spool_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(spool_folder / "folder") as spool:
        fill(spool, 3)
        shutil.rmtree(spool_folder / "folder")
        spool.put(ECU, NOON, ["new"])
        with opened(spool_folder / "folder") as another:
            assert [r.lines for r in another.oldest(10)] == [("new",)]
    assert [record.getMessage() for record in caplog.records] == [
        "the spool was deleted; it starts anew"
    ]


@pytest.mark.parametrize("step", range(5))
def test_renewal_cut_off_at_any_step_is_finished_at_the_next_open(
    spool_folder: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with opened(spool_folder) as spool:
        put = fill(spool, 10)
    with file_in(spool_folder).open("r+b") as file:
        file.write(b"?" * 300)
    renamed: list[Path] = []
    replace = Path.replace

    def replace_until(self: Path, target: Path) -> Path:
        if len(renamed) == step:
            raise OSError(30, "Read-only file system")
        renamed.append(self)
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace_until)
        with pytest.raises(SpoolUnavailableError, match="Read-only"):
            Spool(spool_folder, MIB)
    assert len(renamed) == step
    assert _check_renewed(spool_folder, put, 0) == put
    assert len(set_aside_in(spool_folder)) == 1
    assert not [*spool_folder.glob("*.new"), *spool_folder.glob("*.partial")]


def test_sent_rounds_are_remembered_beyond_damage_as_far_as_they_prove_themselves(
    spool_folder: Path,
) -> None:
    with opened(spool_folder) as spool:
        for number in range(3):
            spool.put(ECU, NOON + number, ["sent"])
        spool.remove([1, 2, 3])
    with contextlib.closing(sqlite3.connect(file_in(spool_folder), isolation_level=None)) as other:
        other.execute("UPDATE remembered SET measured_at = 7 WHERE id = 2")
        other.execute("PRAGMA user_version = 9")
    with opened(spool_folder) as spool:
        for number in range(3):
            spool.put(ECU, NOON + number, [f"again {number}"])
        assert [r.lines for r in spool.oldest(10)] == [("again 1",)]


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        (sqlite3.SQLITE_CORRUPT_INDEX, True),
        (sqlite3.SQLITE_NOTADB, True),
        (sqlite3.SQLITE_ERROR, True),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, True),
        (sqlite3.SQLITE_IOERR_READ, True),
        (sqlite3.SQLITE_IOERR_WRITE, False),
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, False),
        (sqlite3.SQLITE_READONLY_DIRECTORY, False),
    ],
)
def test_damage_is_what_no_waiting_mends(code: int, damage: bool) -> None:  # noqa: FBT001 - a table
    error = sqlite3.OperationalError("?")
    error.sqlite_errorcode = code
    assert is_damage(error) is damage
