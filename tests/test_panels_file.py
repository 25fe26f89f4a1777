"""The panels file: what it may say, and every fault with the line it is on."""

import os
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aps_exporter.config import read_panels
from aps_exporter.config.panels_file import panels_from_toml
from aps_exporter.config.toml_lines import key_lines
from aps_exporter.errors import ConfigError
from aps_exporter.panels import Panel
from aps_exporter.simulator.plant import DEFAULT_INVERTERS, plant_inverters

EXAMPLE: Final = Path(__file__).parents[1] / "deploy" / "panels.example.toml"
SERIAL: Final = "802000000001"
OTHER: Final = "802000000002"
LABEL: Final = "expected text of 1 to 64 printable characters, without space at its ends"
PLACE: Final = "expected a whole number from 0 to 999"
WATTS: Final = "expected watts, a number above 0 and up to 2000"
FIELDS: Final = "expected one of name, array, row, column, rated_watts, unused"


def _faults(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        panels_from_toml(text)
    return raised.value.faults


def _faults_of_file(content: bytes, folder: Path) -> tuple[str, ...]:
    file = folder / "panels.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_panels(file)
    return raised.value.faults


def test_panel_has_what_its_table_says() -> None:
    text = """
        [panels."802000104413".1]
        name = "South 1"
        array = "south"
        row = 1
        column = 3
        rated_watts = 410

        [panels."802000104413".2]
        unused = true

        [panels."704000000004"]
        2 = { name = "Süd 2 ☀", row = 0, column = 999, rated_watts = 0.5 }
    """
    assert panels_from_toml(text) == {
        ("802000104413", 1): Panel("South 1", "south", 1, 3, 410),
        ("802000104413", 2): Panel(unused=True),
        ("704000000004", 2): Panel("Süd 2 ☀", None, 0, 999, 0.5),
    }


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[panels]\n"])
def test_file_may_say_nothing(text: str) -> None:
    assert panels_from_toml(text) == {}


def test_example_fits_the_default_plant() -> None:
    panels = read_panels(EXAMPLE)
    plant = plant_inverters(DEFAULT_INVERTERS)
    channels = {(i.serial, n + 1) for i in plant for n in range(i.kind.channels)}
    assert panels.keys() == channels
    assert [channel for channel, panel in panels.items() if panel.unused] == [("408000000007", 2)]
    assert {panel.rated_watts for panel in panels.values() if not panel.unused} == {400}


def test_windows_editors_write_good_files_too(tmp_path: Path) -> None:
    file = tmp_path / "panels.toml"
    file.write_bytes(b"\xef\xbb\xbf" + f'[panels.{SERIAL}.1]\r\nname = "S\xfcd"\r\n'.encode())
    assert read_panels(file) == {(SERIAL, 1): Panel("Süd")}


FAULTS: Final = {
    "name": (f'[panels."{SERIAL}".1]\nname = ""  # HERE', f".1.name = '': {LABEL}"),
    "name with spaces": (f'[panels."{SERIAL}".1]\nname = "a "  # HERE', f"= 'a ': {LABEL}"),
    "name of 65": (f'[panels."{SERIAL}".1]\nname = "{"n" * 65}"  # HERE', LABEL),
    "name with a line": (f'[panels."{SERIAL}".1]\nname = "a\\nb"  # HERE', f"'a\\nb': {LABEL}"),
    "name with ESC": (
        f'[panels."{SERIAL}".1]\nname = "\\u001b[2J"  # HERE',
        f"'\\x1b[2J': {LABEL}",
    ),
    "name right to left": (
        f'[panels."{SERIAL}".1]\nname = "\\u202ea"  # HERE',
        f"'\\u202ea': {LABEL}",
    ),
    "name a number": (f'[panels."{SERIAL}".1]\nname = 1  # HERE', f".1.name = 1: {LABEL}"),
    "array": (f'[panels."{SERIAL}".1]\n\narray = []  # HERE', f".1.array = []: {LABEL}"),
    "row": (f'[panels."{SERIAL}".1]\nrow = -1  # HERE', f".1.row = -1: {PLACE}"),
    "row beyond": (f'[panels."{SERIAL}".1]\nrow = 1000  # HERE', f".1.row = 1000: {PLACE}"),
    "row without end": (
        f'[panels."{SERIAL}".1]\nrow = 0x{"f" * 5_000}  # HERE',
        f".1.row = (a number too long to show): {PLACE}",
    ),
    "list of a number without end": (
        f'[panels."{SERIAL}".1]\nname = [0x{"f" * 5_000}]  # HERE',
        f".1.name = (a number too long to show): {LABEL}",
    ),
    "row text": (f'[panels."{SERIAL}".1]\nrow = "1"  # HERE', f".1.row = '1': {PLACE}"),
    "row true": (f'[panels."{SERIAL}".1]\nrow = true  # HERE', f".1.row = true: {PLACE}"),
    "column": (f'[panels."{SERIAL}".1]\ncolumn = 1.0  # HERE', f".1.column = 1.0: {PLACE}"),
    "watts 0": (f'[panels."{SERIAL}".1]\nrated_watts = 0  # HERE', f"rated_watts = 0: {WATTS}"),
    "watts nan": (f'[panels."{SERIAL}".1]\nrated_watts = nan  # HERE', f"= nan: {WATTS}"),
    "watts inf": (f'[panels."{SERIAL}".1]\nrated_watts = inf  # HERE', f"= inf: {WATTS}"),
    "watts too many": (f'[panels."{SERIAL}".1]\nrated_watts = 2000.1  # HERE', f"2000.1: {WATTS}"),
    "watts true": (f'[panels."{SERIAL}".1]\nrated_watts = true  # HERE', f"= true: {WATTS}"),
    "unused": (f'[panels."{SERIAL}".1]\nunused = 1  # HERE', ".unused = 1: expected true or false"),
    "unknown key": (
        f'[panels."{SERIAL}".1]\nrow = 1\nrated_wats = 400  # HERE',
        f".1.rated_wats: {FIELDS}; did you mean rated_watts?",
    ),
    "unknown key unlike any": (f'[panels."{SERIAL}".1]\ntilt = 30  # HERE', f".1.tilt: {FIELDS}"),
    "unknown table": ("\n[panel]  # HERE", "panel = {}: expected nothing but tables such as ["),
    "panels no table": ("panels = 3  # HERE", "panels = 3: expected a table such as ["),
    "tables in an array": ("\n[[panels]]  # HERE\n", "panels = [{}]: expected a table such as ["),
    "short serial": (
        '[panels."80200000001".1]  # HERE',
        "panels.80200000001: expected an inverter serial of 12 digits",
    ),
    "serial of other digits": (
        '[panels."८२८000000001".1]  # HERE',
        "panels.'८२८000000001': expected an inverter serial of 12 digits",
    ),
    "serial no table": (f'[panels]\n"{SERIAL}" = 1  # HERE', f"panels.{SERIAL} = 1: expected a ta"),
    "channel 0": (f'[panels."{SERIAL}".0]  # HERE', ".0: expected a channel from 1 to 4, as in ["),
    "channel 5": (f'[panels."{SERIAL}".5]  # HERE', f'to 4, as in [panels."{SERIAL}".1]'),
    "channel 01": (f'[panels."{SERIAL}".01]  # HERE', ".01: expected a channel from 1 to 4"),
    "no channel": (
        f'[panels."{SERIAL}"]\nname = "South"  # HERE',
        ".name: expected a channel from 1 to 4, as in [",
    ),
    "channel no table": (
        f'[panels."{SERIAL}"]\n1 = 400  # HERE',
        ".1 = 400: expected a table such",
    ),
    "dotted key": (f'panels."{SERIAL}".1.name = "a"\npanels."{SERIAL}".1.row = -1  # HERE', PLACE),
    "inline table": (
        f'[panels."{SERIAL}"]\n1 = {{ name = "a" }}\n2 = {{ name = "b", row = -1 }}  # HERE',
        f".2.row = -1: {PLACE}",
    ),
    "behind a text of many lines": (
        f'[panels."{SERIAL}".1]\nname = """\\\n  [a]\\\n  row = 1 # ""\\\n  """\nrow = -1  # HERE',
        f".1.row = -1: {PLACE}",
    ),
    "same place": (
        f'[panels."{SERIAL}".1]\narray = "s"\nrow = 1\ncolumn = 2\n'
        f'[panels."{OTHER}".3]  # HERE\ncolumn = 2\nrow = 1\narray = "s"',
        f"panels.{OTHER}.3: expected a place of its own; array 's', row 1, column 2 is that of "
        f"panels.{SERIAL}.1 (line 1)",
    ),
    "same place without array": (
        f"\n[panels.{SERIAL}]\n1 = {{ row = 1, column = 2 }}\n2 = {{ column = 2, row = 1 }} # HERE",
        f"no array, row 1, column 2 is that of panels.{SERIAL}.1 (line 3)",
    ),
    "syntax": (f'[panels."{SERIAL}".1]\nname = "a\nrow = 1', "line 2: expected good TOML: "),
    "table twice": (
        f'[panels."{SERIAL}".1]\n[panels."{SERIAL}".1]  # HERE',
        "expected good TOML: Cannot declare",
    ),
}


@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_says_its_line_and_what_is_expected(text: str, said: str) -> None:
    (fault,) = _faults(text)
    assert said in fault
    if "# HERE" in text:
        line = text.partition("# HERE")[0].count("\n") + 1
        assert fault.startswith(f"line {line}: ")


def test_every_fault_is_told_in_the_order_of_the_lines() -> None:
    text = dedent(f"""\
        rows = 3
        [panels."{SERIAL}".1]
        row = "top"
        colour = "black"
        [panels."{SERIAL}".9]
    """)
    assert [fault.partition(":")[0] for fault in _faults(text)] == [
        *("line 1", "line 3", "line 4", "line 5"),
    ]


def test_end_of_the_text_has_no_line() -> None:
    (fault,) = _faults(f'[panels."{SERIAL}".1')
    assert "expected good TOML: " in fault


@pytest.mark.parametrize(
    "second", ["unused = true\nrow = 1\ncolumn = 2", 'array = "w"\nrow = 1\ncolumn = 2', "row = 1"]
)
def test_place_is_shared_only_by_panels_that_are_there(second: str) -> None:
    text = f"[panels.{SERIAL}.1]\nrow = 1\ncolumn = 2\n[panels.{SERIAL}.2]\n{second}"
    assert len(panels_from_toml(text)) == 2


def test_values_nested_deep_are_a_fault() -> None:
    (fault,) = _faults(f"a = {'[' * 20_000}{']' * 20_000}")
    assert fault == "expected tables of panels; values are nested too deep"


def test_number_of_many_digits_is_a_fault() -> None:
    (fault,) = _faults(f"[panels.{SERIAL}.1]\nrow = {'9' * 5_000}")
    assert fault.startswith("expected good TOML: ")


def test_long_value_is_not_told_in_full() -> None:
    (fault,) = _faults(f'[panels.{SERIAL}.1]\nname = "{"n" * 100_000}"')
    assert len(fault) < 250


def test_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a readable TOML file: No such file"):
        read_panels(tmp_path / "panels.toml")


def test_folder_or_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="expected a readable TOML file: it is no file of"):
            read_panels(path)


