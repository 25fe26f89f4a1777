"""Alerts on the grid, as the inverters see it."""

from math import sqrt

from grafana.rules.rule import AlertingRule


def grid_alerts(voltage_limit: float) -> tuple[AlertingRule, ...]:
    """The limit is in volts, phase to neutral; between phases it is the square root of 3 higher."""
    between_phases = voltage_limit * sqrt(3)
    return (
        AlertingRule(
            "ApsGridVoltageHigh",
            f"The grid voltage, as a mean of 10 minutes, is above {voltage_limit:g} V to neutral "
            f"or {between_phases:.1f} V between phases (QT2).",
            "warning",
            f"""
            avg_over_time(aps_inverter_grid_voltage_volts{{phase=~"[123]"}}[10m])
              > {voltage_limit:g}
            or
            avg_over_time(aps_inverter_grid_voltage_volts{{phase=~".-."}}[10m])
              > {between_phases:.1f}
            """,
            'The grid is at {{ $value | printf "%.1f" }} V at inverter {{ $labels.inverter }}',
            f"""
            In the mean of ten minutes inverter {{{{ $labels.inverter }}}} of ECU
            {{{{ $labels.ecu }}}} sees {{{{ $value | printf "%.1f" }}}} V at phase
            {{{{ $labels.phase }}}}; the limit is {voltage_limit:g} V to neutral and
            {between_phases:.1f} V between phases. Above it inverters switch off to protect the
            grid, and you lose energy. If all inverters say so, write to your grid operator, with a
            chart of some days. If it is one alone, have an electrician look at its connection.
            """,
            keep_firing_for="30m",
        ),
        AlertingRule(
            "ApsGridFrequencyOff",
            "The grid frequency is half a hertz or more off the nearest ten (50 or 60 Hz).",
            "warning",
            """
            abs(
              aps_inverter_grid_frequency_hertz - round(aps_inverter_grid_frequency_hertz, 10)
            ) >= 0.5
            """,
            'The grid frequency is {{ $value | printf "%.1f" }} Hz off at inverter '
            "{{ $labels.inverter }}",
            """
            Inverter {{ $labels.inverter }} of ECU {{ $labels.ecu }} sees the grid
            {{ $value | printf "%.1f" }} Hz off its 50 or 60 Hz. On the public grid that is rare and
            passes; on a generator or an island inverter it is how these ask for less power. If one
            inverter alone says so for days, it may be failing.
            """,
            keep_firing_for="30m",
        ),
    )
