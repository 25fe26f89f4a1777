"""Each stat says what the simulated plant did, and each day's bar what it made on that day."""

import tomllib
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import sqrt
from statistics import mean
from typing import Any, Final

import pytest

from aps_exporter.simulator.plant import ROUND
from tests.integration.dashboards.answers import Answer, ask_influxdb, ask_prometheus, shown
from tests.integration.dashboards.questions import Place, places
from tests.integration.dashboards.seed import (
    BEGINS,
    ENDS,
    ONE_IS_OFFLINE,
    PANELS_FILE,
    ROUNDS_AN_HOUR,
    SCRAPE_SECONDS,
    Truth,
    midnight,
    rounds,
    sun,
)
from tests.integration.databases import InfluxDb1
from tests.integration.prometheus import Prometheus

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROUND_SECONDS: Final = 300
AMONG_US_WH: Final = 100.0
"""0.1 kWh: what an ECU says its lifetime energy in, cut off."""

VOLTAGE_LIMIT: Final = 253
BETWEEN_PHASES: Final = "901000000009"
"""The inverter whose voltages are those between phases."""

EVERY_PLACE: Final = [*places("prometheus"), *places("influxdb")]


@dataclass(frozen=True, slots=True)
class Seen:
    """The truth, the moment of looking, and the round that was the newest to be had then."""

    truth: Truth
    at: datetime
    newest: datetime

    @property
    def today(self) -> list[datetime]:
        """The rounds of this day."""
        return [*rounds(midnight(self.at.date()), self.newest), self.newest]


def energy(watt_hours: float) -> Any:
    """Within 0.1 kWh and 0.5 %."""
    return pytest.approx(watt_hours, abs=AMONG_US_WH + 0.005 * watt_hours)


def _power(seen: Seen) -> Any:
    return seen.truth.power_watts(seen.newest)


def _today(seen: Seen) -> Any:
    """By the lifetime counter."""
    until = seen.newest + ROUND
    return energy(seen.truth.watt_hours_of_day(seen.at.date(), until))


def _measured_today(seen: Seen) -> Any:
    """By the powers, to which an inverter that is offline adds nothing."""
    return energy(sum(map(seen.truth.power_watts, seen.today)) / ROUNDS_AN_HOUR)


def _peak(seen: Seen) -> Any:
    return seen.truth.peak_watts(seen.newest)


def _inverters_on(seen: Seen) -> Any:
    return f"{len(seen.truth.online(seen.newest))} / {len(seen.truth.plant.inverters)}"


def _on_and_known(seen: Seen) -> Any:
    online = len(seen.truth.online(seen.newest))
    return {"on": online, "known": len(seen.truth.plant.inverters)}


def _newest(seen: Seen) -> Any:
    return seen.newest.timestamp()


def _age(_: Seen) -> Any:
    """By day, a round shows within 300 s of the one before, and is seen by the next scrape."""
    return pytest.approx(ROUND_SECONDS / 2, abs=ROUND_SECONDS / 2 + SCRAPE_SECONDS)


def _one_of_one(_: Seen) -> Any:
    return "1 / 1"


def _none(_: Seen) -> Any:
    return 0


def _rejected(seen: Seen) -> Any:
    """Wild values stood in three rounds of the last day: frequency, voltage and power of one."""
    return pytest.approx(9 if seen.at == ENDS else 0, rel=0.01)


def _backlog(seen: Seen) -> Any:
    """The oldest point waits since ten minutes before the end of the history."""
    return seen.at.timestamp() - (ENDS.timestamp() - 600)


def _hertz(seen: Seen) -> Any:
    return pytest.approx(seen.truth.hertz(seen.newest), abs=1e-6)


def _hertz_of_today(seen: Seen) -> list[float]:
    return [hertz for hertz in map(seen.truth.hertz, seen.today) if hertz is not None]


def _lowest_hertz(seen: Seen) -> Any:
    return pytest.approx(min(_hertz_of_today(seen)), abs=1e-6)


def _highest_hertz(seen: Seen) -> Any:
    return pytest.approx(max(_hertz_of_today(seen)), abs=1e-6)


