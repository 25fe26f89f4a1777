"""The panels file while the exporter runs: read again on request, and compared with the ECUs."""

import asyncio
import logging
from typing import Final

from aps_exporter.config import Config, PanelsFile, read_panels
from aps_exporter.errors import ConfigError
from aps_exporter.panels import NO_PANELS, Channel, Panels
from aps_exporter.readings import Snapshot

logger = logging.getLogger(__name__)

_MOST_ENTRIES_NAMED: Final = 10


class PanelsInForce:
    """What holds of the panels at the moment; a file that got worse changes nothing.

    `keep_reloading` runs for as long as the exporter does.
    """

    def __init__(self, file: PanelsFile | None, targets: int) -> None:
        """`targets` is how many ECUs there are to list channels."""
        self._path = None if file is None else file.path
        self._panels = NO_PANELS if file is None else file.panels
        self._targets = targets
        self._reload_asked = asyncio.Event()
        self._reloads = 0
        self._listed: dict[str, dict[str, set[int]]] = {}
        self._compared: Panels = NO_PANELS

    @classmethod
    def of(cls, config: Config) -> "PanelsInForce":
        """As configured."""
        return cls(config.panels_file, len(config.targets))

    def now(self) -> Panels:
        """The panels at this moment."""
        return self._panels

    def ask_to_reload(self) -> None:
        """Have the file read again, soon; for a signal."""
        self._reload_asked.set()

    async def keep_reloading(self) -> None:
        """Read the file again whenever that is asked for, and log what came of it."""
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            await self._reload()

    async def _reload(self) -> None:
        self._reloads += 1
        if self._path is None:
            logger.info("SIGHUP: there is nothing to read again, as APS_PANELS_FILE is not set")
            return
        try:
            panels = await asyncio.to_thread(read_panels, self._path)
        except ConfigError as error:
            logger.error(  # noqa: TRY400 - the faults of a file need no traceback
                "the panels file is not taken; what it said before still holds",
                extra={
                    "file": str(self._path),
                    "detail": "; ".join(error.faults),
                    "reload": self._reloads,
                },
            )
            return
        before, self._panels = self._panels, panels
        logger.info(
            "panels file read again",
            extra={
                "file": str(self._path),
                "panels": len(panels),
                "unused": sum(panel.unused for panel in panels.values()),
                "added": len(panels.keys() - before.keys()),
                "removed": len(before.keys() - panels.keys()),
                "changed": sum(before[c] != panels[c] for c in before.keys() & panels.keys()),
            },
        )
        self._compare()

    def take(self, snapshot: Snapshot) -> None:
        """Take a new round, for the channels it lists; rows nobody can read may list any."""
        if not snapshot.unknown_rows_of_round:
            self._listed[snapshot.target] = {
                inverter.inverter: {reading.channel for reading in inverter.channels}
                for inverter in snapshot.inverters
            }
            self._compare()

    def _compare(self) -> None:
        """Once every ECU has listed its channels, say which entries belong to none of them."""
        if len(self._listed) < self._targets or self._compared is self._panels:
            return
        self._compared = self._panels
        unlisted = sorted(channel for channel in self._panels if not self._may_be(channel))
        if unlisted:
            named = [f"{serial}/{number}" for serial, number in unlisted[:_MOST_ENTRIES_NAMED]]
            if len(unlisted) > len(named):
                named.append("...")
            logger.warning(
                "the panels file has entries for channels that no ECU lists",
                extra={
                    "file": str(self._path),
                    "entries": len(unlisted),
                    "channels": " ".join(named),
                    "hint": "compare the serials with those on the landing page",
                    "reload": self._reloads,
                },
            )

    def _may_be(self, channel: Channel) -> bool:
        """Whether an ECU lists it, or the inverter without telling of its channels."""
        serial, number = channel
        inverters = [listed[serial] for listed in self._listed.values() if serial in listed]
        return any(not channels or number in channels for channels in inverters)
