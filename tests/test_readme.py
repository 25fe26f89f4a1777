import re

import pytest

from aps_exporter.cli import main
from aps_exporter.config import load
from aps_exporter.simulator.script import parse_script
from tests.readme_tables import README, TABLES, with_tables

TEXT = README.read_text(encoding="utf-8")


def test_tables_are_those_of_the_code() -> None:
    assert with_tables(TEXT) == TEXT, "run make readme"


@pytest.mark.parametrize("name", TABLES)
def test_table_stands_in_the_readme(name: str) -> None:
    assert TABLES[name]() in TEXT


def test_scripts_of_the_readme_are_scripts() -> None:
    scripts = re.findall(r"```\n((?:#.*\n)*\+\d.*?)```", TEXT, flags=re.DOTALL)
    assert scripts
    assert all(parse_script(script) for script in scripts)


def test_pictures_and_links_into_the_repository_exist() -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)]+)\)", TEXT)
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


@pytest.mark.parametrize(
    "command", sorted({*re.findall(r"aps-exporter (serve|demo|[a-z]+)\b", TEXT)} - {"serve"})
)
def test_commands_of_the_readme_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"aps-exporter {command}" in capsys.readouterr().out


def test_variables_of_the_readme_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*re.findall(r"APS_[A-Z_]+", TEXT)}:
        monkeypatch.setenv(name, "1")
    assert not [w for w in load({}).warnings if "no such variable" in w]


def test_tests_that_the_readme_names_exist() -> None:
    tests = {*re.findall(r"`(?:tests/(?:\w+/)*)?(test_\w+\.py)`", TEXT)}
    assert len(tests) >= 10
    there = {path.name for path in (README.parent / "tests").rglob("test_*.py")}
    assert tests - there == set()