def test_other_encoding_is_a_fault_with_its_line(tmp_path: Path) -> None:
    content = f'[panels.{SERIAL}.1]\nname = "S\xfcd"'.encode("latin-1")
    (fault,) = _faults_of_file(content, tmp_path)
    assert fault == "line 2: expected UTF-8 text; save the file as such"


def test_file_has_a_largest_size(tmp_path: Path) -> None:
    file = tmp_path / "panels.toml"
    file.write_bytes(b"\n" * 1_048_576)
    assert read_panels(file) == {}
    (fault,) = _faults_of_file(b"\n" * 1_048_577, tmp_path)
    assert fault == "expected a TOML file of up to 1048576 bytes; it is larger"


@given(st.text())
def test_any_text_gives_panels_or_faults(text: str) -> None:
    try:
        panels_from_toml(text)
    except ConfigError as error:
        assert error.faults  # noqa: PT017 - either outcome is right


KEY: Final = st.sampled_from(["name", '"quoted key"', "'a.b'", '"t\\tb"', "x-1", "7", '"[#]"'])
NAMES: Final = {'"quoted key"': "quoted key", "'a.b'": "a.b", '"t\\tb"': "t\tb", '"[#]"': "[#]"}
VALUE: Final = st.sampled_from(
    [
        *("1", "-1.5e3", "true", "2026-06-01 12:00:00", '"a # [x] = \\" {"', "'c:\\'", '""', "''"),
        *('"""\n[a]\n"quoted" b = 1\n""""', "'''\n#\n''x'''", '"""a\\"""b"""', '""""""'),
        *("[]", "{}", "[1, [2, {}],\n # a ]\n '=']", "{ z = [\n\n], y.x = { w = 1 } }"),
    ]
)
COMMENT: Final = st.sampled_from(["", "  # [a] b = 1", " #"])
BLANK: Final = st.sampled_from(["", "\n", "# c = 1\n", "\n\n  \n"])


