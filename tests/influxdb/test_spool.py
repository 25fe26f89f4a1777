import contextlib
import random
import sqlite3
import tempfile
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
from tests.influxdb.spools import (
    ECU,
    EVERYTHING,
    MEMORY,
    MIB,
    NOON,
    file_in,
    fill,
    lines_of,
    opened,
    set_aside_in,
    wal_in,
)


def test_rounds_come_oldest_first_whatever_the_order_they_were_put_in(spool_folder: Path) -> None:
    with opened(spool_folder / "new" / "folder") as spool:
        for measured_at in (NOON + 600, NOON, NOON + 300):
            assert spool.put(ECU, measured_at, [f"line {measured_at}"]) == 0
        assert [r.measured_at for r in spool.oldest(10)] == [NOON, NOON + 300, NOON + 600]
        assert spool.newest() == SpooledRound(1, NOON + 600, (f"line {NOON + 600}",))


def test_empty_spool_has_nothing(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        assert (spool.oldest(10), spool.newest()) == ([], None)
        assert spool.state() == SpoolState(0, spool.state().bytes, None)


def test_state_counts_lines_and_names_the_oldest_round(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        before = spool.state().bytes
        spool.put(ECU, NOON + 300, ["a", "b"])
        spool.put(ECU, NOON, lines_of(NOON, 1_000))
        state = spool.state()
    assert (state.points, state.oldest) == (1_002, NOON)
    assert state.bytes > before


def test_only_whole_rounds_are_given_and_always_one(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        for number in range(4):
            spool.put(ECU, NOON + number, ["line"] * 3)
        assert [len(spool.oldest(most)) for most in (0, 3, 5, 6, 12, 13)] == [1, 1, 1, 2, 4, 4]


def test_round_survives_closing_and_is_gone_once_removed(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        spool.put(ECU, NOON, lines_of(NOON))
    with opened(spool_folder) as spool:
        (waiting,) = spool.oldest(10)
        assert waiting.lines == lines_of(NOON)
        spool.remove([waiting.id, 77])
    with opened(spool_folder) as spool:
        assert spool.oldest(10) == []


def test_closed_spool_opens_again_when_it_is_used(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        spool.close()
        spool.put(ECU, NOON, ["line"])
        assert spool.state().points == 1


def test_round_put_before_is_left_out_even_once_it_was_sent(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        spool.put(ECU, NOON, ["first"])
        spool.put(ECU, NOON, ["second"])
        spool.put("216000000002", NOON, ["another ECU's"])
        assert [r.lines for r in spool.oldest(10)] == [("first",), ("another ECU's",)]
        spool.remove([r.id for r in spool.oldest(10)])
        spool.put(ECU, NOON, ["third"])
        assert spool.oldest(10) == []


def test_newest_put_rounds_are_remembered_whatever_their_time(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        for number in range(ROUNDS_REMEMBERED + 1):
            spool.put(ECU, NOON - number, ["line"])
        spool.remove([r.id for r in spool.oldest(EVERYTHING)])
        spool.put(ECU, NOON - 1, ["remembered"])
        assert spool.oldest(10) == []
        spool.put(ECU, NOON, ["forgotten"])
        assert [r.lines for r in spool.oldest(10)] == [("forgotten",)]


def test_round_that_still_waits_is_never_doubled(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        for number in range(ROUNDS_REMEMBERED + 2):
            spool.put(ECU, NOON + number, ["line"])
        spool.put(ECU, NOON, ["again"])
        assert spool.state().points == ROUNDS_REMEMBERED + 2


def test_rounds_of_ecus_not_heard_for_long_are_forgotten(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        spool.put(ECU, NOON, ["line"])
        spool.remove([1])
    with contextlib.closing(sqlite3.connect(file_in(spool_folder), isolation_level=None)) as file:
        file.execute("INSERT INTO remembered VALUES (?, 'x', 0, 0)", (MOST_ROUNDS_REMEMBERED,))
    with opened(spool_folder) as spool:
        spool.put("216000000002", NOON, ["line"])
        spool.put(ECU, NOON, ["line"])
        assert spool.state().points == 2


@pytest.mark.parametrize(("ecu", "line"), [(ECU, "two\nlines"), ("two\nlines", "line")])
def test_line_break_within_a_line_is_refused(spool_folder: Path, ecu: str, line: str) -> None:
    with opened(spool_folder) as spool:
        with pytest.raises(ValueError, match="line break"):
            spool.put(ecu, NOON, [line])
        assert spool.put(ECU, NOON, ["line"]) == 0
        assert spool.state().points == 1


def test_mistake_of_the_caller_is_not_taken_for_damage(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        with pytest.raises(sqlite3.ProgrammingError):
            spool.remove([object()])  # type: ignore[list-item]
        assert not set_aside_in(spool_folder)


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
                with file_in(folder).open("r+b") as file:
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


def test_oldest_rounds_go_first_when_the_spool_is_full(spool_folder: Path) -> None:
    with opened(spool_folder, MIB // 2) as spool:
        dropped = [spool.put(ECU, NOON + n, lines_of(n, 121)) for n in range(700)]
        state = spool.state()
        waiting = [r.measured_at for r in spool.oldest(EVERYTHING)]
    gone = sum(dropped) // 121
    assert 0 < gone < 600
    assert waiting == [NOON + n for n in range(gone, 700)]
    assert 0.45 * MIB < state.bytes <= MIB // 2
    assert sum(file.stat().st_size for file in spool_folder.iterdir()) < 3 * MIB


def test_wal_stays_small(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        fill(spool, 300)
        assert wal_in(spool_folder).stat().st_size <= MIB


def test_single_round_above_the_limit_is_kept_until_a_newer_one_comes(spool_folder: Path) -> None:
    with opened(spool_folder, PAGE_BYTES) as spool:
        assert spool.put(ECU, NOON, lines_of(NOON, 2_000)) == 0
        assert spool.put(ECU, NOON + 300, ["line"]) == 2_000
        assert [r.lines for r in spool.oldest(1)] == [("line",)]


def test_lowered_limit_is_kept_at_once_and_told_by_the_next_put(spool_folder: Path) -> None:
    with opened(spool_folder) as spool:
        for number in range(500):
            spool.put(ECU, NOON + number, lines_of(number, 120) if number else ())
    with opened(spool_folder, 100 * 1024) as spool:
        state = spool.state()
        assert state.bytes <= 100 * 1024
        assert spool.put(ECU, NOON + 900, ["x"]) + state.points == 499 * 120
        assert spool.put(ECU, NOON + 901, ["x"]) == 0


def test_file_is_made_smaller_after_a_long_outage(spool_folder: Path) -> None:
    chance = random.Random(1)
    with opened(spool_folder) as spool:
        for number in range(6):
            spool.put(ECU, NOON + number, [chance.randbytes(MIB).hex()])
        spool.put(ECU, NOON + 9, ["last"])
        spool.remove(range(1, 7))
        assert [r.lines for r in spool.oldest(10)] == [("last",)]
    assert file_in(spool_folder).stat().st_size < 100 * 1024


def test_file_is_made_smaller_when_the_limit_is_lowered(spool_folder: Path) -> None:
    chance = random.Random(1)
    with opened(spool_folder) as spool:
        for number in range(8):
            spool.put(ECU, NOON + number, [chance.randbytes(MIB).hex()])
    with opened(spool_folder, 4 * MIB) as spool:
        assert [r.measured_at - NOON for r in spool.oldest(9)] == [5, 6, 7]
    assert file_in(spool_folder).stat().st_size < 4 * MIB
