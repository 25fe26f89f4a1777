import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from aps_exporter.cli import main
from aps_exporter.config import Config, ListenAddress, Loaded, Target, load, parse_target
from aps_exporter.errors import ConfigError

SECRET = "kT7-never-to-be-seen"  # noqa: S105 - planted, to be looked for

DEFAULTS = {
    "targets": (Target("192.168.1.20", "192.168.1.20", None),),
    "ecu_port": 8899,
    "ecu_timeout": 10,
    "ecu_pause": 0.5,
    "refresh": 300,
    "stale_after": 900,
    "timezone": None,
    "listen": ListenAddress(None, 10899),
    "metrics_path": "/metrics",
    "state_dir": Path("aps-exporter-state"),
    "log_level": "info",
    "log_format": "logfmt",
}

GOOD = [
    ("APS_ECU_PORT", "1", "ecu_port", 1),
    ("APS_ECU_PORT", "65535", "ecu_port", 65_535),
    ("APS_ECU_TIMEOUT", "0.3", "ecu_timeout", 0.3),
    ("APS_ECU_TIMEOUT", "30", "ecu_timeout", 30),
    ("APS_ECU_PAUSE", "0", "ecu_pause", 0),
    ("APS_ECU_PAUSE", "1.5", "ecu_pause", 1.5),
    ("APS_REFRESH", "60", "refresh", 60),
    ("APS_REFRESH", "600", "refresh", 600),
    ("APS_STALE_AFTER", "1800", "stale_after", 1800),
    ("APS_TIMEZONE", "Europe/Amsterdam", "timezone", ZoneInfo("Europe/Amsterdam")),
    ("APS_LISTEN_ADDRESS", ":9000", "listen", ListenAddress(None, 9000)),
    ("APS_LISTEN_ADDRESS", "127.0.0.1:0", "listen", ListenAddress("127.0.0.1", 0)),
    ("APS_LISTEN_ADDRESS", "0.0.0.0:9000", "listen", ListenAddress("0.0.0.0", 9000)),  # noqa: S104 - parsed, not bound
    ("APS_LISTEN_ADDRESS", "localhost:9000", "listen", ListenAddress("localhost", 9000)),
    ("APS_LISTEN_ADDRESS", "[::1]:9000", "listen", ListenAddress("::1", 9000)),
    ("APS_LISTEN_ADDRESS", "[::]:9000", "listen", ListenAddress("::", 9000)),
    ("APS_METRICS_PATH", "/solar", "metrics_path", "/solar"),
    ("APS_METRICS_PATH", "/solar/metrics", "metrics_path", "/solar/metrics"),
    ("APS_STATE_DIR", "/var/lib/aps", "state_dir", Path("/var/lib/aps")),
    ("APS_LOG_LEVEL", "debug", "log_level", "debug"),
    ("APS_LOG_LEVEL", "warn", "log_level", "warn"),
    ("APS_LOG_LEVEL", "error", "log_level", "error"),
    ("APS_LOG_FORMAT", "json", "log_format", "json"),
]

A_PORT = "port number from 1 to 65535"
AN_ADDRESS = "host:port, [::1]:port or :port"
A_PATH = "path such as /metrics that no other page has"

