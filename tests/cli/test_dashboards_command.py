"""`dashboards export`: what is written, and what is never replaced by itself."""

import json
from pathlib import Path

import pytest

from aps_exporter import dashboard_files
from aps_exporter.cli import main

COMMITTED = Path(__file__).parents[2] / "grafana" / "dashboards"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_writes_every_dashboard_into_a_new_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a" / "b"
    assert main(["dashboards", "export", str(folder)]) == 0
    assert "aps-overview.json" in names(folder)
    assert names(folder) == names(COMMITTED)
    for path in folder.iterdir():
        assert path.read_bytes() == (COMMITTED / path.name).read_bytes()
        assert json.loads(path.read_text(encoding="utf-8"))["uid"] == path.stem
    said = capsys.readouterr().out.splitlines()
    assert f"{folder / 'aps-overview.json'}: written" in said
    assert len(said) == len(names(COMMITTED))


def test_again_changes_nothing_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["dashboards", "export", str(tmp_path)])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    capsys.readouterr()
    assert main(["dashboards", "export", str(tmp_path)]) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert all(line.endswith(": unchanged") for line in capsys.readouterr().out.splitlines())


def test_file_that_differs_is_not_replaced_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "aps-overview.json"
    mine.write_text("mine", encoding="utf-8")
    assert main(["dashboards", "export", str(tmp_path)]) == 2
    assert mine.read_text(encoding="utf-8") == "mine"
    assert names(tmp_path) == {"aps-overview.json"}
    assert capsys.readouterr().err == (
        f"aps-exporter: {mine}: is there already, and differs; choose another directory, or "
        "replace it with --force\n"
    )


def test_force_replaces_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "aps-overview.json"
    mine.write_text("mine", encoding="utf-8")
    assert main(["dashboards", "export", str(tmp_path), "--force"]) == 0
    assert mine.read_bytes() == (COMMITTED / mine.name).read_bytes()
    assert f"{mine}: written" in capsys.readouterr().out


def test_other_files_of_the_directory_stay(tmp_path: Path) -> None:
    other = tmp_path / "my-own.json"
    other.write_text("mine", encoding="utf-8")
    assert main(["dashboards", "export", str(tmp_path)]) == 0
    assert other.read_text(encoding="utf-8") == "mine"


def test_file_in_place_of_the_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    assert main(["dashboards", "export", str(file)]) == 2
    said = capsys.readouterr().err
    assert "cannot be used" in said
    assert "expected a directory that can be written" in said


def test_package_built_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dashboard_files, "_PACKAGED", tmp_path)
    assert main(["dashboards", "export", str(tmp_path / "new")]) == 2
    assert "has no dashboards in it" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_action_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dashboards"])
    assert ended.value.code == 2
    assert "ACTION" in capsys.readouterr().err
