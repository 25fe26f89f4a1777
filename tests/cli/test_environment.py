"""Where values come from besides flags: `.env`, misspelt names, features to come, and secrets."""

import os
import re
from pathlib import Path

import pytest

from aps_exporter.cli import main
from aps_exporter.config import Config, load
from tests.cli.console import TRACEBACK, run
from tests.cli.variables import GOOD, LATER, configured, loaded, only_fault

SECRET = "kT7-never-to-be-seen"  # noqa: S105 - planted, to be looked for


def _write_dotenv(*lines: str) -> None:
    Path(".env").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_dotenv_in_the_working_directory_is_read() -> None:
    _write_dotenv("# ours", "APS_ECU_HOSTS=roof=192.168.1.20", 'export APS_REFRESH="600"')
    config = load({}).config()
    assert (config.targets[0].name, config.refresh) == ("roof", 600)


def test_environment_wins_over_dotenv() -> None:
    _write_dotenv("APS_REFRESH=600", "APS_STALE_AFTER=1800")
    config = configured(APS_REFRESH="120")
    assert (config.refresh, config.stale_after) == (120, 1800)


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_variable_in_the_environment_does_not_hide_the_one_in_dotenv(empty: str) -> None:
    _write_dotenv("APS_REFRESH=600", "APS_LOG_LEVEL=debug")
    config = configured(APS_REFRESH=empty, APS_LOG_LEVEL=empty)
    assert (config.refresh, config.log_level) == (600, "debug")


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_hosts_in_the_environment_do_not_hide_those_in_dotenv(empty: str) -> None:
    _write_dotenv("APS_ECU_HOSTS=roof=192.168.1.20")
    os.environ["APS_ECU_HOSTS"] = empty
    assert [target.name for target in load({}).config().targets] == ["roof"]


def test_flag_wins_over_dotenv(served: list[Config]) -> None:
    _write_dotenv("APS_ECU_HOSTS=192.168.1.20", "APS_LOG_LEVEL=debug")
    main(["serve", "--log.level", "error"])
    assert served[0].log_level == "error"


def test_dotenv_in_the_parent_directory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _write_dotenv("APS_ECU_HOSTS=192.168.1.20", "APS_REFERSH=600")
    child = Path.cwd() / "child"
    child.mkdir()
    monkeypatch.chdir(child)
    found = load({}, targets_required=False)
    assert (found.config().targets, found.warnings) == ((), ())


def test_fault_of_a_value_in_dotenv_names_the_variable() -> None:
    _write_dotenv("APS_REFRESH=30")
    assert only_fault().startswith("APS_REFRESH=30: expected ")


def test_folder_called_dotenv_does_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").mkdir()
    os.environ["APS_ECU_HOSTS"] = "192.168.1.20"
    assert main(["config"]) == 0
    assert "APS_ECU_HOSTS=192.168.1.20" in capsys.readouterr().out


def test_dotenv_that_is_no_text_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_bytes(b"APS_ECU_HOSTS=192.168.1.20\n# S\xfcddach\n")
    assert main(["config"]) == 2
    assert ".env" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("APS_ECU_HOST", "APS_ECU_HOSTS"),
        ("APS_LISTEN_ADDRES", "APS_LISTEN_ADDRESS"),
        ("APS_TIME_ZONE", "APS_TIMEZONE"),
        ("APS_REFRESH_SECONDS", "APS_REFRESH"),
        ("APS_INFLUX_URL", "APS_INFLUXDB_URL"),
    ],
)
def test_unknown_name_warns_and_says_which_was_perhaps_meant(name: str, meant: str) -> None:
    (warning,) = loaded(**{name: "1"}).warnings
    assert warning.startswith(f"{name}: no such variable")
    assert warning.endswith(f"did you mean {meant}?")


@pytest.mark.parametrize("line", ["APS_REFERSH=600", "  export APS_REFERSH = 600", "APS_REFERSH="])
def test_unknown_name_in_dotenv_warns_too(line: str) -> None:
    _write_dotenv("# APS_NOT_THIS=1", line)
    (warning,) = loaded().warnings
    assert warning.startswith("APS_REFERSH: no such variable")
    assert warning.endswith("did you mean APS_REFRESH?")


def test_unknown_name_like_no_other_warns_without_a_guess() -> None:
    (warning,) = loaded(APS_QQQQQQQQQQQQQQQQ="1").warnings
    assert warning.startswith("APS_QQQQQQQQQQQQQQQQ: no such variable")
    assert "mean" not in warning


def test_unknown_name_is_no_fault() -> None:
    assert configured(APS_REFERSH="600").refresh == 300


def test_names_of_others_and_known_names_do_not_warn() -> None:
    environment = {variable: text for variable, text, *_ in GOOD if variable != "APS_STATE_DIR"}
    assert loaded(**environment, PATH_APS_X="1", MAPS_KEY="1", aps_ecu_host="1").warnings == ()


