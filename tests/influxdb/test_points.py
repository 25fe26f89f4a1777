"""The lines of a round, against the contract's table of measurements."""

import re
from datetime import UTC, datetime

from aps_exporter.cache import EcuCache
from aps_exporter.metrics import ECU_METRICS
from aps_exporter.readings import Snapshot
from aps_exporter.sinks.influxdb.points import round_lines
from tests.virtual_time import in_virtual_time
from tests.world import World, world

CONTRACT = {
    ("aps_ecu", ("ecu",)): {
        *("power_watts", "lifetime_energy_kwh", "today_energy_kwh", "day_energy_kwh"),
        *("inverters", "inverters_online"),
    },
    ("aps_inverter", ("ecu", "inverter")): {
        *("online", "power_watts", "temperature_celsius", "grid_frequency_hertz"),
        "signal_strength_ratio",
    },
    ("aps_inverter_grid", ("ecu", "inverter", "phase")): {"voltage_volts"},
    ("aps_channel", ("channel", "ecu", "inverter")): {"power_watts", "integrated_energy_kwh"},
}
KINDS = "qs1:1,ds3:1,yc1000:1,qt2:1"
BEFORE_MIDNIGHT = datetime(2026, 6, 1, 21, 57, 20, tzinfo=UTC)  # in Amsterdam
NUMBER = r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?"

Point = tuple[str, tuple[str, ...], dict[str, float], int]


def _parsed(line: str) -> Point:
    """Measurement, tags, fields and time; every field must be written as a float."""
    series, fields, seconds = line.split(" ")
    measurement, *tags = series.split(",")
    named = dict(field.split("=") for field in fields.split(","))
    assert all(re.fullmatch(NUMBER, value) for value in named.values()), line
    return measurement, tuple(tags), {n: float(v) for n, v in named.items()}, int(seconds)


def _tag_names(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(tag.partition("=")[0] for tag in tags)


class Taker:
    """Takes the rounds of a cache of this world."""

    def __init__(self, w: World) -> None:
        self.snapshots: list[Snapshot] = []
        self.cache: EcuCache = w.cache(take_round=self.snapshots.append)

    @property
    def points(self) -> list[Point]:
        """Of the newest round."""
        return [_parsed(line) for line in round_lines(self.snapshots[-1])]

    def fields(self, measurement: str) -> dict[str, float]:
        """Of the first point of this measurement."""
        return next(fields for name, _, fields, _ in self.points if name == measurement)


@in_virtual_time
async def test_measurements_tags_and_fields_are_those_of_the_contract() -> None:
    async with world(inverters=KINDS, start=BEFORE_MIDNIGHT) as w:
        taker = Taker(w)
        await taker.cache.ask_once()
        await w.pass_time(300)
        await taker.cache.ask_once()
        found: dict[tuple[str, tuple[str, ...]], set[str]] = {}
        for measurement, tags, fields, _ in taker.points:
            found.setdefault((measurement, _tag_names(tags)), set()).update(fields)
        assert found == CONTRACT


@in_virtual_time
async def test_every_series_has_one_line_at_the_time_of_the_round() -> None:
    async with world(inverters=KINDS) as w:
        taker = Taker(w)
        await taker.cache.ask_once()
        measured_at = taker.snapshots[-1].measured_at
        assert measured_at is not None
        series = [(measurement, tags) for measurement, tags, _, _ in taker.points]
        assert len(series) == len({*series}) == 1 + 4 + (1 + 1 + 3 + 3) + (4 + 2 + 4 + 4)
        assert {seconds for *_, seconds in taker.points} == {int(measured_at.timestamp())}


@in_virtual_time
async def test_numbers_are_those_of_the_metrics_in_the_units_of_their_names() -> None:
    async with world() as w:
        taker = Taker(w)
        await taker.cache.ask_once()
        ecu, snapshot = taker.fields("aps_ecu"), taker.snapshots[-1]
        assert ecu["power_watts"] == snapshot.info.power_watts
        assert ecu["lifetime_energy_kwh"] == (snapshot.lifetime_energy_joules or 0) / 3_600_000
        assert ecu["today_energy_kwh"] == (snapshot.info.today_energy_joules or 0) / 3_600_000
        assert taker.fields("aps_inverter")["online"] == 1


@in_virtual_time
async def test_offline_inverter_has_nothing_but_its_being_offline() -> None:
    async with world(faults=["offline"]) as w:
        taker = Taker(w)
        await taker.cache.ask_once()
        serial = f"inverter={w.simulated.plant.inverters[0].serial}"
        said = [(name, fields) for name, tags, fields, _ in taker.points if serial in tags]
        assert said == [
            ("aps_inverter", {"online": 0}),
            ("aps_channel", {"integrated_energy_kwh": 0}),
            ("aps_channel", {"integrated_energy_kwh": 0}),
        ]


@in_virtual_time
async def test_each_round_is_given_once() -> None:
    async with world() as w:
        taker = Taker(w)
        for _ in range(100):
            await taker.cache.ask_once()
            await w.pass_time(30)
        times = [snapshot.measured_at for snapshot in taker.snapshots]
        assert len(times) == len({*times}) == 10


@in_virtual_time
async def test_round_whose_info_failed_says_nothing_of_the_ecu() -> None:
    async with world() as w:
        taker = Taker(w)
        await taker.cache.ask_once()
        w.ecu.answers["info"] = None
        await w.pass_time(310)
        await taker.cache.ask_once()
        await w.pass_time(20)
        assert len(taker.snapshots) == 2
        assert "aps_ecu" not in {measurement for measurement, *_ in taker.points}
        assert "power_watts" in taker.fields("aps_inverter")


@in_virtual_time
async def test_value_that_is_not_believed_is_left_out_of_its_round() -> None:
    async with world() as w:
        taker = Taker(w)
        await taker.cache.ask_once()
        w.faults.add("wild-values")
        await w.pass_time(310)
        await taker.cache.ask_once()
        assert "grid_frequency_hertz" not in taker.fields("aps_inverter")
        assert taker.snapshots[-1].rejected_values["frequency"] == 1


def test_name_of_a_number_without_kwh_is_its_metrics_name() -> None:
    for metric in ECU_METRICS:
        field = metric.influxdb
        if field is not None and not field.name.endswith("_kwh"):
            assert f"{field.measurement}_{field.name}" == metric.name
