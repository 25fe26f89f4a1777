"""Which module, cable or tree costs me?"""

from typing import Final

from grafana.builder import (
    BarGauge,
    Dashboard,
    Fields,
    HeatMap,
    Promql,
    Threshold,
    TimeSeries,
)
from grafana.choices import PROMETHEUS_CHOICES
from grafana.published import unit_of
from grafana.queries import (
    channel_joules,
    now,
    one_of_each,
    selected,
    share_of_siblings,
    watt_hours,
    with_panel,
)

_POWER: Final = "aps_channel_power_watts"
_ENERGY: Final = "aps_channel_integrated_energy_joules_total"

_LEAST_MEDIAN_WATTS: Final = 30
"""In less light, what is said of a panel is noise."""

_LEAST_MEDIAN_JOULES: Final = 360_000
"""0.1 kWh: a day, or days, without even that tells nothing of a panel."""

_BY_SHARE: Final = (Threshold(None, "red"), Threshold(0.7, "orange"), Threshold(0.9, "green"))

_RANKING: Final = BarGauge(
    id=1,
    title="Ranking now",
    description="Every panel by what it makes, as last heard, up to half an hour ago, the "
    "strongest first. Panels of other sides of the roof differ by the hour; two that lie side by "
    "side should not. At night there is nothing to rank.",
    width=10,
    height=20,
    targets=(
        Promql(
            expr=f"sort_desc({with_panel(now(_POWER), 'panel')})", legend="{{panel}}", instant=True
        ),
    ),
    fields=Fields(unit=unit_of(_POWER), least=0, color="continuous-RdYlGr"),
)


def _against_usual() -> str:
    """Each channel's share of its siblings' median of the last day, over that of 14 days before."""
    last_day, days_before = (
        share_of_siblings(
            channel_joules(window, shift),
            channel_joules(window, shift, whole_ecu=True),
            least_median=_LEAST_MEDIAN_JOULES,
        )
        for window, shift in (("1d", ""), ("14d", " offset 1d"))
    )
    return f"({last_day}) / ({days_before} > 0)"


_WORST: Final = BarGauge(
    id=2,
    title="Worst five against their own usual, last 24 hours",
    description="A panel's energy of the last 24 hours beside its siblings', compared with how it "
    "did beside them in the 14 days before: shade that is always there counts for nothing. 90 % "
    "and more is normal; under 70 % something is new: dirt, snow, a cable, a tree, a dead module. "
    "Siblings are the panels of the same array in the panels file, else of the same ECU. Needs two "
    "days of numbers.",
    width=24,
    height=6,
    most_pixels=28,
    targets=(
        Promql(expr=f"sort(bottomk(5, {_against_usual()}))", legend="{{panel}}", instant=True),
    ),
    fields=Fields(
        unit="percentunit",
        decimals=0,
        least=0,
        most=1.2,
        color="thresholds",
        thresholds=_BY_SHARE,
    ),
)


def _mean_power(*, whole_ecu: bool) -> str:
    return one_of_each(_POWER, f"avg_over_time({selected(_POWER, whole_ecu=whole_ecu)}[30m])")


_SHARE: Final = TimeSeries(
    id=3,
    title="Share of the siblings' median",
    description="Each panel's power (mean of 30 minutes) over the median of its siblings: the "
    "panels of the same array in the panels file, else of the same ECU. Around 100 % is normal. A "
    "dip at the same hour each day is shade; a step down that stays is a fault. Only while the "
    "median is above 30 W.",
    width=14,
    height=20,
    usual_least=0.7,
    usual_most=1.2,
    targets=(
        Promql(
            expr=share_of_siblings(
                _mean_power(whole_ecu=False),
                _mean_power(whole_ecu=True),
                least_median=_LEAST_MEDIAN_WATTS,
            ),
            legend="{{panel}}",
            min_step="5m",
        ),
    ),
    legend_calculations=("mean", "min", "lastNotNull"),
    legend_to_the_right=True,
    legend_sorted_by="Mean",
    fields=Fields(unit="percentunit"),
)

_HEAT: Final = HeatMap(
    id=4,
    title="Energy per panel and day, 30 whole days",
    description="What each panel brought on each day, up to yesterday, midnight to midnight by "
    "your browser's clock. A pale row is a weak panel, a pale column a dark day; a row that turns "
    "pale is a fault. Days before the exporter ran are missing.",
    width=24,
    height=14,
    time_from="now-30d/d",
    targets=(
        Promql(
            expr=watt_hours(
                f"sum by (ecu, inverter, panel) "
                f"({with_panel(channel_joules('1d'), 'panel', known_within='1d')})"
            ),
            legend="{{panel}}",
            min_step="1d",
        ),
    ),
    fields=Fields(unit=unit_of(_ENERGY)),
)

PANELS: Final = Dashboard(
    uid="aps-panels",
    title="APsystems panels",
    description="Which module, cable or tree costs me?",
    variables=PROMETHEUS_CHOICES,
    rows=((_WORST,), (_RANKING, _SHARE), (_HEAT,)),
    time_from="now-3d/d",
)
