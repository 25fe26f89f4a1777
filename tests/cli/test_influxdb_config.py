"""The variables of the InfluxDB pusher: what holds together, secrets and their files."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from aps_exporter.cli import main
from aps_exporter.config import InfluxdbConfig
from tests.cli.variables import SECRETS, configured, loaded, only_fault

URL = "http://127.0.0.1:8086"
SECRET = "kT7-never-to-be-seen"  # noqa: S105 - planted, to be looked for
DEFAULTS = InfluxdbConfig(URL, "v2", None, None, None, None, None, None, 256)
V2 = {"APS_INFLUXDB_URL": URL, "APS_INFLUXDB_BUCKET": "solar"}
V1 = {"APS_INFLUXDB_URL": URL, "APS_INFLUXDB_API": "v1", "APS_INFLUXDB_DATABASE": "solar"}


def _influxdb(**environment: str) -> InfluxdbConfig:
    influxdb = configured(**environment).influxdb
    assert influxdb is not None
    return influxdb


def test_pusher_is_off_without_an_address() -> None:
    assert configured().influxdb is None


def test_address_alone_turns_the_pusher_on() -> None:
    assert _influxdb(APS_INFLUXDB_URL=URL) == DEFAULTS


def test_all_of_v2_is_taken() -> None:
    secrets = {"APS_INFLUXDB_TOKEN": SECRET, "APS_INFLUXDB_ORG": "home"}
    expected = replace(DEFAULTS, token=SECRET, org="home", bucket="solar")
    assert _influxdb(**V2, **secrets) == expected


def test_all_of_v1_is_taken() -> None:
    account = {"APS_INFLUXDB_USERNAME": "aps", "APS_INFLUXDB_PASSWORD": SECRET}
    expected = replace(
        DEFAULTS, api="v1", database="solar", username="aps", password=SECRET, spool_max_mib=8
    )
    assert _influxdb(**V1, **account, APS_INFLUXDB_SPOOL_MAX_MIB="8") == expected


def test_slash_at_the_end_of_the_address_does_not_count() -> None:
    assert _influxdb(APS_INFLUXDB_URL="https://db.lan/influx/").url == "https://db.lan/influx"


@pytest.mark.parametrize(
    "url",
    [
        *("db.lan", "db.lan:8086", "ftp://db.lan", "http://", "http://:8086", "http://db.lan:0"),
        *("http://db..lan", "http://.lan", f"http://{'x' * 64}.lan"),
        *("http://db.lan:99999", "http://db .lan", "http://[::g]"),
        *(f"http://u:{SECRET}@db.lan", f"http://db.lan?p={SECRET}", f"http://db.lan#{SECRET}"),
    ],
)
def test_bad_address_is_a_fault_that_does_not_show_it(url: str) -> None:
    assert only_fault(APS_INFLUXDB_URL=url).startswith("APS_INFLUXDB_URL=********: expected an ")


def test_v1_needs_a_database() -> None:
    fault = only_fault(APS_INFLUXDB_URL=URL, APS_INFLUXDB_API="v1")
    assert fault.startswith("APS_INFLUXDB_DATABASE: not set")


@pytest.mark.parametrize("half", ["APS_INFLUXDB_USERNAME", "APS_INFLUXDB_PASSWORD"])
def test_user_and_password_go_together(half: str) -> None:
    assert "expected both or none" in only_fault(**V1, **{half: "x"})


@pytest.mark.parametrize("name", ["TOKEN", "ORG", "BUCKET", "DATABASE", "USERNAME", "PASSWORD"])
def test_what_is_set_without_an_address_warns(name: str) -> None:
    (warning,) = loaded(**{f"APS_INFLUXDB_{name}": "x"}).warnings
    assert warning == f"APS_INFLUXDB_{name}: does nothing without APS_INFLUXDB_URL"


def test_what_the_other_way_to_write_reads_warns() -> None:
    (warning,) = loaded(**V2, APS_INFLUXDB_DATABASE="x").warnings
    assert warning == "APS_INFLUXDB_DATABASE: does nothing, as APS_INFLUXDB_API is v2, not v1"
    for name in V2:
        del os.environ[name]
    del os.environ["APS_INFLUXDB_DATABASE"]
    (warning,) = loaded(**V1, APS_INFLUXDB_TOKEN="x").warnings  # noqa: S106 - no token
    assert warning == "APS_INFLUXDB_TOKEN: does nothing, as APS_INFLUXDB_API is v1, not v2"


def test_missing_bucket_warns() -> None:
    (warning,) = loaded(APS_INFLUXDB_URL=URL).warnings
    assert warning.startswith("APS_INFLUXDB_BUCKET: not set")


@pytest.mark.parametrize(("variable", "api"), [(SECRETS[0], V2), (SECRETS[1], V1)])
def test_secret_may_come_from_a_file(variable: str, api: dict[str, str]) -> None:
    Path("secret").write_text(f" {SECRET}\n", encoding="utf-8")
    user = {"APS_INFLUXDB_USERNAME": "aps"} if api is V1 else {}
    influxdb = _influxdb(**api, **user, **{f"{variable}_FILE": "secret"})
    assert SECRET in (influxdb.token, influxdb.password)


def test_file_of_a_secret_may_be_named_in_dotenv() -> None:
    Path("secret").write_text(SECRET, encoding="utf-8")
    Path(".env").write_text("APS_INFLUXDB_TOKEN_FILE=secret\n", encoding="utf-8")
    assert _influxdb(**V2).token == SECRET


@pytest.mark.parametrize("variable", SECRETS)
@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("missing", "No such file"),
        (".", "Is a directory"),
        ("bytes", "no UTF-8"),
        ("empty", "empty"),
    ],
)
def test_file_of_a_secret_that_is_none_is_a_fault(variable: str, file: str, why: str) -> None:
    Path("bytes").write_bytes(b"\xff\xfe")
    Path("empty").write_text("\n", encoding="utf-8")
    fault = only_fault(**{f"{variable}_FILE": file})
    assert fault.startswith(f"{variable}_FILE={file}: expected ")
    assert why in fault


@pytest.mark.parametrize("variable", SECRETS)
def test_secret_and_its_file_exclude_each_other(variable: str) -> None:
    Path("secret").write_text(SECRET, encoding="utf-8")
    fault = only_fault(**{variable: SECRET, f"{variable}_FILE": "secret"})
    assert fault == f"{variable} and {variable}_FILE: expected one of them"


@pytest.mark.parametrize("variable", SECRETS)
def test_secret_that_no_header_can_carry_is_a_fault_that_does_not_show_it(variable: str) -> None:
    assert only_fault(**{variable: f"{SECRET}\nX-Evil: 1"}).startswith(f"{variable}=********: ")


@pytest.mark.parametrize("api", [V1, V2])
def test_config_shows_all_but_the_secrets(
    api: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ.update(
        {
            "APS_ECU_HOSTS": "192.168.1.20",
            **api,
            "APS_INFLUXDB_USERNAME": "aps",
            **dict.fromkeys(SECRETS, SECRET),
        }
    )
    main(["config"])
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    assert f"APS_INFLUXDB_URL={URL}\n" in printed.out
    assert "APS_INFLUXDB_PASSWORD=********\n" in printed.out


def test_settings_do_not_show_their_secrets_when_printed() -> None:
    assert SECRET not in repr(_influxdb(**V2, APS_INFLUXDB_TOKEN=SECRET))