def _of_limit(seen: Seen, some: Sequence[datetime]) -> float:
    """The highest of the means of these rounds, as a share of the limit."""
    volts: dict[tuple[str, int], list[float]] = defaultdict(list)
    for round_ in some:
        for (serial, phase), measured in seen.truth.volts(round_).items():
            limit = VOLTAGE_LIMIT * (sqrt(3) if serial == BETWEEN_PHASES else 1)
            volts[serial, phase].append(measured / limit)
    return max((mean(shares) for shares in volts.values()), default=0.0)


def _volts_now(seen: Seen) -> Any:
    """Scrapes of 15 minutes show three or four rounds, one of them twice: some tenths of a volt."""
    last = [seen.newest - ROUND * back for back in range(4)]
    return pytest.approx(_of_limit(seen, last), abs=1.5 / VOLTAGE_LIMIT)


def _most_volts(seen: Seen) -> Any:
    """Scrapes of ten minutes show two or three rounds."""
    highest = max(_of_limit(seen, two) for two in pairwise(seen.today))
    return pytest.approx(highest, abs=1.5 / VOLTAGE_LIMIT)


def _roof_against_usual(seen: Seen) -> Any:
    """Each mean is over channels and rounds in which there was power to measure."""

    def watts(days_ago: float, days: int) -> float:
        ends = seen.newest - timedelta(days=days_ago)
        some = rounds(max(ends - timedelta(days=days), BEGINS), ends)
        return mean(w for round_ in some for w in seen.truth.channel_watts(round_).values())

    return pytest.approx(watts(0, 1) / watts(1, 14), abs=0.02)


def _in_total(seen: Seen) -> Any:
    watt_hours = seen.truth.plant.lifetime_joules(sun(seen.newest)) / 3_600
    return pytest.approx(watt_hours, abs=AMONG_US_WH)


def _since_begin(seen: Seen) -> Any:
    """The history has nothing of this month, and of this year, from before it."""
    begin, end = sun(BEGINS), sun(seen.newest)
    return energy(seen.truth.plant.joules_between(begin + ROUND, end + ROUND) / 3_600)


def _worth(watt_hours: Callable[[Seen], Any]) -> Callable[[Seen], Any]:
    """In money, at the tariff that stands in the file."""

    def worth(seen: Seen) -> Any:
        expected = watt_hours(seen)
        a_watt_hour = 0.30 / 1_000
        return pytest.approx(expected.expected * a_watt_hour, abs=expected.abs * a_watt_hour)

    return worth


FIGURES: Final[dict[tuple[str, str], Callable[[Seen], Any]]] = {
    ("aps-overview", "Power now"): _power,
    ("aps-overview", "Today"): _today,
    ("aps-overview", "Peak today"): _peak,
    ("aps-overview", "Inverters on, now"): _inverters_on,
    ("aps-overview", "Age of the data now"): _age,
    ("aps-energy", "In total, now"): _in_total,
    ("aps-energy", "This year"): _since_begin,
    ("aps-energy", "This month"): _since_begin,
    ("aps-energy", "Worth in total"): _worth(_in_total),
    ("aps-energy", "Worth this year"): _worth(_since_begin),
    ("aps-energy", "Worth this month"): _worth(_since_begin),
    ("aps-overview-influxdb", "Power now"): _power,
    ("aps-overview-influxdb", "Today"): _measured_today,
    ("aps-overview-influxdb", "Peak today"): _peak,
    ("aps-overview-influxdb", "Inverters on, and known, now"): _on_and_known,
    ("aps-overview-influxdb", "Newest round now"): _newest,
    ("aps-panels-influxdb", "The whole roof, last 24 hours"): _roof_against_usual,
    ("aps-grid", "Voltage against the limit, now"): _volts_now,
    ("aps-grid", "Highest mean of 10 minutes today"): _most_volts,
    ("aps-grid", "Above the limit today"): _none,
    ("aps-grid", "Grid frequency now"): _hertz,
    ("aps-grid", "Lowest frequency today"): _lowest_hertz,
    ("aps-grid", "Highest frequency today"): _highest_hertz,
    ("aps-exporter", "ECUs that answer, now"): _one_of_one,
    ("aps-exporter", "Last good reply, now"): _age,
    ("aps-exporter", "Age of the data now"): _age,
    ("aps-exporter", "Values not believed, last 24 hours"): _rejected,
    ("aps-exporter", "InfluxDB backlog now"): _backlog,
    ("aps-exporter", "Unexpected errors, last 24 hours"): _none,
}
"""What each stat is to show, by uid and title of its panel."""

