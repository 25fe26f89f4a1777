"""The committed JSON is what the code makes, and passes the linter."""

import json
from pathlib import Path

import pytest

from grafana.builder import Json
from grafana.every import DASHBOARDS, FOLDER, files
from grafana.lint import dashboard_faults, faults_between, main
from tests.grafana.sound import sound_dashboard

COMMITTED = {path.name: path for path in FOLDER.glob("*.json")}


def test_committed_files_are_those_of_the_code() -> None:
    committed = {name: path.read_text(encoding="utf-8") for name, path in COMMITTED.items()}
    assert committed == files(), "run make dashboards"


def test_the_dashboards_are_there() -> None:
    assert {"aps-overview", "aps-panels"} <= {dashboard.uid for dashboard in DASHBOARDS}


@pytest.mark.parametrize("name", sorted(COMMITTED))
def test_committed_dashboard_has_no_fault(name: str) -> None:
    assert [*dashboard_faults(json.loads(COMMITTED[name].read_text(encoding="utf-8")))] == []


def test_committed_dashboards_have_uids_of_their_own() -> None:
    every = [json.loads(path.read_text(encoding="utf-8")) for path in COMMITTED.values()]
    assert [*faults_between(every)] == []


def test_choices_go_along_to_dashboards_of_the_same_kind_of_data_source_only() -> None:
    every = [json.loads(path.read_text(encoding="utf-8")) for path in COMMITTED.values()]

    def kind(dashboard: Json) -> str:
        (source,) = (v for v in dashboard["templating"]["list"] if v["type"] == "datasource")
        return str(source["query"])

    for dashboard in every:
        reached = {True: set[str](), False: set[str]()}
        for link in dashboard["links"]:
            reached[link["includeVars"]] |= {
                kind(other) for other in every if {*link["tags"]} <= {*other["tags"]}
            }
        assert reached[True] == {kind(dashboard)}
        assert reached[False] == {"prometheus", "influxdb"} - reached[True]


def test_linter_ends_with_0_on_what_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().err == ""


def test_linter_names_file_and_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = sound_dashboard()
    del broken["panels"][0]["title"]
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(broken), encoding="utf-8")
    assert main([str(file)]) == 1
    assert capsys.readouterr().err == "broken.json: panel 1 '': has no title\n"


def test_linter_sees_two_dashboards_of_one_uid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / name for name in ("a.json", "b.json")]
    for path in paths:
        path.write_text(json.dumps(sound_dashboard()), encoding="utf-8")
    assert main([str(path) for path in paths]) == 1
    assert capsys.readouterr().err == "two dashboards have the uid aps-sound\n"