@pytest.mark.parametrize("command", ["config", "serve"])
def test_unknown_name_is_told_by_the_command(
    command: str, served: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ.update({"APS_ECU_HOSTS": "192.168.1.20", "APS_REFERSH": "600"})
    assert main([command]) == 0
    assert "did you mean APS_REFRESH?" in capsys.readouterr().err
    assert len(served) == (command == "serve")


@pytest.mark.parametrize("command", ["config", "serve"])
def test_misspelt_hosts_are_told_beside_the_fault_that_they_cause(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ["APS_ECU_HOST"] = "192.168.1.20"
    assert main([command]) == 2
    printed = capsys.readouterr().err
    assert "APS_ECU_HOSTS: not set" in printed
    assert "did you mean APS_ECU_HOSTS?" in printed


@pytest.mark.parametrize("variable", LATER)
def test_variable_of_a_later_feature_is_a_fault(variable: str) -> None:
    fault = only_fault(**{variable: "something"})
    assert fault.startswith(f"{variable}=")
    assert "this version does not have the feature yet" in fault


@pytest.mark.parametrize("variable", LATER)
def test_fault_of_a_later_variable_shows_its_value(variable: str) -> None:
    assert only_fault(**{variable: "x"}).startswith(f"{variable}=x: expected ")


def test_later_flag_is_a_fault_that_shows_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "192.168.1.20", "--web.config.file", "tls.yml"]) == 2
    assert capsys.readouterr().err.startswith("aps-exporter: --web.config.file=tls.yml: expected ")


@pytest.mark.parametrize(
    ("variables", "holds"),
    [
        ({"APS_STALE_AFTER": "899"}, 900),
        ({"APS_STALE_AFTER": "60"}, 900),
        ({"APS_STALE_AFTER": "1799", "APS_REFRESH": "600"}, 1800),
        ({"APS_STALE_AFTER": "60", "APS_REFRESH": "60"}, 180),
    ],
)
def test_staleness_below_three_rounds_warns_with_what_holds(
    variables: dict[str, str], holds: int
) -> None:
    (warning,) = loaded(**variables).warnings
    assert warning.startswith(f"APS_STALE_AFTER={variables['APS_STALE_AFTER']}: ")
    assert re.findall(r"\d+", warning.partition(": ")[2]) == [str(holds)]


@pytest.mark.parametrize(
    "variables",
    [
        {"APS_REFRESH": "600"},
        {"APS_REFRESH": "3600"},
        {"APS_STALE_AFTER": "900"},
        {"APS_STALE_AFTER": "1800", "APS_REFRESH": "600"},
        {"APS_STALE_AFTER": "180", "APS_REFRESH": "60"},
    ],
    ids=str,
)
def test_staleness_of_three_rounds_or_by_default_does_not_warn(variables: dict[str, str]) -> None:
    assert loaded(**variables).warnings == ()


@pytest.mark.parametrize("command", ["config", "serve"])
@pytest.mark.usefixtures("served")
def test_staleness_below_three_rounds_is_told_by_the_command(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ.update({"APS_ECU_HOSTS": "192.168.1.20", "APS_STALE_AFTER": "300"})
    assert main([command]) == 0
    assert "APS_STALE_AFTER=300: " in capsys.readouterr().err


NOT_THIS_MACHINES = "192.0.2.1:10899"
"""An address for documentation: nobody can listen there, so the command ends by itself."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["config"],
        ["serve", "127.0.0.1:1", "--web.listen-address", NOT_THIS_MACHINES],
        ["demo", "--web.listen-address", NOT_THIS_MACHINES],
        ["check", "127.0.0.1:1"],
        ["healthcheck", "--web.listen-address", "127.0.0.1:1"],
        ["decode", "reply"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_working_directory_that_was_deleted_ends_in_no_traceback(
    arguments: list[str], tmp_path: Path
) -> None:
    deleted = tmp_path / "deleted"
    deleted.mkdir()
    os.chdir(deleted)
    deleted.rmdir()
    ended = run(*arguments)
    assert ended.returncode in {0, 1, 2}
    assert TRACEBACK not in ended.stdout + ended.stderr


@pytest.fixture(
    params=[
        {"APS_INFLUXDB_TOKEN": SECRET},
        {"APS_INFLUXDB_PASSWORD": SECRET},
        {"APS_INFLUXDB_URL": f"http://me:{SECRET}@influx.lan:8086"},
        {"APS_INFLUXDB_TOKEN_FILE": "secret"},
        {"APS_INFLUXDB_PASSWORD_FILE": "secret"},
        {"APS_INFLUX_TOKEN": SECRET},
        {"APS_INFLUXDB_TOKEN": SECRET, "APS_LOG_LEVEL": "loud"},
    ],
    ids="+".join,
)
def planted(request: pytest.FixtureRequest) -> dict[str, str]:
    """A secret in the environment, or in the file that a variable names."""
    Path("secret").write_text(f"{SECRET}\n", encoding="utf-8")
    variables: dict[str, str] = request.param
    os.environ.update({"APS_ECU_HOSTS": "192.168.1.20", "APS_LOG_LEVEL": "debug", **variables})
    return variables


NOT_THIS_MACHINES = "192.0.2.1:10899"
"""An address for documentation: nobody can listen there, so the command ends by itself."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["config"],
        ["serve"],
        ["serve", "--log.format", "json"],
        ["check", "127.0.0.1:1"],
        ["healthcheck", "--web.listen-address", "127.0.0.1:1"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("served", "planted")
def test_secret_is_never_printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(arguments)
    printed = capsys.readouterr()
    assert printed.err
    assert SECRET not in printed.out + printed.err


@pytest.mark.usefixtures("planted")
def test_secret_is_in_no_fault_warning_or_shown_value() -> None:
    found = load({})
    assert found.faults + found.warnings
    assert SECRET not in repr((found.faults, found.warnings, found.shown))


def test_secret_of_dotenv_is_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _write_dotenv(
        "APS_ECU_HOSTS=192.168.1.20",
        f"APS_INFLUXDB_TOKEN={SECRET}",
        f"APS_INFLUXDB_URL=http://me:{SECRET}@influx.lan",
        f"APS_INFLUX_PASSWORD={SECRET}",
    )
    assert main(["config"]) == 2
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
