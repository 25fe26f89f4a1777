import contextlib
import io
import logging
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aps_exporter.errors import SpoolUnavailableError
from aps_exporter.sinks.influxdb.spool import (
    MOST_ROUNDS_REMEMBERED,
    ROUNDS_REMEMBERED,
    Spool,
    SpooledRound,
    SpoolState,
)
from aps_exporter.sinks.influxdb.sqlite_pages import PAGE_BYTES, Pages

ECU = "216000000001"
NOON = 1_780_000_000
PERIOD = 300
MIB = 1024 * 1024
EVERYTHING = 1_000_000


def _lines(measured_at: int, channels: int = 121) -> tuple[str, ...]:
    """One round; by their random powers no line compresses to nothing."""
    chance = random.Random(measured_at)
    return tuple(
        f"aps_channel,channel=1,ecu={ECU},inverter=8020000000{channel:02} "
        f"power_watts={chance.randrange(400)},integrated_energy_kwh={chance.random():.4f} "
        f"{measured_at}"
        for channel in range(channels)
    )


def _file(folder: Path) -> Path:
    return folder / "influxdb-spool.sqlite3"


def _wal(folder: Path) -> Path:
    return folder / "influxdb-spool.sqlite3-wal"


def _aside(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.damaged-*"))


@contextlib.contextmanager
def _opened(folder: Path, max_bytes: int = 64 * MIB) -> Iterator[Spool]:
    with contextlib.closing(Spool(folder, max_bytes)) as spool:
        yield spool


def _fill(spool: Spool, rounds: int, channels: int = 121) -> dict[int, tuple[str, ...]]:
    put = {NOON + n * PERIOD: _lines(NOON + n * PERIOD, channels) for n in range(rounds)}
    for measured_at, lines in put.items():
        spool.put(ECU, measured_at, lines)
    return put


def _all(spool: Spool) -> dict[int, tuple[str, ...]]:
    rounds = spool.oldest(EVERYTHING)
    assert len({waiting.measured_at for waiting in rounds}) == len(rounds)
    return {waiting.measured_at: waiting.lines for waiting in rounds}


MEMORY = next(filter(os.path.isdir, ["/dev/shm"]), None)  # noqa: S108 - made by tempfile
"""Where waiting for the disk costs nothing."""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, tuple[str, ...]]]:
    """A spool of many pages: two levels, free pages within, a round on a chain of pages."""
    folder = tmp_path_factory.mktemp("filled")
    with _opened(folder) as spool:
        put = _fill(spool, 120)
        gone = [waiting.id for waiting in spool.oldest(EVERYTHING)[20:32]]
        spool.remove(gone)
        for n in range(20, 32):
            del put[NOON + n * PERIOD]
        for measured_at, channels in ((NOON + 1, 1_500), (NOON + 2, 700)):
            put[measured_at] = _lines(measured_at, channels)
            spool.put(ECU, measured_at, put[measured_at])
    return _file(folder), put


# --- the queue


def test_rounds_come_oldest_first_whatever_the_order_they_were_put_in(tmp_path: Path) -> None:
    with _opened(tmp_path / "new" / "folder") as spool:
        for measured_at in (NOON + 600, NOON, NOON + 300):
            assert spool.put(ECU, measured_at, [f"line {measured_at}"]) == 0
        assert [r.measured_at for r in spool.oldest(10)] == [NOON, NOON + 300, NOON + 600]
        assert spool.newest() == SpooledRound(1, NOON + 600, (f"line {NOON + 600}",))


