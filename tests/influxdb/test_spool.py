import contextlib
import random
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

from aps_exporter.sinks.influxdb.spool import (
    MOST_ROUNDS_REMEMBERED,
    ROUNDS_REMEMBERED,
    Spool,
    SpooledRound,
    SpoolState,
)
from aps_exporter.sinks.influxdb.sqlite_pages import PAGE_BYTES

ECU = "216000000001"
NOON = 1_780_000_000
PERIOD = 300
MIB = 1024 * 1024
EVERYTHING = 1_000_000


def _lines(measured_at: int, channels: int = 40) -> tuple[str, ...]:
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


def _fill(spool: Spool, rounds: int, channels: int = 40) -> dict[int, tuple[str, ...]]:
    put = {NOON + n * PERIOD: _lines(NOON + n * PERIOD, channels) for n in range(rounds)}
    for measured_at, lines in put.items():
        spool.put(ECU, measured_at, lines)
    return put


def _all(spool: Spool) -> dict[int, tuple[str, ...]]:
    rounds = spool.oldest(EVERYTHING)
    assert len({waiting.measured_at for waiting in rounds}) == len(rounds)
    return {waiting.measured_at: waiting.lines for waiting in rounds}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, tuple[str, ...]]]:
    """A spool of many pages: two levels, free pages within, a round on a chain of pages."""
    folder = tmp_path_factory.mktemp("filled")
    with _opened(folder) as spool:
        put = _fill(spool, 130)
        gone = [waiting.id for waiting in spool.oldest(EVERYTHING)[20:32]]
        spool.remove(gone)
        for n in range(20, 32):
            del put[NOON + n * PERIOD]
        for measured_at, channels in ((NOON + 1, 1_000), (NOON + 2, 160)):
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
    with tempfile.TemporaryDirectory() as name:
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
    with _opened(tmp_path, MIB) as spool:
        dropped = [spool.put(ECU, NOON + n, _lines(n, 121)) for n in range(700)]
        state = spool.state()
        waiting = [r.measured_at for r in spool.oldest(EVERYTHING)]
    gone = sum(dropped) // 121
    assert 0 < gone < 600
    assert waiting == [NOON + n for n in range(gone, 700)]
    assert 0.9 * MIB < state.bytes <= MIB
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
    if random.random() < 0.3:
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
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
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
    assert len(there) > 20
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


@pytest.mark.parametrize("filler", ["zeros", "ones", "chance"])
def test_each_single_damaged_page_costs_only_the_rounds_on_it(
    filled: tuple[Path, dict[int, tuple[str, ...]]], tmp_path: Path, filler: str
) -> None:
    source, put = filled
    on_page = _rounds_on_page(source)
    whole = source.read_bytes()
    pages = len(whole) // PAGE_BYTES
    assert pages > 60
    chance = random.Random(filler)
    for page in range(1, pages + 1):
        folder = tmp_path / str(page)
        folder.mkdir()
        filling = {
            "zeros": bytes(PAGE_BYTES),
            "ones": b"\xff" * PAGE_BYTES,
            "chance": chance.randbytes(PAGE_BYTES),
        }[filler]
        _file(folder).write_bytes(
            whole[: (page - 1) * PAGE_BYTES] + filling + whole[page * PAGE_BYTES :]
        )
        kept = _check_renewed(folder, put, on_page.get(page, 0))
        assert len(put) - len(kept) == on_page.get(page, 0)
        shutil.rmtree(folder)
