"""Fourteen simulated days with faults, as the exporter publishes them, and the plant's truth."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from aps_exporter.simulator.plant import DEFAULT_INVERTERS, ROUND, Plant, plant_inverters
from tests.integration.programs import EXPORTER, own_environment

ZONE: Final = ZoneInfo("Europe/Amsterdam")
"""Of the simulated ECU PRO, and of whoever looks at its dashboards."""

BEGINS: Final = datetime(2026, 6, 1, 13, 0, tzinfo=ZONE)
ENDS: Final = datetime(2026, 6, 15, 13, 0, tzinfo=ZONE)
ONE_IS_OFFLINE: Final = datetime(2026, 6, 11, 12, 4, tzinfo=ZONE)
SCRAPE_SECONDS: Final = 240
"""So that scrapes fall on midnight too."""

ROUNDS_AN_HOUR: Final = 12

ECU: Final = "216200000001"
OFFLINE: Final = "802000000001"
PANELS_FILE: Final = Path(__file__).parents[3] / "deploy" / "panels.example.toml"

FAULTS: Final = f"""\
+22:00:00  refuse         for 3h      # 2 June, from 11:00
+44:00:00  lifetime-zero  for 5m
+46:00:00  lifetime-lower for 5m
+48:00:00  lifetime-leap  for 5m
+68:00:00  zero-glitch    for 10m
+70:00:00  wild-values    for 15m
+72:00:00  empty-list     for 25m
+90:00:00  truncate       for 20m
+92:00:00  silent         for 30m
+94:00:00  unknown-row    for 10m
+96:00:00  late-rounds    for 1d
+216:00:00 offline        for 2d      # 10 June, from 13:00: {OFFLINE}
+314:00:00 truncate       for 20m     # 14 June, from 15:00
+315:00:00 wild-values    for 15m
+316:00:00 trailing-bytes for 15m
+317:00:00 unknown-row    for 10m
"""

LIFETIME: Final = "aps_ecu_lifetime_energy_joules_total"
A_YEAR: Final = timedelta(days=364)
"""To the same day of the week."""
KWH_A_DAY_LAST_YEAR: Final = 20

_SCRAPED: Final = 'job="aps",instance="127.0.0.1:10899"'
_FIRING: Final = f'alertname="ApsInverterOffline",alertstate="firing",inverter="{OFFLINE}"'

FIXED: Final = (
    ("up", "gauge", "", 1),
    ("scrape_duration_seconds", "gauge", "", 0.012),
    ("scrape_samples_scraped", "gauge", "", 230),
    ("process_cpu_seconds_total", "counter", "", None),
    ("process_resident_memory_bytes", "gauge", "", 60_000_000),
    ("process_virtual_memory_bytes", "gauge", "", 300_000_000),
    ("process_start_time_seconds", "gauge", "", BEGINS.timestamp() - 60),
    ("process_open_fds", "gauge", "", 14),
    ("process_max_fds", "gauge", "", 1024),
    ("aps_influxdb_up", "gauge", "", 1),
    ("aps_influxdb_points_written_total", "counter", "", None),
    ("aps_influxdb_points_dropped_total", "counter", 'reason="spool_full"', None),
    ("aps_influxdb_write_failures_total", "counter", 'reason="unreachable"', None),
    ("aps_influxdb_spool_points", "gauge", "", 46),
    ("aps_influxdb_spool_bytes", "gauge", "", 8192),
    ("aps_influxdb_spool_oldest_timestamp_seconds", "gauge", "", ENDS.timestamp() - 600),
)
"""What no simulated history has: name, kind, labels, and a value; None grows by 1 a minute."""


@dataclass(frozen=True, slots=True)
class History:
    """What the exporter published."""

    openmetrics: Path
    line_protocol: Path


def simulated_history(folder: Path) -> History:
    """Simulate it all; takes its time."""
    (folder / "faults").write_text(FAULTS, encoding="utf-8")
    history = History(folder / "history.om", folder / "history.lp")
    subprocess.run(  # noqa: S603 - what is run stands here
        [
            EXPORTER,
            "simulate",
            "--model=ecu-r-pro",
            "--history=14d",
            f"--until={ENDS.isoformat()}",
            f"--scrape-interval={SCRAPE_SECONDS}",
            f"--script={folder / 'faults'}",
            f"--openmetrics={history.openmetrics}",
            f"--line-protocol={history.line_protocol}",
            "--label=job=aps",
            "--label=instance=127.0.0.1:10899",
        ],
        cwd=folder,
        env=own_environment() | {"APS_PANELS_FILE": str(PANELS_FILE)},
        check=True,
        timeout=500,
    )
    return history


def write_fixed_series(file: Path) -> None:
    """What the history has not: an alert while one inverter is offline, and the same days of the
    year before."""
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        for name, kind, labels, value in FIXED:
            lines.write(f"# TYPE {name.removesuffix('_total')} {kind}\n")
            series = f"{name}{{{','.join(filter(None, (_SCRAPED, labels)))}}}"
            for at in _scrapes(BEGINS, ENDS):
                said = (at - BEGINS.timestamp()) / 60 if value is None else value
                lines.write(f"{series} {said} {at}\n")
        lines.write("# TYPE ALERTS gauge\n")
        span = timedelta(hours=1)
        for at in _scrapes(ONE_IS_OFFLINE - span, ONE_IS_OFFLINE + span):
            lines.write(f"ALERTS{{{_SCRAPED},{_FIRING}}} 1 {at}\n")
        lines.write(f"# TYPE {LIFETIME.removesuffix('_total')} counter\n")
        begins, ends = (moment - A_YEAR for moment in (BEGINS, ENDS))
        for at in _scrapes(begins, ends):
            joules = (at - begins.timestamp()) / 86_400 * KWH_A_DAY_LAST_YEAR * 3_600_000
            lines.write(f'{LIFETIME}{{ecu="{ECU}",{_SCRAPED}}} {joules} {at}\n')
        lines.write("# EOF\n")


def _scrapes(begins: datetime, ends: datetime) -> Iterator[int]:
    yield from range(int(begins.timestamp()), int(ends.timestamp()) + 1, SCRAPE_SECONDS)


class Truth:
    """What the simulated plant made, from the plant itself; the exporter has no part in it."""

    def __init__(self) -> None:
        self.plant = Plant(plant_inverters(DEFAULT_INVERTERS), BEGINS.date())

    def online(self, round_: datetime) -> list[str]:
        """The inverters that are on in this round, the fault counted in."""
        return [
            inverter.serial
            for inverter in self.plant.inverters
            if self.plant.measure(inverter, sun(round_)).online
            and not (inverter.serial == OFFLINE and _is_offline(round_))
        ]

    def channel_watts(self, round_: datetime) -> dict[tuple[str, str], int]:
        """By inverter and channel, of those that are on."""
        online = self.online(round_)
        return {
            (inverter.serial, str(channel)): watts
            for inverter in self.plant.inverters
            if inverter.serial in online
            for channel, watts in enumerate(
                self.plant.measure(inverter, sun(round_)).channel_watts, start=1
            )
        }

    def power_watts(self, round_: datetime) -> int:
        return sum(self.channel_watts(round_).values())

    def peak_watts(self, round_: datetime) -> int:
        """The most of this round's day, up to it."""
        return max(map(self.power_watts, (*rounds(midnight(round_.date()), round_), round_)))

    def volts(self, round_: datetime) -> dict[tuple[str, int], int]:
        """By inverter and place among its phases, of those that are on."""
        online = self.online(round_)
        return {
            (inverter.serial, phase): volts
            for inverter in self.plant.inverters
            if inverter.serial in online
            for phase, volts in enumerate(self.plant.measure(inverter, sun(round_)).volts)
        }

    def hertz(self, round_: datetime) -> float | None:
        """The median of the inverters that are on; None at night."""
        online = self.online(round_)
        measured = [
            self.plant.measure(inverter, sun(round_)).hertz
            for inverter in self.plant.inverters
            if inverter.serial in online
        ]
        return median(measured) if measured else None

    def measured_watt_hours(self, day: date) -> dict[tuple[str, str], float]:
        """What the powers of a day add up to, by inverter and channel: less while one is off."""
        watt_hours: Counter[tuple[str, str]] = Counter()
        for round_ in rounds(midnight(day), midnight(day + timedelta(days=1))):
            for channel, watts in self.channel_watts(round_).items():
                watt_hours[channel] += watts
        return {channel: watts / ROUNDS_AN_HOUR for channel, watts in watt_hours.items()}

    def watt_hours_of_day(self, day: date, until: datetime | None = None) -> float:
        """What the ECU counts of this day, up to this round."""
        begins = datetime.combine(day, time())
        ends = begins + timedelta(days=1) if until is None else sun(until)
        return self.plant.joules_between(begins, ends) / 3_600


def rounds(begins: datetime, ends: datetime) -> Iterator[datetime]:
    """Each round from one moment on, until before the other."""
    while begins < ends:
        yield begins
        begins += ROUND


def midnight(day: date) -> datetime:
    """The local beginning of a day."""
    return datetime.combine(day, time(), ZONE)


def sun(round_: datetime) -> datetime:
    """The sun stands where the ECU's clock says."""
    return round_.astimezone(ZONE).replace(tzinfo=None)


def _is_offline(round_: datetime) -> bool:
    elapsed = round_ - BEGINS
    return timedelta(hours=216) <= elapsed < timedelta(hours=264)