@given(
    st.lists(
        st.tuples(BLANK, st.lists(KEY, min_size=1, max_size=3), VALUE, COMMENT),
        max_size=6,
    ),
    st.booleans(),
)
def test_line_of_each_key_is_where_it_was_written(
    entries: list[tuple[str, list[str], str, str]],
    in_headers: bool,  # noqa: FBT001 - hypothesis gives it so
) -> None:
    text = ""
    expected: dict[tuple[str, ...], int] = {}
    for number, (blank, keys, value, comment) in enumerate(entries):
        text += blank
        line = text.count("\n") + 1
        path = (f"k{number}", *(NAMES.get(key, key) for key in keys))
        expected |= {path[: length + 1]: line for length in range(len(path))}
        dotted = " . ".join([f"k{number}", *keys])
        if in_headers:
            text += f"[{dotted}]{comment}\n v = {value}{comment}\n"
            expected[(*path, "v")] = line + 1
        else:
            text += f"{dotted} = {value}{comment}\n"
    assert expected.items() <= key_lines(text).items()


@pytest.mark.parametrize(
    ("value", "inner"),
    [
        ("{ a = 1, b = { c = 2 } }", {("a",): 1, ("b",): 1, ("b", "c"): 1}),
        ("{ a = [\n1,\n2], b.c = 2 }", {("a",): 1, ("b",): 3, ("b", "c"): 3}),
        ("[\n{ a = 1 },\n{ a = 2, b = 3 }]", {("a",): 2, ("b",): 3}),
        ('"""\na = 1\n"""', {}),
    ],
)
def test_keys_within_a_value_have_their_own_lines(
    value: str, inner: dict[tuple[str, ...], int]
) -> None:
    expected = {("v",): 1, **{("v", *path): line for path, line in inner.items()}}
    text = f"v = {value}\n"
    assert key_lines(text) == expected
    end = text.count("\n") + 1
    assert key_lines(text + "w = 1") == {**expected, ("w",): end}
