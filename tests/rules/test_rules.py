"""The shipped rule files, by promtool and by the generator."""

import re
from pathlib import Path
from typing import Final

import pytest

from grafana.rules import (
    AlertingRule,
    Group,
    RecordingRule,
    UnknownNameError,
    alert_groups,
    check_names,
    rule_files,
)
from grafana.rules.__main__ import SHIPPED, main
from grafana.rules.rule import Severity, rules_yaml
from tests.rules.promtool import GROUPS, RULES, promtool

WRITTEN_TESTS: Final = sorted(Path(__file__).parent.glob("*.yml"))
ALERTS: Final = [rule for group in alert_groups(253) for rule in group.rules]


@pytest.mark.integration
@pytest.mark.parametrize("path", WRITTEN_TESTS, ids=lambda path: path.stem)
def test_rules_do_as_written_down(path: Path) -> None:
    promtool("test", "rules", path)


@pytest.mark.integration
def test_promtool_takes_rules_and_configuration() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(RULES.glob("*.rules.yml")))
    promtool("check", "config", "--lint-fatal", RULES / "prometheus.yml")


@pytest.mark.integration
def test_promtool_takes_rules_for_another_grid(tmp_path: Path) -> None:
    main(["--voltage-limit", "126.5", "--output", str(tmp_path / "new")])
    promtool("check", "rules", "--lint=all", *sorted((tmp_path / "new").iterdir()))


def test_shipped_rules_are_those_of_the_code() -> None:
    assert {
        path.name: path.read_text(encoding="utf-8") for path in SHIPPED.glob("*.rules.yml")
    } == (rule_files()), "run make rules"


def test_promtool_is_told_every_group() -> None:
    names = re.findall(r"^  - name: (\S+)$", "".join(rule_files().values()), flags=re.MULTILINE)
    assert sorted(names) == sorted(GROUPS)


def test_every_alert_has_a_written_test_that_fires() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WRITTEN_TESTS)
    days = (Path(__file__).parent / "test_days.py").read_text(encoding="utf-8")
    fired = {*re.findall(r"alertname: (\w+)\n +exp_alerts:\n", text)}
    fired |= {*re.findall(r'alertname="(\w+)"', days)}
    assert {rule.alert for rule in ALERTS if isinstance(rule, AlertingRule)} <= fired


def test_voltage_limit_between_phases_is_root_three_of_that_to_neutral(tmp_path: Path) -> None:
    main(["--voltage-limit", "264.5", "--output", str(tmp_path)])
    text = (tmp_path / "aps-alerts.rules.yml").read_text(encoding="utf-8")
    assert re.search(r'phase=~"\[123\]"\}\[10m\]\)\n +> 264\.5\n', text)
    assert re.search(r'phase=~"\.-\."\}\[10m\]\)\n +> 458\.1\n', text)
    assert "253" not in text


@pytest.mark.parametrize("limit", ["99", "301", "nan", "high", ""])
def test_limit_that_no_grid_has_is_refused(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--voltage-limit", limit])
    assert ended.value.code == 2
    assert f"expected volts to neutral from 100 to 300, got {limit!r}" in capsys.readouterr().err


def test_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["--output", str(tmp_path / "file")])
    assert ended.value.code == 2
    assert "expected a folder to write in" in capsys.readouterr().err


@pytest.mark.parametrize(
    "expr",
    [
        "aps_ecu_powr_watts > 1",
        "ecu:aps_enrgy:kwh_today > 1",
        "sum by (jbo) (aps_ecu_power_watts)",
        'aps_inverter_grid_voltage_volts{fase=~"1"}',
        "aps_up * on (targt) group_left () aps_up",
    ],
)
def test_misspelt_name_is_refused(expr: str) -> None:
    with pytest.raises(UnknownNameError, match=r"powr|enrgy|jbo|fase|targt"):
        check_names([Group("g", (RecordingRule("ecu:x:y", "Something.", expr),))])


def test_misspelt_label_in_a_text_is_refused() -> None:
    severity: Severity = "info"
    rule = AlertingRule("A", "It fires.", severity, "aps_up == 0", "{{ $labels.traget }}", "Do.")
    with pytest.raises(UnknownNameError, match="traget"):
        check_names([Group("g", (rule,))])


def test_recorded_series_and_labels_that_a_rule_makes_are_known() -> None:
    day = RecordingRule("ecu:x:y", "Days.", 'label_replace(aps_up, "day", "1", "", "")')
    rest = RecordingRule("ecu:z:y", "Rest.", "sum without (day) (aps_up)")
    check_names([Group("g", (day,))])
    with pytest.raises(UnknownNameError, match="day"):
        check_names([Group("g", (day, rest))])


def test_file_is_yaml_with_its_origin_on_top() -> None:
    rule = AlertingRule(
        "A", "It fires.", "info", "\n  a\n  == 0\n", "Short", "Long.", keep_firing_for="1h"
    )
    assert rules_yaml([Group("g", (rule,))], "Made somehow.") == (
        "# Made somehow.\n"
        "groups:\n"
        "  - name: g\n"
        "    rules:\n"
        "      # It fires.\n"
        "      - alert: A\n"
        "        expr: |\n"
        "          a\n"
        "          == 0\n"
        "        for: 10m\n"
        "        keep_firing_for: 1h\n"
        "        labels:\n"
        "          severity: info\n"
        "        annotations:\n"
        "          summary: >-\n"
        "            Short\n"
        "          description: >-\n"
        "            Long.\n"
    )
