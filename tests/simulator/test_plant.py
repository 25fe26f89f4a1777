from datetime import date, datetime, timedelta

import pytest

from aps_exporter.simulator.plant import (
    DEFAULT_INVERTERS,
    INVERTER_KINDS,
    ROUND,
    ROUND_SECONDS,
    Plant,
    plant_inverters,
)

INSTALLED = date(2026, 3, 1)
DAYS = [date(2026, month, 15) for month in range(1, 13)]


@pytest.fixture(scope="module")
def plant() -> Plant:
    return Plant(plant_inverters(DEFAULT_INVERTERS), INSTALLED)


def _at(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}")


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_inverter_works_at_eleven_on_any_day_of_the_year(plant: Plant, day: date) -> None:
    for inverter in plant.inverters:
        measured = plant.measure(inverter, _at(day, "11:00"))
        assert measured.online
        assert min(measured.channel_watts) > 0


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_no_inverter_works_at_night(plant: Plant, day: date) -> None:
    for clock in ("00:00", "02:30", "23:55"):
        assert not any(plant.measure(i, _at(day, clock)).online for i in plant.inverters)
        assert plant.power_watts(_at(day, clock)) == 0


def test_same_moment_gives_the_same_numbers() -> None:
    here, there = (Plant(plant_inverters("qs1:2,qt2:1"), INSTALLED) for _ in range(2))
    at = _at(INSTALLED, "13:35")
    assert [here.measure(i, at) for i in here.inverters] == [
        there.measure(i, at) for i in there.inverters
    ]


def test_inverters_wake_one_after_the_other(plant: Plant) -> None:
    morning = [_at(INSTALLED, "05:30") + ROUND * step for step in range(36)]
    awake = [sum(plant.measure(i, at).online for i in plant.inverters) for at in morning]
    assert awake == sorted(awake)
    assert len(set(awake)) > 3


def test_power_of_the_plant_is_the_sum_of_its_online_channels(plant: Plant) -> None:
    for clock in ("07:00", "09:15", "12:00", "17:40"):
        at = _at(INSTALLED, clock)
        measured = [plant.measure(inverter, at) for inverter in plant.inverters]
        assert plant.power_watts(at) == sum(sum(m.channel_watts) for m in measured if m.online)


def test_summer_noon_makes_more_than_winter_noon(plant: Plant) -> None:
    assert plant.power_watts(_at(date(2026, 6, 21), "12:00")) > 2 * plant.power_watts(
        _at(date(2026, 12, 21), "12:00")
    )


def test_energy_of_today_is_the_sum_of_power_over_its_rounds(plant: Plant) -> None:
    at = _at(INSTALLED, "14:00")
    rounds = [_at(INSTALLED, "00:00") + ROUND * step for step in range(14 * 12 + 1)]
    assert plant.today_joules(at) == sum(plant.power_watts(r) * ROUND_SECONDS for r in rounds)


def test_lifetime_rises_by_what_each_round_makes_across_days(plant: Plant) -> None:
    at = _at(INSTALLED, "23:00")
    for _ in range(14 * 12):
        following = at + ROUND
        rise = plant.lifetime_joules(following) - plant.lifetime_joules(at)
        assert rise == plant.power_watts(following) * ROUND_SECONDS
        at = following


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-03-01 11:00", "2026-03-01 11:00"),
        ("2026-03-01 11:00", "2026-03-01 11:05"),
        ("2026-03-01 00:00", "2026-03-02 00:00"),
        ("2026-03-01 11:00", "2026-03-02 10:00"),
        ("2026-02-27 12:35", "2026-03-02 08:10"),  # from before the installation on
    ],
)
def test_energy_between_is_of_the_rounds_from_the_first_until_before_the_last(
    plant: Plant, since: str, until: str
) -> None:
    at, end, joules = datetime.fromisoformat(since), datetime.fromisoformat(until), 0
    while at < end:
        joules += plant.power_watts(at) * ROUND_SECONDS
        at += ROUND
    assert plant.joules_between(datetime.fromisoformat(since), end) == joules


def test_today_begins_anew_at_midnight(plant: Plant) -> None:
    last = _at(INSTALLED, "23:55")
    assert plant.today_joules(last) > 0
    assert plant.today_joules(last + timedelta(minutes=5)) == 0


def test_powers_and_temperatures_are_what_real_inverters_say(plant: Plant) -> None:
    for day in DAYS:
        for inverter in plant.inverters:
            measured = plant.measure(inverter, _at(day, "12:00"))
            assert all(watts <= 400 for watts in measured.channel_watts)
            assert -10 <= measured.celsius <= 60
            assert 0 < measured.signal <= 255


def test_inverters_are_made_as_asked_with_a_serial_each() -> None:
    inverters = plant_inverters("qs1:2, DS3:1,yc1000")
    assert [i.serial[:4] for i in inverters] == ["8020", "8020", "7040", "5010"]
    assert len({i.serial for i in inverters}) == 4
    assert all(len(i.serial) == 12 for i in inverters)


@pytest.mark.parametrize("kind", INVERTER_KINDS)
def test_every_kind_can_be_asked_for(kind: str) -> None:
    (inverter,) = plant_inverters(f"{kind}:1")
    assert inverter.kind is INVERTER_KINDS[kind]


@pytest.mark.parametrize("wanted", ["", "qs1:0", "qs9:1", "qs1:-1", "qs1:x", "qs1:301"])
def test_bad_wish_says_what_was_expected(wanted: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        plant_inverters(wanted)
