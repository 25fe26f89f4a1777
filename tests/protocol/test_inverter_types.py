from collections import Counter

import pytest

from aps_exporter.ecu.records import NO_LAYOUT, ROW_LAYOUTS
from aps_exporter.inverter_types import INVERTER_TYPES, inverter_type


@pytest.mark.parametrize(
    ("type_code", "serial", "model", "channels", "phases"),
    [
        ("01", "100000000001", "YC500", 2, ("1",)),
        ("01", "408000094016", "YC600", 2, ("1",)),
        ("02", "501000000001", "YC1000", 4, ("1", "2", "3")),
        ("01", "701000000001", "DS3", 2, ("1",)),
        ("01", "702000000001", "DS3-S", 2, ("1",)),
        ("01", "703022304382", "DS3-L", 2, ("1",)),
        ("01", "704064438048", "DS3", 2, ("1",)),
        ("01", "705000000001", "DS3-H", 2, ("1",)),
        ("04", "705000000001", "DS3-H", 2, ("1",)),
        ("05", "705000000001", "DS3-H", 2, ("1",)),
        ("01", "707000000001", "DS3-M", 2, ("1",)),
        ("03", "801000000001", "QS1", 4, ("1",)),
        ("03", "802000104413", "QS1", 4, ("1",)),
        ("03", "804016960407", "QS1A", 4, ("1",)),
        ("03", "805000000001", "QS1A", 4, ("1",)),
        ("03", "806073965537", "QS1A", 4, ("1",)),
        ("02", "901055612951", "QT2", 4, ("1-2", "2-3", "3-1")),
        ("05", "901055612951", "QT2", 4, ("1-2", "2-3", "3-1")),
    ],
)
def test_known_prefix_has_its_model(
    type_code: str, serial: str, model: str, channels: int, phases: tuple[str, ...]
) -> None:
    known = inverter_type(type_code, serial)
    assert known is not None
    assert (known.model, known.channels, known.phases) == (model, channels, phases)


@pytest.mark.parametrize(
    ("type_code", "serial", "model", "channels", "phases"),
    [
        ("01", "709000000001", "DS3", 2, ("1",)),
        ("01", "999999999999", "YC600/DS3", 2, ("1",)),
        ("02", "999999999999", "YC1000/QT2", 4, ("1", "2", "3")),
        ("02", "599999999999", "YC1000/QT2", 4, ("1", "2", "3")),
        ("03", "809000000001", "QS1", 4, ("1",)),
        ("03", "999999999999", "QS1", 4, ("1",)),
        ("04", "999999999999", "DS3", 2, ("1",)),
    ],
)
def test_unknown_prefix_has_the_name_of_its_family(
    type_code: str, serial: str, model: str, channels: int, phases: tuple[str, ...]
) -> None:
    known = inverter_type(type_code, serial)
    assert known is not None
    assert (known.model, known.channels, known.phases) == (model, channels, phases)


@pytest.mark.parametrize("type_code", ["00", "06", "10", "99", "0", "1", "", "zz", "01 "])
@pytest.mark.parametrize("serial", ["704064438048", ""])
def test_unknown_type_code_has_no_type(type_code: str, serial: str) -> None:
    assert inverter_type(type_code, serial) is None


@pytest.mark.parametrize("serial", ["", "7", "70"])
def test_short_serial_has_the_type_of_what_there_is_of_it(serial: str) -> None:
    known = inverter_type("01", serial)
    assert known is not None
    assert known.serial_prefix in {"", serial}


def test_no_code_and_prefix_stand_twice_in_the_table() -> None:
    keys = Counter((known.type_code, known.serial_prefix) for known in INVERTER_TYPES)
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_type_code_has_a_family_for_prefixes_to_come() -> None:
    families = {known.type_code for known in INVERTER_TYPES if not known.serial_prefix}
    assert families == {known.type_code for known in INVERTER_TYPES}


def test_type_codes_with_a_model_are_those_with_a_layout() -> None:
    assert {known.type_code for known in INVERTER_TYPES} == set(ROW_LAYOUTS) - {NO_LAYOUT}


def test_models_are_named() -> None:
    assert [known for known in INVERTER_TYPES if not known.model.strip()] == []