BAD = {
    ("APS_ECU_PORT", A_PORT): ["0", "65536", "-1", "8899.0", "http", "88 99", "0x22", "٨٨٩٩"],
    ("APS_ECU_TIMEOUT", "seconds from 0.1 to"): ["0", "-1", "nan", "inf", "1e9", "ten", "10s"],
    ("APS_ECU_PAUSE", "seconds from 0 to"): ["-0.1", "nan", "inf", "-inf", "a while"],
    ("APS_REFRESH", "seconds from 60 to"): ["59", "59.9", "0", "-300", "nan", "inf", "5m"],
    ("APS_STALE_AFTER", "seconds from"): ["0", "-900", "nan", "inf", "15m"],
    ("APS_TIMEZONE", "IANA zone such as Europe/Amsterdam"): [
        *("Europe/Nowhere", "Europe", "+02:00", "/etc/localtime", "../../etc/localtime"),
    ],
    ("APS_LISTEN_ADDRESS", AN_ADDRESS): [
        *("10899", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", ":http"),
        *("999.1.1.1:80", "[::1]", "::1", "[::g]:80", "[127.0.0.1]:80"),
        *("http://127.0.0.1:80", "127.0.0.1:80/metrics", "my host:80"),
    ],
    ("APS_METRICS_PATH", A_PATH): [
        *("/", "/api/v1/snapshots", "/-/healthy", "/-/ready", "/-/other"),
        *("metrics", "/metrics/", "//metrics", "/{path}", "/a b", "/metrics?x=1", "/métriques"),
    ],
    ("APS_LOG_LEVEL", "debug, info, warn or error"): ["verbose", "10", "debug,info"],
    ("APS_LOG_FORMAT", "logfmt or json"): ["xml", "logfmt json"],
}

LATER = [
    "APS_PANELS_FILE",
    "APS_WEB_CONFIG_FILE",
    *(
        f"APS_INFLUXDB_{name}"
        for name in (
            *("URL", "TOKEN", "ORG", "BUCKET", "API", "DATABASE", "USERNAME", "PASSWORD"),
            "SPOOL_MAX_MIB",
        )
    ),
]

FLAGS = [
    ("--web.listen-address", "APS_LISTEN_ADDRESS", "127.0.0.1:9001", "127.0.0.1:9002"),
    ("--web.telemetry-path", "APS_METRICS_PATH", "/flag", "/environment"),
    ("--log.level", "APS_LOG_LEVEL", "error", "debug"),
    ("--log.format", "APS_LOG_FORMAT", "json", "logfmt"),
]
FIELDS = {
    "--web.listen-address": "listen",
    "--web.telemetry-path": "metrics_path",
    "--log.level": "log_level",
    "--log.format": "log_format",
}


def _loaded(**environment: str) -> Loaded:
    os.environ.update({"APS_ECU_HOSTS": "192.168.1.20", **environment})
    return load({})


def _config(**environment: str) -> Config:
    return _loaded(**environment).config()


def _only_fault(**environment: str) -> str:
    (fault,) = _loaded(**environment).faults
    return fault


def _names(faults: Sequence[str]) -> list[str]:
    """The names that faults start with."""
    return [fault.replace(":", "=").partition("=")[0] for fault in faults]


def _write_dotenv(*lines: str, folder: Path | None = None) -> None:
    (folder or Path.cwd()).joinpath(".env").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that `serve` was run with; nothing is served."""
    configs: list[Config] = []

    async def note(config: Config) -> None:
        configs.append(config)

    monkeypatch.setattr("aps_exporter.app.serve", note)
    return configs


@pytest.mark.parametrize("field", [field.name for field in fields(Config)])
def test_default_is_that_of_the_contract(field: str) -> None:
    assert getattr(_config(), field) == DEFAULTS[field]


@pytest.mark.parametrize(("variable", "text", "field", "value"), GOOD)
def test_good_value_is_taken(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(_config(**{variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "accepted", "text"),
    [(variable, accepted, text) for (variable, accepted), texts in BAD.items() for text in texts],
)
def test_bad_value_is_a_fault_that_says_what_is_accepted(
    variable: str, accepted: str, text: str
) -> None:
    fault = _only_fault(**{variable: text})
    assert fault.startswith(f"{variable}={text}: expected ")
    assert accepted in fault


def test_hosts_are_required() -> None:
    (fault,) = load({}).faults
    assert fault.startswith("APS_ECU_HOSTS: not set, and no HOST given: expected ")
    assert "192.168.1.20" in fault


def test_hosts_are_not_required_where_nothing_is_read() -> None:
    assert load({}, targets_required=False).config().targets == ()


@pytest.mark.parametrize(
    ("arguments", "hosts"), [(["config"], "APS_ECU_HOSTS"), (["serve", "me@ecu"], "HOST")]
)
def test_every_fault_is_printed_at_once_a_line_each(
    arguments: list[str], hosts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ.update({variable: texts[0] for (variable, _), texts in BAD.items()})
    os.environ.update({"APS_ECU_HOSTS": "http://192.168.1.20", "APS_PANELS_FILE": "panels.toml"})
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert {line[:14] for line in lines} == {"aps-exporter: "}
    assert _names([line[14:] for line in lines]) == [
        *(hosts, *(variable for variable, _ in BAD), "APS_PANELS_FILE")
    ]


def test_config_error_has_every_fault() -> None:
    with pytest.raises(ConfigError) as raised:
        _config(APS_REFRESH="5", APS_LOG_LEVEL="loud")
    assert _names(raised.value.faults) == ["APS_REFRESH", "APS_LOG_LEVEL"]


@pytest.mark.parametrize("empty", ["", "  "])
@pytest.mark.parametrize("variable", [*(variable for variable, _ in BAD), *LATER])
def test_empty_value_counts_as_unset(variable: str, empty: str) -> None:
    assert _config(**{variable: empty}) == _config()


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_hosts_count_as_unset(empty: str) -> None:
    assert "APS_ECU_HOSTS: not set" in _only_fault(APS_ECU_HOSTS=empty)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("192.168.1.20", Target("192.168.1.20", "192.168.1.20", None)),
        ("192.168.1.20:8898", Target("192.168.1.20:8898", "192.168.1.20", 8898)),
        ("roof=192.168.1.20", Target("roof", "192.168.1.20", None)),
        ("roof=192.168.1.20:8898", Target("roof", "192.168.1.20", 8898)),
        ("Süd/1=192.168.1.20", Target("Süd/1", "192.168.1.20", None)),
        ("ecu", Target("ecu", "ecu", None)),
        ("ecu-r.fritz.box:8898", Target("ecu-r.fritz.box:8898", "ecu-r.fritz.box", 8898)),
        ("roof=ecu_1.lan", Target("roof", "ecu_1.lan", None)),
        ("[::1]:8899", Target("[::1]:8899", "::1", 8899)),
        ("[fd00::20]", Target("[fd00::20]", "fd00::20", None)),
        ("fd00::20", Target("fd00::20", "fd00::20", None)),
        ("roof=fd00::20", Target("roof", "fd00::20", None)),
        ("roof=[fd00::20]:8898", Target("roof", "fd00::20", 8898)),
        (" roof=192.168.1.20 ", Target("roof", "192.168.1.20", None)),
    ],
)
def test_host_is_an_optional_name_a_host_and_an_optional_port(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        *("", "=", "=192.168.1.20", "roof=", "roof=:8899", ":8899"),
        *("a=b=192.168.1.20", "two words=192.168.1.20", "192.168.1.20 192.168.1.21"),
        *("http://192.168.1.20", "https://192.168.1.20:8899/", "192.168.1.20/24", "me@ecu"),
        *("192.168.1.20:", "192.168.1.20:0", "192.168.1.20:65536", "192.168.1.20:-1"),
        *("192.168.1.20:port", "192.168.1.20:8899:8899", "192.168.1.20:٨٨٩٩"),
        *("999.1.1.1", "256.0.0.1", "1.2.3", "1.2.3.4.5", "192.168.001.020"),
        *("[::1", "::1]:8899", "[::1]8899", "[::1]:", "[fd00::g]", "fd00::20::1", "[1.2.3.4]:80"),
        *("-ecu", "ecu-", "ecu!", "a,b"),
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_target(text)


def test_hosts_are_separated_by_commas() -> None:
    assert _config(APS_ECU_HOSTS="roof=192.168.1.20, barn=[fd00::20]:8898,ecu.lan").targets == (
        Target("roof", "192.168.1.20", None),
        Target("barn", "fd00::20", 8898),
        Target("ecu.lan", "ecu.lan", None),
    )


@pytest.mark.parametrize(
    "hosts",
    [
        "roof=192.168.1.20,roof=192.168.1.21",
        "192.168.1.20,192.168.1.20",
        "192.168.1.20,roof=http://192.168.1.21",
        "192.168.1.20,",
        ",192.168.1.20",
        ",",
    ],
)
def test_bad_or_repeated_host_among_several_is_a_fault(hosts: str) -> None:
    fault = _only_fault(APS_ECU_HOSTS=hosts)
    assert fault.startswith(f"APS_ECU_HOSTS={hosts}: expected ")
    assert "[name=]host[:port], each name once" in fault


def test_one_host_may_have_two_names() -> None:
    targets = _config(APS_ECU_HOSTS="a=192.168.1.20,b=192.168.1.20").targets
    assert [target.name for target in targets] == ["a", "b"]


def test_host_arguments_win_over_the_environment(served: list[Config]) -> None:
    os.environ["APS_ECU_HOSTS"] = "192.168.1.20"
    main(["serve", "roof=192.168.1.21", "barn=192.168.1.22:8898"])
    assert served[0].targets == (
        Target("roof", "192.168.1.21", None),
        Target("barn", "192.168.1.22", 8898),
    )


def test_fault_of_a_host_argument_names_host(capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["APS_ECU_HOSTS"] = "192.168.1.20"
    assert main(["serve", "http://192.168.1.21"]) == 2
    assert capsys.readouterr().err.startswith(
        "aps-exporter: HOST=http://192.168.1.21: expected comma-separated [name=]host[:port]"
    )


@pytest.mark.parametrize("arguments", [[], ["serve"]], ids=["no command", "serve"])
@pytest.mark.parametrize(("flag", "variable", "by_flag", "by_environment"), FLAGS)
def test_flag_wins_over_the_environment(  # noqa: PLR0913, PLR0917 - a row of the table each
    served: list[Config],
    arguments: list[str],
    flag: str,
    variable: str,
    by_flag: str,
    by_environment: str,
) -> None:
    os.environ.update({"APS_ECU_HOSTS": "192.168.1.20", variable: by_environment})
    assert main([*arguments, flag, by_flag]) == 0
    assert str(getattr(served[0], FIELDS[flag])) == by_flag


@pytest.mark.parametrize(("flag", "variable", "by_flag", "by_environment"), FLAGS)
def test_variable_counts_without_its_flag(
    served: list[Config], flag: str, variable: str, by_flag: str, by_environment: str
) -> None:
    assert by_flag != by_environment
    os.environ.update({"APS_ECU_HOSTS": "192.168.1.20", variable: by_environment})
    main(["serve"])
    assert str(getattr(served[0], FIELDS[flag])) == by_environment


@pytest.mark.parametrize(("flag", "variable", "by_flag", "_"), FLAGS)
def test_good_flag_hides_a_bad_variable(
    served: list[Config], flag: str, variable: str, by_flag: str, _: str
) -> None:
    os.environ[variable] = "no good"
    assert main(["serve", "192.168.1.20", flag, by_flag]) == 0
    assert len(served) == 1


@pytest.mark.parametrize("flag", [*FIELDS, "--web.config.file"])
def test_fault_of_a_flag_names_the_flag(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "192.168.1.20", flag, "no good"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"aps-exporter: {flag}=")
    assert "APS_" not in printed


@pytest.mark.parametrize(("flag", "variable", "_", "__"), FLAGS)
def test_empty_flag_is_a_fault_and_not_unset(
    flag: str, variable: str, _: str, __: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ[variable] = "whatever"
    assert main(["serve", "192.168.1.20", flag, ""]) == 2
    assert f"{flag}=: expected" in capsys.readouterr().err


def test_dotenv_in_the_working_directory_is_read() -> None:
    _write_dotenv("# ours", "APS_ECU_HOSTS=roof=192.168.1.20", 'export APS_REFRESH="600"')
    config = load({}).config()
    assert (config.targets[0].name, config.refresh) == ("roof", 600)


def test_environment_wins_over_dotenv() -> None:
    _write_dotenv("APS_REFRESH=600", "APS_STALE_AFTER=1800")
    config = _config(APS_REFRESH="120")
    assert (config.refresh, config.stale_after) == (120, 1800)


def test_flag_wins_over_dotenv(served: list[Config]) -> None:
    _write_dotenv("APS_ECU_HOSTS=192.168.1.20", "APS_LOG_LEVEL=debug")
    main(["serve", "--log.level", "error"])
    assert served[0].log_level == "error"


def test_dotenv_in_the_parent_directory_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _write_dotenv("APS_ECU_HOSTS=192.168.1.20", "APS_REFERSH=600")
    child = Path.cwd() / "child"
    child.mkdir()
    monkeypatch.chdir(child)
    loaded = load({})
    assert (_names(loaded.faults), loaded.warnings) == (["APS_ECU_HOSTS"], ())


def test_fault_of_a_value_in_dotenv_names_the_variable() -> None:
    _write_dotenv("APS_REFRESH=30")
    assert _only_fault().startswith("APS_REFRESH=30: expected ")


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
    (warning,) = _loaded(**{name: "1"}).warnings
    assert warning.startswith(f"{name}: no such variable")
    assert warning.endswith(f"did you mean {meant}?")


@pytest.mark.parametrize("line", ["APS_REFERSH=600", "  export APS_REFERSH = 600", "APS_REFERSH="])
def test_unknown_name_in_dotenv_warns_too(line: str) -> None:
    _write_dotenv("# APS_NOT_THIS=1", line)
    (warning,) = _loaded().warnings
    assert warning.startswith("APS_REFERSH: no such variable")
    assert warning.endswith("did you mean APS_REFRESH?")


def test_unknown_name_like_no_other_warns_without_a_guess() -> None:
    (warning,) = _loaded(APS_QQQQQQQQQQQQQQQQ="1").warnings
    assert warning.startswith("APS_QQQQQQQQQQQQQQQQ: no such variable")
    assert "mean" not in warning


def test_unknown_name_is_no_fault() -> None:
    assert _config(APS_REFERSH="600") == _config()


def test_names_of_others_and_known_names_do_not_warn() -> None:
    environment = {variable: text for variable, text, *_ in GOOD if variable != "APS_STATE_DIR"}
    assert _loaded(**environment, PATH_APS_X="1", MAPS_KEY="1", aps_ecu_host="1").warnings == ()


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
    fault = _only_fault(**{variable: "something"})
    assert fault.startswith(f"{variable}=")
    assert "this version does not have the feature yet" in fault


@pytest.mark.parametrize("variable", ["APS_INFLUXDB_TOKEN_FILE", "APS_INFLUXDB_PASSWORD_FILE"])
@pytest.mark.parametrize("exists", [True, False])
def test_secret_file_of_a_later_feature_is_a_fault_of_its_own_name(
    variable: str, *, exists: bool
) -> None:
    if exists:
        Path("secret").write_text(SECRET, encoding="utf-8")
    assert _only_fault(**{variable: "secret"}).startswith(variable)


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
    loaded = load({})
    assert loaded.faults + loaded.warnings
    assert SECRET not in repr((loaded.faults, loaded.warnings, loaded.shown))


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
