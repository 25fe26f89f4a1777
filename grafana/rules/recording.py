"""What is recorded: energies in kWh, daylight, and how each channel does beside the others."""

from collections.abc import Callable
from typing import Final

from grafana.rules.rule import Group, RecordingRule

DAYS_OF_DAYLIGHT: Final = 7
"""An outage goes on being one for a week: one past day would make its second day a night."""

DAYS_OF_USUAL: Final = 14
"""Rain and sun both come in so many; a dead channel stays under this mean for as long."""


def recording_groups() -> tuple[Group, ...]:
    """All that is recorded, in the order in which one needs the other."""
    return (
        Group("aps-energy", _ENERGY),
        Group("aps-daylight", (_DAYLIGHT, *_ONLINE)),
        Group("aps-channels", _CHANNELS),
    )


def _any_of_days(days: int, on_day: Callable[[int], str]) -> str:
    """The series of the first past day that has it."""
    return "\n  or ".join(on_day(day) for day in range(1, days + 1))


def _sum_of_days(days: int, series: str) -> str:
    """The sum of a series at this time of the past days that have it."""
    each = _any_of_days(
        days, lambda day: f'label_replace({series} offset {day}d, "day", "{day}", "", "")'
    )
    return f"sum without (day) (\n  {each}\n)"


_ENERGY: Final = (
    RecordingRule(
        "ecu:aps_energy:kwh_today",
        "kWh since local midnight, as the exporter reckons; in its first, partial day as the ECU "
        "says, unless that may still be yesterday's figure.",
        """
        (
          aps_ecu_day_energy_joules
          or
          aps_ecu_today_energy_joules and on (job, instance, ecu) aps_ecu_data_age_seconds < 900
        ) / 3.6e6
        """,
    ),
    RecordingRule(
        "ecu:aps_energy:kwh_lifetime",
        "kWh since the ECU began to count.",
        "aps_ecu_lifetime_energy_joules_total / 3.6e6",
    ),
    RecordingRule(
        "ecu:aps_energy:kwh_increase1d",
        "kWh of the last 24 hours (at midnight: of the day), by the lifetime counter or by power: "
        "some firmware leaves the energy 0 or frozen. A lifetime counter that fell is not asked.",
        """
        (
          (
            increase(aps_ecu_lifetime_energy_joules_total[1d])
            unless resets(aps_ecu_lifetime_energy_joules_total[1d]) > 0
          ) >= increase(aps_ecu_integrated_energy_joules_total[1d])
          or increase(aps_ecu_integrated_energy_joules_total[1d])
          or
            increase(aps_ecu_lifetime_energy_joules_total[1d])
            unless resets(aps_ecu_lifetime_energy_joules_total[1d]) > 0
        ) / 3.6e6
        """,
    ),
)


def _produced_around(day: int) -> str:
    """Half an hour to either side: where the sun rises later each day, dawn is not yet day."""
    before = f"{day - 1}d23h30m" if day > 1 else "23h30m"
    return f"min_over_time(aps_ecu_power_watts[1h] offset {before}) > 0"


_DAYLIGHT: Final = RecordingRule(
    "ecu:aps_daylight:last7d",
    "1 while the ECU produces, or produced around this time on any of the last seven days; "
    "absent else.",
    f"""
(
  aps_ecu_power_watts > 0
  or {_any_of_days(DAYS_OF_DAYLIGHT, _produced_around)}
) > bool 0
""",
)

_ONLINE: Final = (
    RecordingRule(
        "inverter:aps_inverter_online:max7d",
        "1 for an inverter that was heard within seven days, 0 for one that was not.",
        "max_over_time(aps_inverter_online[7d:30m])",
    ),
    RecordingRule(
        "ecu:aps_inverter_online:avg",
        "The share of the inverters heard within seven days that is online now.",
        """
        avg without (inverter) (
          aps_inverter_online and inverter:aps_inverter_online:max7d == 1
        )
        """,
    ),
)

_CHANNELS: Final = (
    RecordingRule(
        "ecu:aps_channel_power_watts:median_avg30m",
        "The median of the ECU's channels, each one's mean of 30 minutes.",
        """
        quantile without (inverter, channel) (
          0.5, avg_over_time(aps_channel_power_watts[30m])
        )
        """,
    ),
    RecordingRule(
        "channel:aps_channel_power_watts:weighted_avg30m",
        "What a channel makes times the median, while there is light enough to compare in.",
        """
        avg_over_time(aps_channel_power_watts[30m])
        * on (job, instance, ecu) group_left () (ecu:aps_channel_power_watts:median_avg30m > 30)
        """,
    ),
    RecordingRule(
        "channel:aps_channel_power_watts:weight_avg30m",
        "The square of the median of its ECU, beside each of these channels.",
        """
        channel:aps_channel_power_watts:weighted_avg30m * 0
        + on (job, instance, ecu) group_left () ecu:aps_channel_power_watts:median_avg30m ^ 2
        """,
    ),
    RecordingRule(
        "channel:aps_channel_power_watts:ratio_avg30m",
        "What a channel makes, as a share of the median.",
        """
        channel:aps_channel_power_watts:weighted_avg30m
        / channel:aps_channel_power_watts:weight_avg30m
        """,
    ),
    RecordingRule(
        "channel:aps_channel_power_watts:usual_ratio",
        "That share at this time of the past fourteen days, by least squares: bright days, in "
        "which orientation and shade show, count more than dull ones. Absent for a first week.",
        f"""
{_sum_of_days(DAYS_OF_USUAL, "channel:aps_channel_power_watts:weighted_avg30m")}
/
{_sum_of_days(DAYS_OF_USUAL, "channel:aps_channel_power_watts:weight_avg30m")}
and
last_over_time(channel:aps_channel_power_watts:ratio_avg30m[7d:1h] offset 7d)
""",
    ),
)
