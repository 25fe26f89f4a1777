"""What is exposed satisfies the strictest readers: promtool's lint and the OpenMetrics parser."""

from collections.abc import Iterator
from typing import Final

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.integration.pages import get
from tests.integration.programs import running_demo
from tests.promtool import promtool_says

pytestmark = pytest.mark.integration

EVERY_TYPE: Final = "qs1:1,qs1a:1,ds3:1,ds3-h:1,yc600:1,yc1000:1,qt2:1"
EVERY_MODEL: Final = {"QS1", "QS1A", "DS3", "DS3-H", "YC600", "YC1000", "QT2"}

OPENMETRICS: Final = {"Accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture(
    scope="module",
    params=[(), ("offline",), ("refuse",), ("truncate",), ("zero-glitch",)],
    ids=lambda faults: faults[0] if faults else "no fault",
)
def faults(request: pytest.FixtureRequest) -> tuple[str, ...]:
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, faults: tuple[str, ...]) -> Iterator[str]:
    """The address of a demo with an inverter of every type, and these faults."""
    flags = [flag for fault in faults for flag in ("--fault", fault)]
    folder = tmp_path_factory.mktemp("demo")
    with running_demo(folder, "--inverters", EVERY_TYPE, *flags) as program:
        yield program.address


def _samples(address: str) -> list[Sample]:
    text = get(address, "/metrics", OPENMETRICS).text
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # theirs
    return [sample for family in families for sample in family.samples]


def _values(samples: list[Sample], name: str) -> list[float]:
    return [sample.value for sample in samples if sample.name == name]


def test_promtool_has_nothing_to_say(demo: str) -> None:
    assert promtool_says("check", "metrics", given=get(demo, "/metrics").text) == (0, "")


def test_openmetrics_is_served_to_those_who_ask(demo: str) -> None:
    assert get(demo, "/metrics", OPENMETRICS).content_type.startswith(
        "application/openmetrics-text"
    )


def test_openmetrics_parses_and_tells_whether_the_ecu_is_up(
    demo: str, faults: tuple[str, ...]
) -> None:
    answers = not {"refuse", "truncate"} & {*faults}
    assert _values(_samples(demo), "aps_up") == [int(answers)]


def test_an_ecu_that_answers_shows_inverters_of_every_type(
    demo: str, faults: tuple[str, ...]
) -> None:
    samples = _samples(demo)
    models = {sample.labels["model"] for sample in samples if sample.name == "aps_inverter_info"}
    online = sorted(_values(samples, "aps_inverter_online"))
    match faults:
        case ("refuse",) | ("truncate",):
            assert (models, online) == (set(), [])
        case ("offline",):
            assert (models, online) == (EVERY_MODEL, [0, 1, 1, 1, 1, 1, 1])
        case _:
            assert (models, online) == (EVERY_MODEL, [1] * 7)
