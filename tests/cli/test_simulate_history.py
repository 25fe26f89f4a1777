"""`simulate --history`: files of what would have been published."""

import asyncio
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_fd_to_metric_families

from aps_exporter.readings import Snapshot
from aps_exporter.sinks.influxdb.points import round_lines
from tests.cli.console import Start, run, status_of
from tests.virtual_time import in_virtual_time
from tests.world import world

NOON = datetime(2026, 6, 1, 10, 0, 20, tzinfo=UTC)
"""And 20 s, in Amsterdam, where the simulated ECU-R-PRO is."""

PLANT = ("--inverters", "ds3:2", "--model", "ecu-r-pro")
TWO_HOURS = ("--history", "2h", "--until", "2026-06-01T14:00:20+02:00")
FAULTS = "+0:20:00 offline for 15m\n+0:40:00 refuse for 12m\n+1:20:00 drip for 10m\n"

BAD_FLAGS = [
    (("--history", "2h"), "expected a file to write"),
    (("--openmetrics", "{file}"), "give --history 14d too"),
    (("--line-protocol", "{file}"), "give --history 14d too"),
    (("--until", "2026-06-01T14:00:20Z"), "give --history 14d too"),
    (("--scrape-interval", "60"), "give --history 14d too"),
    (("--label", "job=aps"), "give --history 14d too"),
    (("--history", "two weeks", "--openmetrics", "{file}"), "expected a duration"),
    (("--history", "367d", "--openmetrics", "{file}"), "at most 366d"),
    *(
        (("--history", "2h", "--openmetrics", "{file}", *extra), message)
        for extra, message in (
            (("--sun", "12:00"), "--sun: a history"),
            (("--speed", "60"), "--speed: a history"),
            (("--listen", "127.0.0.1:0"), "--listen: a history"),
            (("--replay", "x.json"), "--replay: a history"),
            (("--only", "pro*"), "--only: a history"),
            (("--inverters", "qs9"), "--inverters=qs9"),
            (("--script", "/nowhere/faults.txt"), "cannot be read"),
            (("--until", "2026-06-01T14:00:20"), "with its zone"),
            (("--until", "yesterday"), "--until=yesterday: expected a date and time"),
            (("--until", "1999-06-01T14:00:20Z"), "from 2002 to 2099"),
            (("--scrape-interval", "4"), "from 5 to 240"),
            (("--scrape-interval", "241"), "from 5 to 240"),
            (("--scrape-interval", "1m"), "from 5 to 240"),
            (("--label", "job"), "expected NAME=VALUE"),
            (("--label", "job=a", "--label", "job=b"), "give each name once"),
            (("--label", "job="), "expected NAME=VALUE"),
            (("--label", "inverter=a"), "--label=inverter=a: the exporter's own"),
            (("--label", "__name__=a"), "expected a label name"),
            (("--line-protocol", "{file}"), "expected a file of its own"),
        )
    ),
    (("--history", "2h", "--line-protocol", "{file}", "--label", "a=b"), "--openmetrics only"),
    (("--history", "2h", "--openmetrics", "{file}/x"), "cannot be written"),
]


def _left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _write(folder: Path, *flags: str) -> str:
    """Write a history; what it says."""
    script = folder / "faults.txt"
    script.write_text(FAULTS)
    ended = run("simulate", *PLANT, *TWO_HOURS, "--script", str(script), *flags)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    script.unlink()
    return ended.stderr


def test_same_history_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    for run_ in "ab":
        om, lp = (tmp_path / f"{run_}.{kind}" for kind in ("om", "lp"))
        _write(tmp_path, "--openmetrics", str(om), "--line-protocol", str(lp))
    assert _left_in(tmp_path) == ["a.lp", "a.om", "b.lp", "b.om"]
    for kind in ("om", "lp"):
        first, second = ((tmp_path / f"{run_}.{kind}").read_bytes() for run_ in "ab")
        assert first == second
        assert len(first) > 10_000


def test_file_for_prometheus_is_strict_openmetrics_with_the_labels_asked_for(
    tmp_path: Path,
) -> None:
    file = tmp_path / "history.om"
    labels = ("--label", "job=aps", "--label", 'instance=the "roof"')
    said = _write(tmp_path, "--openmetrics", str(file), "--scrape-interval", "120", *labels)
    with file.open(encoding="utf-8") as text:
        families = list(text_fd_to_metric_families(text))  # type: ignore[no-untyped-call]  # theirs
    samples = [sample for family in families for sample in family.samples]
    assert f"history.om: {len(samples):,} samples" in said
    assert {(s.labels["job"], s.labels["instance"]) for s in samples} == {("aps", 'the "roof"')}
    up = [(float(s.timestamp), s.value) for s in samples if s.name == "aps_up"]
    assert [at for at, _ in up] == [NOON.timestamp() + 120 * index for index in range(61)]
    # Refused from minute 40 to 52; tried again every 5 min 30 s or sooner.
    down = [(at - NOON.timestamp()) / 60 for at, value in up if not value]
    assert 50 in down
    assert all(40 < minute < 58 or minute > 80 for minute in down)


def test_lines_are_those_that_a_pusher_would_get(tmp_path: Path) -> None:
    rounds: list[Snapshot] = []

    @in_virtual_time
    async def live() -> None:
        async with world(start=NOON, script="+0:20:00 offline for 15m") as w:
            cache = w.cache(take_round=rounds.append)
            cache.start_if_due()
            timer = asyncio.create_task(cache.keep_refreshing())
            await w.pass_time(7_200)
            timer.cancel()
            await cache.close()

    live()
    script, file = tmp_path / "faults.txt", tmp_path / "history.lp"
    script.write_text("+0:20:00 offline for 15m")
    flags = ("--script", str(script), "--line-protocol", str(file))
    assert run("simulate", *PLANT, *TWO_HOURS, *flags).returncode == 0
    expected = [line for round_ in rounds for line in round_lines(round_)]
    assert file.read_text().splitlines() == expected
    assert len(rounds) == 25


@pytest.mark.parametrize(("flags", "message"), BAD_FLAGS)
def test_bad_flags_are_told_before_anything_is_simulated(
    flags: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "history")
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert status_of("simulate", *(flag.format(file=file) for flag in flags)) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert message in capsys.readouterr().err
    assert _left_in(tmp_path) == []


def test_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "history.om"
    file.write_text("mine")
    ended = run("simulate", "--history", "14d", "--openmetrics", str(file))
    assert ended.returncode == 2
    assert f"--openmetrics={file}: exists already" in ended.stderr
    assert (file.read_text(), _left_in(tmp_path)) == ("mine", ["history.om"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_half_file(
    number: signal.Signals, tmp_path: Path, start: Start
) -> None:
    flags = ("--openmetrics", str(tmp_path / "a.om"), "--line-protocol", str(tmp_path / "a.lp"))
    running = start("simulate", "--history", "366d", *flags)
    deadline = time.monotonic() + 20
    while len(_left_in(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    status, _ = running.stop(number)
    assert (status, _left_in(tmp_path), running.output) == (130, [], "")
