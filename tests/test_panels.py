"""What is published of panels, and what of channels that are not used."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse
from prometheus_client.samples import Sample

from aps_exporter.config.panels_file import panels_from_toml
from aps_exporter.panels import Panel
from aps_exporter.readings import Snapshot
from aps_exporter.sinks.influxdb.points import round_lines
from tests.exporter import exporter, registry_of
from tests.virtual_time import in_virtual_time
from tests.world import world

DS3 = "704000000001"
CHANNEL_SERIES = {
    "aps_channel_info",
    "aps_channel_rated_watts",
    "aps_channel_power_watts",
    "aps_channel_integrated_energy_joules_total",
}
LABELS = (
    st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=64)
    .map(str.strip)
    .filter(lambda text: text.isprintable() and text != "")
)


def _samples(registry: CollectorRegistry, name: str = "") -> list[Sample]:
    families = parse(generate_latest(registry).decode())
    return [s for family in families for s in family.samples if s.name.startswith(name)]


def _info(registry: CollectorRegistry) -> dict[str, tuple[str, ...]]:
    """Panel, array, row and column by channel of the one inverter."""
    return {
        sample.labels["channel"]: tuple(
            sample.labels[label] for label in ("panel", "array", "row", "column")
        )
        for sample in _samples(registry, "aps_channel_info")
    }


@in_virtual_time
async def test_channel_has_name_and_place_of_its_panel_or_its_own() -> None:
    async with world(inverters="ds3:1") as w:
        cache = w.cache()
        await cache.ask_once()
        registry, _ = registry_of([cache])
        assert _info(registry) == {
            "1": ("704000000001/1", "", "", ""),
            "2": ("704000000001/2", "", "", ""),
        }
        w.panels = {
            (DS3, 1): Panel("South 1", "south", row=0, column=12),
            (DS3, 2): Panel(array="west"),
        }
        assert _info(registry) == {
            "1": ("South 1", "south", "0", "12"),
            "2": ("704000000001/2", "west", "", ""),
        }


@in_virtual_time
async def test_rated_power_is_that_of_known_channels_that_have_one() -> None:
    async with world(inverters="ds3:1") as w:
        w.panels = {
            (DS3, 1): Panel(rated_watts=410),
            (DS3, 2): Panel(name="South 2"),
            (DS3, 3): Panel(rated_watts=400),
            ("802000000099", 1): Panel(rated_watts=400),
        }
        cache = w.cache()
        await cache.ask_once()
        registry, _ = registry_of([cache])
        (sample,) = _samples(registry, "aps_channel_rated_watts")
        assert sample.labels == {"ecu": w.simulated.ecu, "inverter": DS3, "channel": "1"}
        assert sample.value == 410


@in_virtual_time
async def test_rated_power_stays_while_power_is_withdrawn() -> None:
    async with world(inverters="ds3:1") as w:
        w.panels = {(DS3, 1): Panel(rated_watts=410)}
        cache = w.cache()
        await cache.ask_once()
        await w.pass_time(901)
        registry, _ = registry_of([cache])
        assert len(_samples(registry, "aps_channel_rated_watts")) == 1
        assert _samples(registry, "aps_channel_power_watts") == []


@in_virtual_time
async def test_unused_channel_has_no_series() -> None:
    async with world(inverters="ds3:1") as w:
        w.panels = {
            (DS3, 1): Panel(rated_watts=400),
            (DS3, 2): Panel("free", rated_watts=400, unused=True),
        }
        cache = w.cache()
        await cache.ask_once()
        registry, _ = registry_of([cache])
        samples = _samples(registry)
        named = [sample for sample in samples if "channel" in sample.labels]
        assert {sample.labels["channel"] for sample in named} == {"1"}
        assert {sample.name for sample in named} == CHANNEL_SERIES


@in_virtual_time
async def test_power_of_an_inverter_is_the_sum_of_all_its_channels() -> None:
    async with world(inverters="ds3:1") as w:
        cache = w.cache()
        await cache.ask_once()
        registry, _ = registry_of([cache])
        (whole,) = _samples(registry, "aps_inverter_power_watts")
        w.panels = {(DS3, 2): Panel(unused=True)}
        assert _samples(registry, "aps_inverter_power_watts") == [whole]
        (used,) = _samples(registry, "aps_channel_power_watts")
        assert (
            0 < used.value < whole.value == w.simulated.plant.power_watts(w.simulated.newest_round)
        )


@in_virtual_time
async def test_unused_channel_makes_no_points() -> None:
    async with world(inverters="ds3:1") as w:
        w.panels = {(DS3, 2): Panel(unused=True)}
        taken: list[Snapshot] = []
        await w.cache(take_round=taken.append).ask_once()
        lines = [line for line in round_lines(taken[0]) if line.startswith("aps_channel,")]
        (line,) = lines
        assert line.startswith(f"aps_channel,channel=1,ecu={w.simulated.ecu},inverter={DS3} ")
        assert "power_watts=" in line
        assert "integrated_energy_kwh=" in line


@in_virtual_time
async def test_names_of_panels_are_no_tags() -> None:
    async with world(inverters="ds3:1") as w:
        w.panels = {(DS3, 1): Panel("South 1", "south", 1, 1, 400)}
        taken: list[Snapshot] = []
        await w.cache(take_round=taken.append).ask_once()
        assert round_lines(taken[0]) == round_lines(replace(taken[0], panels={}))


def test_any_name_is_exposed_as_it_is() -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(inverters="ds3:1") as w:
            cache = w.cache()
            await cache.ask_once()
            registry, _ = registry_of([cache])

            @given(name=LABELS, array=LABELS)
            @example(name='"} 1\\', array="\\n{a=")
            @example(name="Süd ☀ 1", array="屋根")
            def holds(name: str, array: str) -> None:
                said = panels_from_toml(f"[panels.{DS3}.1]\nname = {_quoted(name)}")
                assert said[DS3, 1].name == name
                w.panels = {(DS3, 1): Panel(name, array)}
                for families in _exposed(registry):
                    (exposed,) = [
                        s.labels
                        for s in families
                        if s.name == "aps_channel_info" and s.labels["channel"] == "1"
                    ]
                    assert (exposed["panel"], exposed["array"]) == (name, array)

            holds()

    check()


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


def _exposed(registry: CollectorRegistry) -> Iterator[Iterable[Sample]]:
    """All samples, by way of either text format."""
    yield [s for f in parse(generate_latest(registry).decode()) for s in f.samples]
    # prometheus-client leaves this module untyped.
    text = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    yield [s for f in parse_openmetrics(text) for s in f.samples]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("South 1", '<abbr title="South 1">'),
        ("\"><script>alert('x')</script>", '<abbr title="&quot;&gt;&lt;script&gt;alert(&#x27;x'),
    ],
)
def test_landing_page_names_panels_and_escapes_them(name: str, shown: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(inverters="ds3:1") as w:
            w.panels = {(DS3, 1): Panel(name)}
            cache = w.cache()
            async with exporter([cache]) as client:
                await cache.ask_once()
                page = await (await client.get("/")).text()
                assert page.count("<abbr ") == 1
                assert shown in page
                assert "<script" not in page

    check()


@in_virtual_time
async def test_snapshots_have_every_row_as_decode_prints_it() -> None:
    async with world(inverters="ds3:1") as w:
        cache = w.cache()
        await cache.ask_once()
        async with exporter([cache]) as client:
            before = await (await client.get("/api/v1/snapshots")).json()
            w.panels = {(DS3, 1): Panel("South 1"), (DS3, 2): Panel(unused=True)}
            after = await (await client.get("/api/v1/snapshots")).json()
            assert after["ecus"][0]["inverters"] == before["ecus"][0]["inverters"]
            assert len(after["ecus"][0]["inverters"]["inverters"][0]["power_watts"]) == 2
