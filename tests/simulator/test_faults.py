"""The table of faults, and their names as people write them."""

from typing import get_args

import pytest

from aps_exporter.simulator.faults import FAULTS, Fault, fault_named
from aps_exporter.simulator.reply_faults import REPLY_FAULTS


def test_type_has_the_names_of_the_table() -> None:
    assert get_args(Fault) == tuple(FAULTS)


def test_each_fault_of_a_reply_has_its_function() -> None:
    assert {*REPLY_FAULTS} == {name for name, fault in FAULTS.items() if fault.kind == "reply"}


@pytest.mark.parametrize("name", FAULTS)
def test_about_is_one_short_sentence_that_fits_a_table(name: Fault) -> None:
    about = FAULTS[name].about
    assert about == about.strip(" .")
    assert "|" not in about
    assert len(about) <= 90


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("hyphen", ["-", "_", " ", " - "])
def test_name_is_read_with_hyphens_underscores_and_spaces_in_any_case(
    name: Fault, hyphen: str
) -> None:
    written = name.replace("-", hyphen)
    for variant in (written, written.upper(), f" {written.title()} "):
        assert fault_named(variant) == name


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("slient", "silent"), ("zero_glich", "zero-glitch"), ("life time zero", "lifetime-zero")],
)
def test_unknown_name_near_a_known_one_suggests_it(name: str, suggested: str) -> None:
    with pytest.raises(ValueError, match=rf"{name!r} \(perhaps {suggested}\?\)"):
        fault_named(name)


@pytest.mark.parametrize("name", ["", "qqq", "truncate,silent"])
def test_unknown_name_is_told_every_known_one(name: str) -> None:
    with pytest.raises(ValueError, match="expected one of") as caught:
        fault_named(name)
    assert [known for known in FAULTS if known not in str(caught.value)] == []
