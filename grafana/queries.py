"""Pieces of PromQL that dashboards share.

One ECU may be read by several exporters: a query first takes one reading of each ECU, inverter or
channel (`one_of_each`), and adds up only then.
"""

from typing import Final

from grafana.published import metric

NOW: Final = "15m"
"""How far "now" looks back: three rounds of an ECU, which the exporter may have kept as long."""

CHANNEL: Final = "ecu, inverter, channel"

JOULES_PER_WATT_HOUR: Final = 3600

_NARROWED_BY: Final = ("ecu", "inverter")
"""Labels that have a variable of their own name on every dashboard."""


def selected(name: str, *matchers: str, whole_ecu: bool = False) -> str:
    """The series of a metric that the dashboard's variables choose.

    With `whole_ecu` those of all inverters of the chosen ECUs: medians and totals need them.
    """
    labels = metric(name).labels
    narrowed = [
        f'{label}=~"${label}"'
        for label in _NARROWED_BY
        if label in labels and not (whole_ecu and label == "inverter")
    ]
    return f"{name}{{{', '.join((*narrowed, *matchers))}}}"


def one_of_each(name: str, vector: str) -> str:
    """One reading for each set of the metric's labels, however many exporters have it."""
    return f"max by ({', '.join(metric(name).labels)}) ({vector})"


def now(name: str, *matchers: str, whole_ecu: bool = False) -> str:
    """The newest readings, of whatever time the picker shows; for instant queries."""
    series = selected(name, *matchers, whole_ecu=whole_ecu)
    return one_of_each(name, f"last_over_time({series}[{NOW}])")


def over_time(name: str, *matchers: str, before: str | None = None, whole_ecu: bool = False) -> str:
    """The readings of a time; `before` shifts it, as in `1d`."""
    shift = "" if before is None else f" offset {before}"
    return one_of_each(name, selected(name, *matchers, whole_ecu=whole_ecu) + shift)


def risen_in_bar(counters: str) -> str:
    """By how much counters rise in the time from each point to the next, where a bar stands."""
    return f"increase({counters}[$__interval] offset -$__interval)"


def some_of_all(ones: str) -> str:
    """One series that is named "7 / 8", the 1s among these 0s and 1s; its value is the share."""
    on = f'count_values("on", sum({ones}))'
    of = f'count_values("of", count({ones}))'
    counted = f'label_join({on} * on () group_left (of) {of}, "shown", " / ", "on", "of")'
    return f"{counted} * on () group_left () avg({ones})"


def data_age() -> str:
    """Seconds since each ECU's newest round was first seen; goes on when the exporter is gone."""
    name = "aps_ecu_data_age_seconds"
    series = selected(name)
    seen = f"max_over_time((timestamp({series}) - {series})[1d:1m])"
    return f"time() - {one_of_each(name, seen)}"


def ecu_joules(window: str, shift: str = "") -> str:
    """What each ECU made within a window: by its lifetime counter or by power, whichever says more.

    Some firmware leaves the lifetime energy 0 or frozen. Where that counter fell, only power is
    asked: after a fall all that stands on the counter would count as made anew. `shift` is an
    `offset` or nothing.
    """
    lifetime, integrated = (
        f"{selected(name)}[{window}]{shift}"
        for name in (
            "aps_ecu_lifetime_energy_joules_total",
            "aps_ecu_integrated_energy_joules_total",
        )
    )
    by_lifetime = f"increase({lifetime}) unless resets({lifetime}) > 0"
    by_power = f'label_replace(increase({integrated}), "by", "power", "", "")'
    return f"max by (ecu) ({by_lifetime} or {by_power})"


def channel_joules(window: str, shift: str = "", *, whole_ecu: bool = False) -> str:
    """What each channel made within a window."""
    name = "aps_channel_integrated_energy_joules_total"
    series = selected(name, whole_ecu=whole_ecu)
    return one_of_each(name, f"increase({series}[{window}]{shift})")


def with_panel(vector: str, *labels: str, known_within: str = NOW, shift: str = "") -> str:
    """Channels with these labels of their panel, such as `panel` and `array`.

    `shift` is an `offset` or nothing. Where two exporters, or two readings, call a panel
    differently, one of the names is taken.
    """
    info = selected("aps_channel_info", whole_ecu=True)
    return (
        f"({vector}) * on ({CHANNEL}) group_left ({', '.join(labels)}) "
        f"topk by ({CHANNEL}) (1, last_over_time({info}[{known_within}]{shift}))"
    )


def share_of_siblings(chosen: str, every: str, *, least_median: float) -> str:
    """Channels over the median of their siblings: those of the same ECU and array.

    `chosen` are the channels to show and `every` all of the ECU; none while the median is not above
    `least_median`.
    """
    median = f"quantile by (ecu, array) (0.5, {with_panel(every, 'array')})"
    return (
        f"({with_panel(chosen, 'panel', 'array')}) "
        f"/ on (ecu, array) group_left () ({median} > {least_median:g})"
    )


def watt_hours(joules: str) -> str:
    """Joules as the Wh that people read."""
    return f"({joules}) / {JOULES_PER_WATT_HOUR}"
