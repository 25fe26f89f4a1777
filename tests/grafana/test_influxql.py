"""Pieces of InfluxQL, compared with queries written by hand."""

import pytest

from grafana.influxql import EACH_ECU, NOW, of, of_all, rounds, stored, watt_hours

ROUNDS = (
    'SELECT mean("power_watts") AS "power_watts" FROM "aps_ecu" '
    'WHERE "ecu" =~ /^$ecu$/ AND $timeFilter GROUP BY time(5m), "ecu" fill(none)'
)


def test_metric_that_is_not_written_to_influxdb_is_refused() -> None:
    with pytest.raises(ValueError, match="aps_up: is not written to InfluxDB"):
        stored("aps_up")
    with pytest.raises(ValueError, match="no such metric"):
        stored("aps_ecu_power_wats")


def test_newest_values_are_narrowed_by_the_tags_they_have() -> None:
    assert of("aps_inverter_online", "last", when=NOW, by='"inverter"') == (
        'SELECT last("online") AS "online" FROM "aps_inverter" WHERE "ecu" =~ /^$ecu$/ '
        'AND "inverter" =~ /^$inverter$/ AND time > now() - 15m GROUP BY "inverter" fill(none)'
    )


def test_round_that_nobody_saw_has_no_number() -> None:
    assert rounds("aps_ecu_power_watts", EACH_ECU) == ROUNDS


def test_line_through_all_has_a_gap_where_nothing_was() -> None:
    assert of_all("aps_ecu_power_watts", "sum", EACH_ECU) == (
        f'SELECT sum("power_watts") AS "power_watts" FROM ({ROUNDS}) '  # noqa: S608 - compared, not run
        "WHERE $timeFilter GROUP BY time(5m) fill(null)"
    )


def test_energy_is_a_twelfth_of_each_five_minutes_of_power() -> None:
    assert watt_hours("aps_ecu_power_watts", EACH_ECU, per="time(1d), ") == (
        f'SELECT sum("power_watts") / 12 AS "energy" FROM ({ROUNDS}) '  # noqa: S608 - compared, not run
        'WHERE $timeFilter GROUP BY time(1d), "ecu" fill(null)'
    )
