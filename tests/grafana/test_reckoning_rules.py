"""The linter finds what looks right and is reckoned wrong."""

import pytest

from tests.grafana.sound import Dashboard, faults, panel, panel_in_row, sound_dashboard, target

LIFETIME = "aps_ecu_lifetime_energy_joules_total"
OVERLAP = "expected 1d, or days overlap"


def asking(expr: str, **others: object) -> Dashboard:
    """A dashboard whose first panel, of lines, asks this."""
    dashboard = sound_dashboard()
    target(dashboard).update(expr=expr, legendFormat="all", **others)
    return dashboard


def asking_influxdb(query: str) -> Dashboard:
    dashboard = sound_dashboard()
    target(dashboard, 1)["query"] = query
    return dashboard


@pytest.mark.parametrize(
    ("expr", "function"),
    [
        (f"rate({LIFETIME}[15m])", "rate"),
        (f'sum by (ecu) (irate({LIFETIME}{{ecu=~"$ecu"}}[15m]))', "irate"),
        (f"rate((sum({LIFETIME}))[1h:5m])", "rate"),
    ],
)
def test_rate_of_energy(expr: str, function: str) -> None:
    assert faults(asking(expr)) == [
        f"panel 1 A: {function}() of {LIFETIME}, which rises in steps: expected increase() for "
        "energy, or a metric in watts for power"
    ]


@pytest.mark.parametrize("instant", [True, False])
def test_most_of_today_is_that_of_yesterday(*, instant: bool) -> None:
    expr = "sum(max_over_time(aps_ecu_today_energy_joules[$__range]))"
    assert faults(asking(expr, instant=instant)) == [
        "panel 1 A: max_over_time() of aps_ecu_today_energy_joules repeats yesterday's after "
        "midnight: expected increase() of a counter"
    ]


def test_what_stands_beside_a_rate_is_no_fault() -> None:
    expr = f"rate(process_cpu_seconds_total[5m]) and on (job) increase({LIFETIME}[1h])"
    assert faults(asking(f"max_over_time(aps_ecu_power_watts[1h]) or {expr}")) == []


@pytest.mark.parametrize("window", ["1d", "24h"])
@pytest.mark.parametrize("step", [None, "1h", "1m"])
def test_days_that_overlap(window: str, step: str | None) -> None:
    dashboard = asking(f"increase({LIFETIME}[{window}] offset -1d)", interval=step)
    assert faults(dashboard) == [f"panel 1 A: adds up days with Min step {step!r}: {OVERLAP}"]


@pytest.mark.parametrize(
    ("offset", "found"),
    [
        ("", "no offset"),
        (" offset 1d", "offset 1d"),
        (" offset -2d", "offset -2d"),
        (" offset 365d", "offset 365d"),
        (" offset -$__interval", "offset -$__interval"),
    ],
)
@pytest.mark.parametrize("function", ["increase({}[1d]{})", "sum_over_time(({} > 0)[1d:5m]{})"])
def test_day_before_the_bar_that_shows_it(function: str, offset: str, found: str) -> None:
    dashboard = asking(function.format(LIFETIME, offset), interval="1d")
    assert faults(dashboard) == [
        f"panel 1 A: adds up a day with {found}: expected offset -1d, or that of a year before"
    ]


@pytest.mark.parametrize(
    ("expr", "others"),
    [
        (f"increase({LIFETIME}[1d] offset -1d)", {"interval": "1d"}),
        (f"increase({LIFETIME}[1d] offset -24h)", {"interval": "24h"}),
        (f"increase({LIFETIME}[1d] offset 364d)", {"interval": "1d"}),
        (f"increase({LIFETIME}[1d])", {"instant": True, "range": False}),
        (f"increase({LIFETIME}[1h] offset -$__interval)", {}),
        ("last_over_time(aps_ecu_info[1d])", {}),
    ],
)
def test_sound_windows(expr: str, others: dict[str, object]) -> None:
    assert faults(asking(expr, **others)) == []


def test_min_step_of_the_whole_panel_counts() -> None:
    dashboard = asking(f"increase({LIFETIME}[1d] offset -1d)")
    panel(dashboard)["interval"] = "1d"
    assert faults(dashboard) == []


def test_cell_of_a_heat_map_is_the_day_before_its_time() -> None:
    dashboard = sound_dashboard()
    panel_in_row(dashboard)["targets"][0]["expr"] = f"increase({LIFETIME}[1d] offset -1d)"
    assert faults(dashboard) == [
        "panel 5 A: adds up a day with offset -1d: expected no offset, or that of a year before"
    ]


@pytest.mark.parametrize("others", [{}, {"range": True}, {"range": True, "instant": True}])
@pytest.mark.parametrize("title", ["Power now", "Now: power"])
def test_now_over_a_range(title: str, others: dict[str, bool]) -> None:
    dashboard = asking("aps_ecu_power_watts", **others)
    panel(dashboard)["title"] = title
    assert faults(dashboard) == [
        "panel 1 A: is asked over a range, and its title says now: expected an instant query"
    ]


@pytest.mark.parametrize(
    ("title", "instant"), [("Power now", True), ("Is it known?", False), ("Snow", False)]
)
def test_sound_titles(title: str, *, instant: bool) -> None:
    dashboard = asking("aps_ecu_power_watts", instant=instant)
    panel(dashboard)["title"] = title
    assert faults(dashboard) == []


@pytest.mark.parametrize("time", ["time(1d)", "TIME( 24h )", "time(1w, 1h)"])
def test_days_of_utc(time: str) -> None:
    query = f'SELECT mean("power_watts") FROM "aps_ecu" WHERE $timeFilter GROUP BY {time}'  # noqa: S608 - linted, not run
    assert faults(asking_influxdb(query)) == [
        "panel 2 A: cuts time into days of UTC: expected tz() behind it"
    ]
    assert faults(asking_influxdb(f"{query} fill(null) tz('Europe/Amsterdam')")) == []


@pytest.mark.parametrize("time", ["time(5m)", "time($__interval)"])
def test_less_than_days_wants_no_zone(time: str) -> None:
    query = f'SELECT mean("power_watts") FROM "aps_ecu" WHERE $timeFilter GROUP BY {time}'  # noqa: S608 - linted, not run
    assert faults(asking_influxdb(query)) == []


def test_integral_across_outages() -> None:
    query = 'SELECT integral("power_watts", 1h) FROM "aps_ecu" WHERE $timeFilter'
    assert faults(asking_influxdb(query)) == [
        "panel 2 A: integral() draws a line across an outage: expected a sum over rounds of five "
        "minutes"
    ]
