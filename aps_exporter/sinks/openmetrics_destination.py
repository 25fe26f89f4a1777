"""Where a back-fill writes to: a file that Prometheus's promtool makes blocks of."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from aps_exporter.history import PRESENT_WITHIN, DayPoints, LocalDay, Present
from aps_exporter.metrics import ECU_METRICS
from aps_exporter.sinks.openmetrics import SampleHistory
from aps_exporter.sinks.promql import PromqlReader

HEAD: Final = timedelta(hours=3)
"""What Prometheus keeps in memory, and promtool must leave alone."""

_METRICS: Final = {metric.name: metric for metric in ECU_METRICS}
_POWER: Final = _METRICS["aps_ecu_power_watts"]
_DAY_ENERGY: Final = _METRICS["aps_ecu_day_energy_joules"]


class OpenmetricsDestination:
    """A file, made at the end; without a Prometheus to ask, nothing is there yet."""

    is_made_at_the_end: Final = True
    leaves_to_others: Final = HEAD

    def __init__(
        self,
        name: str,
        samples: SampleHistory,
        prometheus: PromqlReader | None,
        make_file: Callable[[SampleHistory], None],
    ) -> None:
        self.name = name
        self._samples = samples
        self._prometheus = prometheus
        self._make_file = make_file
        self._power: dict[str, dict[datetime, float]] = {}
        self._day_energy: dict[str, dict[datetime, float]] = {}

    async def present(self, day: LocalDay) -> Present:
        if self._prometheus is None:
            return Present()
        labels = {"ecu": day.ecu}
        start, end = day.starts_at - PRESENT_WITHIN, day.ends_at + PRESENT_WITHIN
        power = await self._prometheus.moments(_POWER.name, labels, start, end)
        # What stands behind midnight is of the next day.
        energy = await self._prometheus.moments(
            _DAY_ENERGY.name, labels, day.last_minute - PRESENT_WITHIN, day.ends_at
        )
        return Present(power, bool(energy))

    async def write(self, day: LocalDay, points: DayPoints) -> int:
        power = self._power.setdefault(day.ecu, {})
        power.update((point.at, point.watts) for point in points.power)
        if points.energy_joules is not None:
            self._day_energy.setdefault(day.ecu, {})[day.last_minute] = points.energy_joules
        return 0

    def finish(self) -> None:
        for metric, by_ecu in ((_POWER, self._power), (_DAY_ENERGY, self._day_energy)):
            for ecu, values in by_ecu.items():
                for at in sorted(values):
                    self._samples.add(metric, (ecu,), values[at], at)
        self._make_file(self._samples)

    async def close(self) -> None:
        """Close all connections."""
        if self._prometheus is not None:
            await self._prometheus.close()
