"""Pieces of PromQL: names come from the exporter's list, and one ECU never counts twice."""

import pytest

from grafana.published import metric, unit_of
from grafana.queries import now, over_time, selected


def test_misspelt_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="aps_ecu_power_wats: the exporter publishes no such"):
        selected("aps_ecu_power_wats")
    with pytest.raises(ValueError, match="no such metric"):
        metric("ecu_power_watts")


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("aps_ecu_power_watts", 'aps_ecu_power_watts{ecu=~"$ecu"}'),
        (
            "aps_inverter_online",
            'aps_inverter_online{ecu=~"$ecu", inverter=~"$inverter"}',
        ),
        ("aps_up", "aps_up{}"),
    ],
)
def test_series_are_narrowed_by_the_labels_they_have(name: str, series: str) -> None:
    assert selected(name) == series


def test_whole_ecu_is_not_narrowed_to_an_inverter() -> None:
    assert selected("aps_inverter_online", 'job="a"', whole_ecu=True) == (
        'aps_inverter_online{ecu=~"$ecu", job="a"}'
    )


def test_readings_now_look_back_15_minutes_and_are_one_of_each() -> None:
    assert now("aps_ecu_power_watts") == (
        'max by (ecu) (last_over_time(aps_ecu_power_watts{ecu=~"$ecu"}[15m]))'
    )


def test_readings_of_the_day_before() -> None:
    assert over_time("aps_ecu_power_watts", before="1d") == (
        'max by (ecu) (aps_ecu_power_watts{ecu=~"$ecu"} offset 1d)'
    )


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("aps_ecu_power_watts", "watt"),
        ("aps_ecu_today_energy_joules", "watth"),
        ("aps_ecu_lifetime_energy_joules_total", "watth"),
        ("aps_inverter_temperature_celsius", "celsius"),
        ("aps_inverter_grid_frequency_hertz", "hertz"),
        ("aps_inverter_grid_voltage_volts", "volt"),
        ("aps_inverter_signal_strength_ratio", "percentunit"),
        ("aps_ecu_last_report_timestamp_seconds", "dateTimeFromNow"),
        ("aps_ecu_data_age_seconds", "s"),
        ("aps_influxdb_spool_bytes", "bytes"),
        ("aps_ecu_inverters", "none"),
    ],
)
def test_units(name: str, unit: str) -> None:
    assert unit_of(name) == unit