def test_empty_spool_has_nothing(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        assert (spool.oldest(10), spool.newest()) == ([], None)
        assert spool.state() == SpoolState(0, spool.state().bytes, None)


def test_state_counts_lines_and_names_the_oldest_round(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        before = spool.state().bytes
        spool.put(ECU, NOON + 300, ["a", "b"])
        spool.put(ECU, NOON, _lines(NOON, 1_000))
        state = spool.state()
    assert (state.points, state.oldest) == (1_002, NOON)
    assert state.bytes > before


def test_only_whole_rounds_are_given_and_always_one(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        for number in range(4):
            spool.put(ECU, NOON + number, ["line"] * 3)
        assert [len(spool.oldest(most)) for most in (0, 3, 5, 6, 12, 13)] == [1, 1, 1, 2, 4, 4]


def test_round_survives_closing_and_is_gone_once_removed(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        spool.put(ECU, NOON, _lines(NOON))
    with _opened(tmp_path) as spool:
        (waiting,) = spool.oldest(10)
        assert waiting.lines == _lines(NOON)
        spool.remove([waiting.id, 77])
    with _opened(tmp_path) as spool:
        assert spool.oldest(10) == []


def test_closed_spool_opens_again_when_it_is_used(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        spool.close()
        spool.put(ECU, NOON, ["line"])
        assert spool.state().points == 1


def test_round_put_before_is_left_out_even_once_it_was_sent(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        spool.put(ECU, NOON, ["first"])
        spool.put(ECU, NOON, ["second"])
        spool.put("216000000002", NOON, ["another ECU's"])
        assert [r.lines for r in spool.oldest(10)] == [("first",), ("another ECU's",)]
        spool.remove([r.id for r in spool.oldest(10)])
        spool.put(ECU, NOON, ["third"])
        assert spool.oldest(10) == []


def test_newest_put_rounds_are_remembered_whatever_their_time(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        for number in range(ROUNDS_REMEMBERED + 1):
            spool.put(ECU, NOON - number, ["line"])
        spool.remove([r.id for r in spool.oldest(EVERYTHING)])
        spool.put(ECU, NOON - 1, ["remembered"])
        assert spool.oldest(10) == []
        spool.put(ECU, NOON, ["forgotten"])
        assert [r.lines for r in spool.oldest(10)] == [("forgotten",)]


def test_round_that_still_waits_is_never_doubled(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        for number in range(ROUNDS_REMEMBERED + 2):
            spool.put(ECU, NOON + number, ["line"])
        spool.put(ECU, NOON, ["again"])
        assert spool.state().points == ROUNDS_REMEMBERED + 2


def test_rounds_of_ecus_not_heard_for_long_are_forgotten(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        spool.put(ECU, NOON, ["line"])
        spool.remove([1])
    with contextlib.closing(sqlite3.connect(_file(tmp_path), isolation_level=None)) as file:
        file.execute("INSERT INTO remembered VALUES (?, 'x', 0, 0)", (MOST_ROUNDS_REMEMBERED,))
    with _opened(tmp_path) as spool:
        spool.put("216000000002", NOON, ["line"])
        spool.put(ECU, NOON, ["line"])
        assert spool.state().points == 2


@pytest.mark.parametrize(("ecu", "line"), [(ECU, "two\nlines"), ("two\nlines", "line")])
def test_line_break_within_a_line_is_refused(tmp_path: Path, ecu: str, line: str) -> None:
    with _opened(tmp_path) as spool:
        with pytest.raises(ValueError, match="line break"):
            spool.put(ecu, NOON, [line])
        assert spool.put(ECU, NOON, ["line"]) == 0
        assert spool.state().points == 1


def test_mistake_of_the_caller_is_not_taken_for_damage(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        with pytest.raises(sqlite3.ProgrammingError):
            spool.remove([object()])  # type: ignore[list-item]
        assert not _aside(tmp_path)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 2), st.integers(0, 12)),
        st.tuples(st.just("remove"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0), st.just(0)),
        st.tuples(st.just("damage"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(ACTIONS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_spool_is_a_dictionary_that_forgets_nothing(
    actions: list[tuple[str, int, int]],
) -> None:
    model: dict[tuple[int, int], tuple[str, ...]] = {}
    ids: dict[tuple[int, int], int] = {}
    put_ever: set[tuple[int, str]] = set()
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        folder = Path(name)
        spool = Spool(folder, 64 * MIB)
        for action, one, other in actions:
            if action == "put":
                lines = tuple(f"{one} {number}" for number in range(other))
                assert spool.put(f"ecu{one}", other, lines) == 0
                if (other, f"ecu{one}") not in put_ever:
                    put_ever.add((other, f"ecu{one}"))
                    model[other, len(put_ever)] = lines
            elif action == "remove":
                gone = spool.oldest(EVERYTHING)[:one]
                spool.remove([waiting.id for waiting in gone])
                for key in sorted(model)[:one]:
                    del model[key]
            elif action == "reopen":
                spool.close()
                spool = Spool(folder, 64 * MIB)
            else:
                spool.close()
                with _file(folder).open("r+b") as file:
                    file.write(b"?" * 100)
                spool = Spool(folder, 64 * MIB)
            waiting = spool.oldest(EVERYTHING)
            assert [r.lines for r in waiting] == [model[key] for key in sorted(model)]
            for key, found in zip(sorted(model), waiting, strict=True):
                assert ids.setdefault(key, found.id) == found.id
            assert len(set(ids.values())) == len(ids)
            assert spool.state().points == sum(map(len, model.values()))
            assert spool.newest() == (waiting[-1] if waiting else None)
        spool.close()


# --- its bounds


def test_oldest_rounds_go_first_when_the_spool_is_full(tmp_path: Path) -> None:
    with _opened(tmp_path, MIB // 2) as spool:
        dropped = [spool.put(ECU, NOON + n, _lines(n, 121)) for n in range(700)]
        state = spool.state()
        waiting = [r.measured_at for r in spool.oldest(EVERYTHING)]
    gone = sum(dropped) // 121
    assert 0 < gone < 600
    assert waiting == [NOON + n for n in range(gone, 700)]
    assert 0.45 * MIB < state.bytes <= MIB // 2
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 3 * MIB


def test_wal_stays_small(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        _fill(spool, 300)
        assert _wal(tmp_path).stat().st_size <= MIB


def test_single_round_above_the_limit_is_kept_until_a_newer_one_comes(tmp_path: Path) -> None:
    with _opened(tmp_path, PAGE_BYTES) as spool:
        assert spool.put(ECU, NOON, _lines(NOON, 2_000)) == 0
        assert spool.put(ECU, NOON + 300, ["line"]) == 2_000
        assert [r.lines for r in spool.oldest(1)] == [("line",)]


def test_lowered_limit_is_kept_at_once_and_told_by_the_next_put(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        for number in range(500):
            spool.put(ECU, NOON + number, _lines(number, 120) if number else ())
    with _opened(tmp_path, 100 * 1024) as spool:
        state = spool.state()
        assert state.bytes <= 100 * 1024
        assert spool.put(ECU, NOON + 900, ["x"]) + state.points == 499 * 120
        assert spool.put(ECU, NOON + 901, ["x"]) == 0


def test_file_is_made_smaller_after_a_long_outage(tmp_path: Path) -> None:
    chance = random.Random(1)
    with _opened(tmp_path) as spool:
        for number in range(6):
            spool.put(ECU, NOON + number, [chance.randbytes(MIB).hex()])
        spool.put(ECU, NOON + 9, ["last"])
        spool.remove(range(1, 7))
        assert [r.lines for r in spool.oldest(10)] == [("last",)]
    assert _file(tmp_path).stat().st_size < 100 * 1024


# --- killed


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
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there: set[int] = set()
    number = 1
    for _ in range(10):
        command = [sys.executable, "-c", PUTTING_AND_REMOVING, str(tmp_path), str(number)]
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
        with _opened(tmp_path) as spool:
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


# --- damaged


def _check_renewed(
    folder: Path, put: dict[int, tuple[str, ...]], lost_at_most: int
) -> dict[int, tuple[str, ...]]:
    """Open a damaged spool: what is there is whole, next to nothing is missing, and it works."""
    with _opened(folder) as spool:
        kept = _all(spool)
        assert kept.items() <= put.items()
        assert len(put) - len(kept) <= lost_at_most
        spool.put(ECU, NOON - 1, ["new"])
        assert _all(spool) == {**kept, NOON - 1: ("new",)}
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
    filled: tuple[Path, dict[int, tuple[str, ...]]], tmp_path: Path, filler: str
) -> None:
    source, put = filled
    on_page = _rounds_on_page(source)
    whole = source.read_bytes()
    pages = len(whole) // PAGE_BYTES
    assert pages > 30
    chance = random.Random(filler)
    for page in range(1, pages + 1):
        folder = tmp_path / str(page)
        folder.mkdir()
        filling = {
            "zeros": bytes(PAGE_BYTES),
            "chance": chance.randbytes(PAGE_BYTES),
        }[filler]
        _file(folder).write_bytes(
            whole[: (page - 1) * PAGE_BYTES] + filling + whole[page * PAGE_BYTES :]
        )
        kept = _check_renewed(folder, put, on_page.get(page, 0))
        assert len(put) - len(kept) == on_page.get(page, 0)
        shutil.rmtree(folder)


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_anywhere_leave_only_whole_rounds(
    filled: tuple[Path, dict[int, tuple[str, ...]]], tmp_path: Path, seed: int
) -> None:
    source, put = filled
    chance = random.Random(seed)
    octets = bytearray(source.read_bytes())
    for _ in range(chance.choice([1, 1, 1, 3])):
        length = chance.choice([1, 1, 8, 100, 5_000])
        start = chance.randrange(len(octets))
        octets[start : start + length] = chance.randbytes(length)
    _file(tmp_path).write_bytes(octets[: source.stat().st_size])
    _check_renewed(tmp_path, put, lost_at_most=40)


def test_file_of_random_bytes_is_no_hindrance(tmp_path: Path) -> None:
    _file(tmp_path).write_bytes(random.Random(1).randbytes(30 * PAGE_BYTES + 17))
    assert _check_renewed(tmp_path, {}, 0) == {}


@pytest.mark.parametrize("tenths", range(10))
def test_truncated_file_gives_the_rounds_before_the_cut(
    filled: tuple[Path, dict[int, tuple[str, ...]]], tmp_path: Path, tenths: int
) -> None:
    source, put = filled
    whole = source.read_bytes()
    _file(tmp_path).write_bytes(whole[: len(whole) * tenths // 10 + 1])
    kept = _check_renewed(tmp_path, put, lost_at_most=len(put))
    assert len(kept) > len(put) * (tenths - 2) // 10


def _copy_of_open_spool(spool_folder: Path, folder: Path) -> None:
    folder.mkdir()
    for file in (_file(spool_folder), _wal(spool_folder)):
        shutil.copy(file, folder)


def test_deleted_wal_costs_only_what_was_in_it(tmp_path: Path) -> None:
    with _opened(tmp_path / "open") as spool:
        put = _fill(spool, 90)
        _copy_of_open_spool(tmp_path / "open", tmp_path / "copy")
    _wal(tmp_path / "copy").unlink()
    kept = _check_renewed(tmp_path / "copy", put, lost_at_most=60)
    assert kept


@pytest.mark.parametrize("size", [0, PAGE_BYTES, 5 * PAGE_BYTES])
def test_rounds_in_the_wal_outlive_the_file_beside_it(tmp_path: Path, size: int) -> None:
    with _opened(tmp_path / "open") as spool:
        put = _fill(spool, 3)
        _copy_of_open_spool(tmp_path / "open", tmp_path / "copy")
    _file(tmp_path / "copy").write_bytes(b"?" * size)
    assert _check_renewed(tmp_path / "copy", put, lost_at_most=0) == put


def _row_ids(folder: Path, wal: bytes | None) -> list[int]:
    """Ids of all that is whole in a file and this WAL, by the pages alone."""
    with _file(folder).open("rb") as database:
        pages = Pages(database, io.BytesIO(wal) if wal is not None else None)
        return sorted(
            cell.row_id
            for cell in pages.cells()
            if cell.row_id and isinstance(cell.values[-1], bytes)
        )


def test_pages_alone_show_what_sqlite_shows(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        _fill(spool, 150)
        spool.remove(range(30, 60))
        spool.put(ECU, 1, _lines(1, 3_000))
        ids = sorted(waiting.id for waiting in spool.oldest(EVERYTHING))
        wal = _wal(tmp_path).read_bytes()
        assert _row_ids(tmp_path, wal) == ids
        by_file_alone = _row_ids(tmp_path, None)
        assert by_file_alone != ids
        for not_a_wal in (b"", wal[:20], bytes(len(wal)), wal[:8] + b"????" + wal[12:]):
            assert _row_ids(tmp_path, not_a_wal) == by_file_alone


def test_wal_cut_or_damaged_anywhere_counts_up_to_its_last_whole_transaction(
    tmp_path: Path,
) -> None:
    with _opened(tmp_path) as spool:
        _fill(spool, 8)
        wal = _wal(tmp_path).read_bytes()
        rounds = set()
        for length in range(32, len(wal), 1_111):
            cut = _row_ids(tmp_path, wal[:length])
            assert cut == list(range(1, len(cut) + 1))
            damaged = wal[:length] + bytes([wal[length] ^ 0xFF]) + wal[length + 1 :]
            assert _row_ids(tmp_path, damaged) == cut
            rounds.add(len(cut))
        assert rounds == set(range(8))


def test_page_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        _fill(spool, 40)

    class BadSector(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 9 * PAGE_BYTES:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with BadSector(_file(tmp_path)) as database:
        rows = [c for c in Pages(database, None).cells() if isinstance(c.values[-1], bytes)]
    assert 30 <= len(rows) < 40


def test_loud_line_tells_what_was_saved_and_what_was_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _opened(tmp_path) as spool:
        _fill(spool, 40)
    octets = bytearray(_file(tmp_path).read_bytes())
    first = octets.index(b"\x78\x9c", octets.index(ECU.encode()))
    octets[first + 50] ^= 0x10
    _file(tmp_path).write_bytes(octets)
    os.utime(_file(tmp_path), (NOON, NOON))
    with _opened(tmp_path) as spool:
        assert not caplog.records
        assert len(spool.oldest(EVERYTHING)) == 39
    (record,) = caplog.records
    (aside,) = _aside(tmp_path)
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


def test_no_file_set_aside_takes_the_place_of_another(tmp_path: Path) -> None:
    for text in (b"one" * 50, b"two" * 50, b"three" * 50):
        _file(tmp_path).write_bytes(text)
        os.utime(_file(tmp_path), (NOON, NOON))
        with _opened(tmp_path) as spool:
            assert spool.oldest(1) == []
    assert [aside.read_bytes()[:3] for aside in _aside(tmp_path)] == [b"one", b"two", b"thr"]


DAMAGES = {
    "body": "UPDATE rounds SET body = x'00' WHERE id = 5",
    "no body": "UPDATE rounds SET body = NULL WHERE id = 5",
    "another time": "UPDATE rounds SET measured_at = 7 WHERE id = 5",
    "points": "UPDATE rounds SET points = 7 WHERE id = 5",
    "text": "UPDATE rounds SET ecu = CAST(x'FF' AS TEXT) WHERE id = 5",
    "id": "UPDATE rounds SET id = 700 WHERE id = 5",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_row_that_does_not_prove_itself_is_left_behind(tmp_path: Path, name: str) -> None:
    with _opened(tmp_path) as spool:
        _fill(spool, 10)
        with contextlib.closing(sqlite3.connect(_file(tmp_path), isolation_level=None)) as other:
            other.execute(DAMAGES[name])
        assert sorted(r.id for r in spool.oldest(EVERYTHING)) == [1, 2, 3, 4, 6, 7, 8, 9, 10]
        assert spool.put(ECU, NOON + 4 * PERIOD, ["sent or lost"]) == 0
        assert spool.put(ECU, NOON - 1, ["new"]) == 0
        assert spool.oldest(1)[0].lines == ("new",)
    assert len(_aside(tmp_path)) == 1


@pytest.mark.parametrize(
    "statement", ["DROP TABLE remembered", "DROP INDEX rounds_by_time", "PRAGMA user_version = 9"]
)
def test_file_of_another_shape_is_set_aside_and_its_rounds_carried_over(
    tmp_path: Path, statement: str
) -> None:
    with _opened(tmp_path) as spool:
        put = _fill(spool, 10)
    with contextlib.closing(sqlite3.connect(_file(tmp_path), isolation_level=None)) as other:
        other.execute(statement)
    with _opened(tmp_path) as spool:
        spool.put(ECU, NOON, ["again"])
        assert _all(spool) == put
    expected = 0 if "INDEX" in statement else 1
    assert len(_aside(tmp_path)) == expected


def test_database_of_another_program_is_set_aside_not_destroyed(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(_file(tmp_path), isolation_level=None)) as other:
        other.execute("CREATE TABLE photographs (name TEXT)")
        other.execute("INSERT INTO photographs VALUES ('roof')")
    with _opened(tmp_path) as spool:
        assert spool.oldest(1) == []
    (aside,) = _aside(tmp_path)
    with contextlib.closing(sqlite3.connect(aside)) as other:
        assert other.execute("SELECT * FROM photographs").fetchall() == [("roof",)]


def _damage_while_open(folder: Path, octets: bytes) -> None:
    """Empty the WAL and write over the file, as a dying card would."""
    with contextlib.closing(sqlite3.connect(_file(folder), isolation_level=None)) as other:
        other.execute("CREATE TABLE passing (x)")
        other.execute("DROP TABLE passing")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with _file(folder).open("r+b") as file:
        file.write(octets)


def test_damage_at_run_time_is_mended_before_the_call_returns(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        put = _fill(spool, 20)
        for number in range(1, 4):
            _damage_while_open(tmp_path, b"?" * 300)
            assert _all(spool) == put
            _damage_while_open(tmp_path, b"?" * 300)
            put[NOON - number] = (f"line {number}",)
            assert spool.put(ECU, NOON - number, put[NOON - number]) == 0
            _damage_while_open(tmp_path, b"?" * 300)
            assert spool.state().points == sum(map(len, put.values()))
            _damage_while_open(tmp_path, b"?" * 300)
            newest = spool.newest()
            assert newest
            _damage_while_open(tmp_path, b"?" * 300)
            spool.remove([newest.id])
            del put[newest.measured_at]
        assert _all(spool) == put
    assert len(_aside(tmp_path)) == 15


def test_id_is_not_given_out_again_after_all_was_lost(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        spool.put(ECU, NOON, ["lost"])
        spool.close()
        with _opened(tmp_path) as same:
            assert [r.id for r in same.oldest(1)] == [1]
        _file(tmp_path).write_bytes(b"?" * 9_000)
        spool.put(ECU, NOON + 300, ["new"])
        assert [r.id for r in spool.oldest(10)] == [2]


def test_deleted_spool_is_said_and_started_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _opened(tmp_path / "folder") as spool:
        _fill(spool, 3)
        shutil.rmtree(tmp_path / "folder")
        spool.put(ECU, NOON, ["new"])
        with _opened(tmp_path / "folder") as another:
            assert [r.lines for r in another.oldest(10)] == [("new",)]
    assert [record.getMessage() for record in caplog.records] == [
        "the spool was deleted; it starts anew"
    ]


@pytest.mark.parametrize("step", range(5))
def test_renewal_cut_off_at_any_step_is_finished_at_the_next_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with _opened(tmp_path) as spool:
        put = _fill(spool, 10)
    with _file(tmp_path).open("r+b") as file:
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
            Spool(tmp_path, MIB)
    assert len(renamed) == step
    assert _check_renewed(tmp_path, put, 0) == put
    assert len(_aside(tmp_path)) == 1
    assert not [*tmp_path.glob("*.new"), *tmp_path.glob("*.partial")]


# --- disk full, or out of reach


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
        lines = _lines(measured_at)
        try:
            spool.put(ECU, measured_at, lines)
        except SpoolUnavailableError:
            return put
        put[measured_at] = lines
    pytest.fail("never full")


def test_file_that_cannot_grow_stops_nothing_but_putting(tmp_path: Path) -> None:
    with _opened(tmp_path) as spool:
        with _files_of_at_most(MIB // 2):
            put = _put_until_full(spool)
            assert len(put) > 100
            assert _all(spool) == put
            with pytest.raises(SpoolUnavailableError):
                spool.remove(range(1, len(put)))
            assert _all(spool) == put
        spool.put(ECU, NOON - 2, put.setdefault(NOON - 2, ("there is space again",)))
        assert _all(spool) == put
    with _opened(tmp_path) as spool:
        assert _all(spool) == put


def test_full_disk_stops_nothing_but_putting(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
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
        with _opened(disk) as spool:
            put = _put_until_full(spool)
            assert len(put) > 50
            assert _all(spool) == put
            with pytest.raises(SpoolUnavailableError, match="full"):
                spool.put(ECU, NOON - 1, _lines(NOON - 1, 2_000))
            removed = spool.oldest(20 * 121)
            spool.remove([r.id for r in removed])
            for gone in removed:
                del put[gone.measured_at]
            (disk / "another's").unlink()
            spool.put(ECU, NOON - 2, put.setdefault(NOON - 2, ("there is space again",)))
            assert _all(spool) == put
        with _opened(disk) as spool:
            assert _all(spool) == put
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S603, S607


def test_spool_cannot_be_opened_where_nothing_can_be_written(tmp_path: Path) -> None:
    with _files_of_at_most(0), pytest.raises(SpoolUnavailableError):
        Spool(tmp_path, MIB)
    with _opened(tmp_path) as spool:
        assert spool.oldest(1) == []


def test_damaged_spool_stays_where_it_is_while_there_is_no_space_for_a_new_one(
    tmp_path: Path,
) -> None:
    with _opened(tmp_path) as spool:
        put = _fill(spool, 10)
        _damage_while_open(tmp_path, b"?" * 300)
        with _files_of_at_most(PAGE_BYTES):
            for _ in range(2):
                with pytest.raises(SpoolUnavailableError):
                    spool.oldest(EVERYTHING)
        assert _all(spool) == put


@pytest.mark.parametrize("blocker", ["folder", "folder/influxdb-spool.sqlite3/x"])
def test_spool_in_a_place_that_cannot_be_used_says_where(tmp_path: Path, blocker: str) -> None:
    if blocker == "folder":
        (tmp_path / blocker).write_text("a file", encoding="utf-8")
    else:
        (tmp_path / blocker).mkdir(parents=True)
    with pytest.raises(SpoolUnavailableError, match=r"folder.influxdb-spool\.sqlite3: "):
        Spool(tmp_path / "folder", MIB)
