import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from aps_exporter.cli import main
from aps_exporter.config import Config, ListenAddress, Target, load, parse_target
from aps_exporter.errors import ConfigError
from tests.cli.variables import BAD, GOOD, LATER, configured, only_fault

DEFAULTS = Config(
    targets=(Target("192.168.1.20", "192.168.1.20", None),),
    ecu_port=8899,
    ecu_timeout=10,
    ecu_pause=0.5,
    refresh=300,
    stale_after=900,
    timezone=None,
    listen=ListenAddress(None, 10899),
    metrics_path="/metrics",
    state_dir=Path("aps-exporter-state"),
    panels_file=None,
    influxdb=None,
    log_level="info",
    log_format="logfmt",
)

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


def _names(faults: Sequence[str]) -> list[str]:
    """The names that faults start with."""
    return [fault.replace(":", "=").partition("=")[0] for fault in faults]


@pytest.mark.parametrize("field", [field.name for field in fields(Config)])
def test_default_is_that_of_the_contract(field: str) -> None:
    assert getattr(configured(), field) == getattr(DEFAULTS, field)


@pytest.mark.parametrize(("variable", "text", "field", "value"), GOOD)
def test_good_value_is_taken(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(configured(**{variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "accepted", "text"),
    [(variable, accepted, text) for (variable, accepted), texts in BAD.items() for text in texts],
)
def test_bad_value_is_a_fault_that_says_what_is_accepted(
    variable: str, accepted: str, text: str
) -> None:
    fault = only_fault(**{variable: text})
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
    named = _names([line[14:] for line in lines if ": warning: " not in line])
    variables = {variable for variable, _ in BAD}
    assert named[0] == hosts
    assert sorted(named) == sorted({hosts, *variables, "APS_PANELS_FILE"})


def test_config_error_has_every_fault() -> None:
    with pytest.raises(ConfigError) as raised:
        configured(APS_REFRESH="5", APS_LOG_LEVEL="loud")
    assert _names(raised.value.faults) == ["APS_REFRESH", "APS_LOG_LEVEL"]


@pytest.mark.parametrize("empty", ["", "  "])
@pytest.mark.parametrize("variable", [*(variable for variable, _ in BAD), *LATER])
def test_empty_value_counts_as_unset(variable: str, empty: str) -> None:
    assert configured(**{variable: empty}) == DEFAULTS


@pytest.mark.parametrize("empty", ["", "  "])
def test_empty_hosts_count_as_unset(empty: str) -> None:
    assert "APS_ECU_HOSTS: not set" in only_fault(APS_ECU_HOSTS=empty)


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
    assert configured(APS_ECU_HOSTS="roof=192.168.1.20, barn=[fd00::20]:8898,ecu.lan").targets == (
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
    fault = only_fault(APS_ECU_HOSTS=hosts)
    assert fault.startswith(f"APS_ECU_HOSTS={hosts}: expected ")
    assert "[name=]host[:port], each name once" in fault


def test_one_host_may_have_two_names() -> None:
    targets = configured(APS_ECU_HOSTS="a=192.168.1.20,b=192.168.1.20").targets
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


@pytest.mark.parametrize(("flag", "variable", "by_flag", "by_environment"), FLAGS)
def test_flag_wins_over_the_environment(
    served: list[Config], flag: str, variable: str, by_flag: str, by_environment: str
) -> None:
    os.environ[variable] = by_environment
    assert main(["serve", "192.168.1.20", flag, by_flag]) == 0
    assert str(getattr(served[0], FIELDS[flag])) == by_flag


@pytest.mark.parametrize(("flag", "_", "by_flag", "__"), FLAGS)
def test_flag_without_a_command_is_one_of_serve(
    served: list[Config], flag: str, _: str, by_flag: str, __: str
) -> None:
    os.environ["APS_ECU_HOSTS"] = "192.168.1.20"
    assert main([flag, by_flag]) == 0
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
