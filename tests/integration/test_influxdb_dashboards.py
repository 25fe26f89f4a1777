"""Every query of the InfluxDB dashboards finds numbers in a real InfluxDB, and the right ones.

InfluxQL answers a misspelt name with nothing, not with an error.
"""

import http.client
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from grafana.influxql import EACH_INVERTER, of
from grafana.overview_influxdb import OVERVIEW_INFLUXDB
from grafana.panels_influxdb import PANELS_INFLUXDB
from tests.integration.databases import DATABASE, InfluxDb1, Line, started
from tests.integration.programs import EXPORTER

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NOON: Final = datetime(2026, 6, 21, 12, 0, tzinfo=UTC)
HISTORY: Final = "3d"
LINES_AT_ONCE: Final = 10_000
NEVER_HEARD: Final = "802000000099"

QUERIES: Final = {
    f"{dashboard.uid}: {panel['title']} {target['refId']}": target["query"]
    for dashboard in (OVERVIEW_INFLUXDB, PANELS_INFLUXDB)
    for panel in dashboard.to_json()["panels"]
    for target in panel["targets"]
}
VARIABLES: Final = {
    "ecu": ".+",
    "inverter": ".+",
    "timezone": "Europe/Berlin",
    "timeFilter": "time > now() - 4d AND time <= now()",
    "__interval": "5m",
}


class History:
    """Three days of a simulated plant that end now, at its noon, in a database."""

    def __init__(self, database: InfluxDb1, lines: Sequence[Line]) -> None:
        self.lines = lines
        self._database = database

    def ask(self, query: str, **chosen: str) -> list[dict[str, Any]]:
        """What a query of a dashboard finds with these variables."""
        values = VARIABLES | chosen
        return self._database.ask(
            re.sub(r"\$(\w+)", lambda found: values.get(found[1], found[0]), query)
        )

    def of(self, measurement: str, field: str) -> dict[str, dict[int, float]]:
        """The values by time, by all tags in the order of their names."""
        found: dict[str, dict[int, float]] = defaultdict(dict)
        for line in self.lines:
            if line.measurement == measurement and field in line.fields:
                tags = " ".join(value for _, value in sorted(line.tags))
                found[tags][line.seconds] = float(line.fields[field])
        return found


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    folder = tmp_path_factory.mktemp("history")
    subprocess.run(  # noqa: S603 - what is run stands here
        [
            *(EXPORTER, "simulate", "--history", HISTORY, "--scrape-interval", "240"),
            *("--until", NOON.isoformat(), "--line-protocol", str(folder / "history.lp")),
        ],
        cwd=folder,
        check=True,
        timeout=200,
    )
    later = int(time.time() - NOON.timestamp())
    lines = [
        f"{series} {fields} {int(seconds) + later}"
        for series, fields, seconds in (
            line.split(" ") for line in (folder / "history.lp").read_text().splitlines()
        )
    ]
    database = InfluxDb1(folder / "influxdb")
    with started(database):
        for start in range(0, len(lines), LINES_AT_ONCE):
            _write(database, lines[start : start + LINES_AT_ONCE])
        _write(database, [*_never_heard(lines)])
        yield History(database, [Line.parsed(line) for line in lines])


def _never_heard(lines: Sequence[str]) -> Iterator[str]:
    """The rounds of an inverter that the ECU lists, and knows nothing of."""
    first = min(line.split(",inverter=")[1][:12] for line in lines if ",inverter=" in line)
    for line in lines:
        series, fields, seconds = line.split(" ")
        if series.startswith("aps_inverter,") and first in series:
            (online,) = (field for field in fields.split(",") if field.startswith("online="))
            yield f"{series.replace(first, NEVER_HEARD)} {online.replace('1', '0')} {seconds}"


def _write(database: InfluxDb1, lines: Sequence[str]) -> None:
    with closing(http.client.HTTPConnection(database.address, timeout=60)) as connection:
        connection.request(
            "POST",
            f"/write?db={DATABASE}&precision=s",
            "\n".join(lines),
            {"Authorization": database.account},
        )
        answer = connection.getresponse()
        assert answer.status == http.client.NO_CONTENT, answer.read()


def numbers(series: Mapping[str, Any]) -> dict[int, float]:
    """The first column's numbers by time."""
    return {row[0]: row[1] for row in series["values"] if row[1] is not None}


@pytest.mark.parametrize("name", QUERIES)
def test_query_finds_numbers(name: str, history: History) -> None:
    found = history.ask(QUERIES[name])
    assert found
    for series in found:
        assert numbers(series), series.get("tags")


@pytest.mark.parametrize("name", QUERIES)
def test_query_heeds_the_choice_of_an_ecu(name: str, history: History) -> None:
    assert history.ask(QUERIES[name], ecu="(215000000001|215000000002)") == []


def test_power_now_is_that_of_the_newest_round(history: History) -> None:
    (powers,) = history.of("aps_ecu", "power_watts").values()
    (found,) = history.ask(QUERIES["aps-overview-influxdb: Power now A"])
    assert [*numbers(found).values()] == [powers[max(powers)]]


def test_peak_is_that_of_the_strongest_round(history: History) -> None:
    (powers,) = history.of("aps_ecu", "power_watts").values()
    (found,) = history.ask(QUERIES["aps-overview-influxdb: Peak today A"])
    assert [*numbers(found).values()] == [max(powers.values())]


def test_inverters_on_and_known(history: History) -> None:
    online = history.of("aps_inverter", "online")
    (found,) = history.ask(QUERIES["aps-overview-influxdb: Inverters on, and known, now A"])
    ((_, on, known),) = found["values"]
    ever_on = of("aps_inverter_online", "max", when="time <= now()", by=EACH_INVERTER)
    (silent,) = history.ask(ever_on, inverter=NEVER_HEARD)
    assert [*numbers(silent).values()] == [0]
    assert (on, known) == (len(online), len(online)), "at noon all are on that were ever heard"


def test_days_add_up_to_what_the_exporter_integrated(history: History) -> None:
    found = history.ask(QUERIES["aps-panels-influxdb: Energy per panel and day, 30 days A"])
    integrated = history.of("aps_channel", "integrated_energy_kwh")
    watt_hours = {
        " ".join(series["tags"][tag] for tag in ("channel", "ecu", "inverter")): sum(
            numbers(series).values()
        )
        for series in found
    }
    assert watt_hours == pytest.approx(
        {tags: 1_000 * (kwh[max(kwh)] - kwh[min(kwh)]) for tags, kwh in integrated.items()},
        rel=0.02,
    )


def test_night_is_a_gap_in_the_lines(history: History) -> None:
    powers = history.of("aps_inverter", "power_watts")
    awake = {at // 300 for rounds in powers.values() for at in rounds}
    for series in history.ask(QUERIES["aps-overview-influxdb: Power today A"]):
        empty = [row[0] for row in series["values"] if row[1] is None]
        assert sum(at // 300 not in awake for at in empty) > 3 * 12 * 4  # of hours a night