ONLY_WHEN_SOMETHING_FIRES: Final = {("aps-overview", "Alerts now"): 1}

DAYS: Final = {("aps-overview", "Energy per day, 30 days"), ("aps-energy", "Energy per day")}
"""Panels with the energy of each day in Wh at its local midnight, by the lifetime counter."""

MEASURED_DAYS: Final = {("aps-overview-influxdb", "Energy per day, 30 days")}
"""The same by the powers: what was made while nothing was heard is not in it."""

PANEL_DAYS: Final = {
    ("aps-panels", "Energy per panel and day, 30 whole days"): timedelta(days=1),
    ("aps-panels-influxdb", "Energy per panel and day, 30 days"): timedelta(),
}
"""Panels with the energy of each day and panel in Wh, and how long after the day began."""

PANELS: Final = {
    (serial, channel): panel
    for serial, channels in tomllib.loads(PANELS_FILE.read_text(encoding="utf-8"))["panels"].items()
    for channel, panel in channels.items()
    if not panel.get("unused")
}
CHANNELS: Final = {panel["name"]: channel for channel, panel in PANELS.items()}

STATS: Final = [place for place in EVERY_PLACE if place.panel["type"] == "stat"]
WHOLE_DAYS: Final = [date(2026, 6, day) for day in range(2, 15)]
HEARD_DAYS: Final = [date(2026, 6, day) for day in (3, 7, 8, 9, 10, 11, 12, 13)]
"""Those with every round in it."""


def _newest_round(prometheus: Prometheus, at: datetime) -> datetime:
    """The round that the exporter showed at this time; it must be one of the last two."""
    query = "aps_ecu_last_report_timestamp_seconds"
    ((_, seconds),) = prometheus.series(query, "ecu", at=at.timestamp()).items()
    round_ = datetime.fromtimestamp(seconds, UTC).astimezone(BEGINS.tzinfo)
    assert timedelta() <= at - round_ <= timedelta(seconds=2 * ROUND_SECONDS)
    return round_


@pytest.fixture(params=[ENDS, ONE_IS_OFFLINE], ids=["at the end", "one is offline"])
def at(request: pytest.FixtureRequest) -> datetime:
    moment: datetime = request.param
    return moment


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Callable[[Place, datetime], list[Answer]]:
    """Asks the server that a query is for."""

    def answers(place: Place, moment: datetime) -> list[Answer]:
        question = place.put(moment)
        if place.target["datasource"]["type"] == "influxdb":
            database: InfluxDb1 = request.getfixturevalue("influxdb")
            return ask_influxdb(database, question)
        server: Prometheus = request.getfixturevalue("prometheus")
        return ask_prometheus(server, question)

    return answers


def test_every_stat_has_its_truth() -> None:
    stats = {(place.uid, place.title) for place in STATS}
    assert stats == FIGURES.keys() | ONLY_WHEN_SOMETHING_FIRES.keys()


def _named(stats: Collection[tuple[str, str]]) -> pytest.MarkDecorator:
    found = [place for place in EVERY_PLACE if (place.uid, place.title) in stats]
    return pytest.mark.parametrize("place", found, ids=[place.name for place in found])


@_named(FIGURES)
def test_stat_is_what_the_plant_did(
    ask: Callable[[Place, datetime], list[Answer]],
    prometheus: Prometheus,
    truth: Truth,
    place: Place,
    at: datetime,
) -> None:
    seen = Seen(truth, at, _newest_round(prometheus, at))
    expected = FIGURES[place.uid, place.title](seen)
    assert shown(place.put(at), ask(place, at)) == expected


@_named(ONLY_WHEN_SOMETHING_FIRES)
def test_stat_of_alerts_counts_those_that_fire(
    ask: Callable[[Place, datetime], list[Answer]], place: Place
) -> None:
    expected = ONLY_WHEN_SOMETHING_FIRES[place.uid, place.title]
    assert shown(place.put(ONE_IS_OFFLINE), ask(place, ONE_IS_OFFLINE)) == expected


def test_truth_tells_the_two_moments_apart(truth: Truth) -> None:
    assert len(truth.online(ENDS)) == 9
    assert len(truth.online(ONE_IS_OFFLINE)) == 8
    assert truth.power_watts(ENDS) != truth.power_watts(ONE_IS_OFFLINE)


@_named(DAYS)
def test_each_day_is_what_the_plant_made_on_it(
    ask: Callable[[Place, datetime], list[Answer]],
    prometheus: Prometheus,
    truth: Truth,
    place: Place,
) -> None:
    (answer,) = ask(place, ENDS)
    so_far = _newest_round(prometheus, ENDS) + ROUND
    assert _by_day(answer, of=[*WHOLE_DAYS, ENDS.date()]) == {
        **{day: energy(truth.watt_hours_of_day(day)) for day in WHOLE_DAYS},
        ENDS.date(): energy(truth.watt_hours_of_day(ENDS.date(), so_far)),
    }
    assert _days(answer) <= {BEGINS.date(), *WHOLE_DAYS, ENDS.date()}


@_named(MEASURED_DAYS)
def test_each_day_is_what_was_measured_on_it(
    ask: Callable[[Place, datetime], list[Answer]], truth: Truth, place: Place
) -> None:
    (answer,) = ask(place, ENDS)
    assert _by_day(answer, of=HEARD_DAYS) == {
        day: energy(sum(truth.measured_watt_hours(day).values())) for day in HEARD_DAYS
    }
    assert _days(answer) == {BEGINS.date(), *WHOLE_DAYS, ENDS.date()}


@_named(PANEL_DAYS)
def test_each_panel_has_what_it_made_on_each_day(
    ask: Callable[[Place, datetime], list[Answer]], truth: Truth, place: Place
) -> None:
    after = PANEL_DAYS[place.uid, place.title]
    by_channel = {_channel(answer): answer for answer in ask(place, ENDS)}
    assert by_channel.keys() == set(CHANNELS.values())
    for day in HEARD_DAYS:
        made = truth.measured_watt_hours(day)
        at = (midnight(day) + after).timestamp()
        # A channel that made nothing all day has no powers, but a counter that stands still. And
        # what was made from the last round before a gap to the first behind it is in neither.
        shown_then = {channel: answer.points.get(at, 0) for channel, answer in by_channel.items()}
        assert shown_then == {
            channel: pytest.approx(made.get(channel, 0), rel=0.01, abs=400 / ROUNDS_AN_HOUR)
            for channel in CHANNELS.values()
        }, day


def _by_day(answer: Answer, *, of: Sequence[date]) -> dict[date, float | None]:
    return {day: answer.points.get(midnight(day).timestamp()) for day in of}


def _days(answer: Answer) -> set[date]:
    """All of its points lie at midnights."""
    moments = {datetime.fromtimestamp(at, BEGINS.tzinfo) for at in answer.points}
    assert all(moment == midnight(moment.date()) for moment in moments)
    return {moment.date() for moment in moments}


def _channel(answer: Answer) -> tuple[str, str]:
    """The inverter and the channel that a series is of."""
    labels = answer.labels
    return (
        CHANNELS[labels["panel"]] if "panel" in labels else (labels["inverter"], labels["channel"])
    )


def test_roof_has_each_panel_where_the_panels_file_puts_it(
    prometheus: Prometheus, truth: Truth
) -> None:
    (place,) = (p for p in EVERY_PLACE if (p.uid, p.title) == ("aps-overview", "The roof now"))
    question = place.put(ENDS)
    found = prometheus.ask("query", query=question.text, time=str(question.ends))["result"]
    rows = [{**one["metric"], "Value": float(one["value"][1])} for one in found]
    watts = truth.channel_watts(_newest_round(prometheus, ENDS))
    expected = {
        (f"{panel['array']} {panel['row']:02}", f"{panel['column']:02}"): watts[
            CHANNELS[panel["name"]]
        ]
        for panel in PANELS.values()
    }
    assert len(expected) == 27
    assert _matrix(place.panel, rows) == expected


def _matrix(panel: dict[str, Any], rows: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """Cells by what stands before their row and above their column, as groupingToMatrix has them.

    Two values for one cell would hide one of them.
    """
    (options,) = (
        step["options"] for step in panel["transformations"] if step["id"] == "groupingToMatrix"
    )
    names = [options[name] for name in ("rowField", "columnField")]
    cells = {(row[names[0]], row[names[1]]): row[options["valueField"]] for row in rows}
    assert len(cells) == len(rows)
    return cells
