"""What a simulated ECU answers: requests in, replies out, built from the decoder's own tables."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Final, Literal, Protocol
from zoneinfo import ZoneInfo

from aps_exporter.clock import Clock
from aps_exporter.ecu.records import InfoHead, InfoLayout01, RoundHead, SignalRow, StatusHead
from aps_exporter.ecu.replies import build_reply, build_status
from aps_exporter.simulator.energies import lifetime_said, today_said
from aps_exporter.simulator.fault_schedule import FaultSchedule
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.memory import HISTORY_COMMANDS, Memory
from aps_exporter.simulator.plant import InverterMeasurement, Plant, PlantInverter
from aps_exporter.simulator.rounds import Rounds, last_full
from aps_exporter.simulator.rows import others_online, others_registered, rows_listed
from aps_exporter.wire import to_bytes

EcuModel = Literal["ecu-r", "ecu-r-pro"]

GOOD: Final = StatusHead("00")
UNKNOWN_TRAILER: Final = b"00" + bytes(10)
"""What group `12` info replies carry behind the last field, in every capture."""

_REQUEST_ID: Final = slice(13, 25)
_COMMAND: Final = slice(9, 13)


class AnswersQueries(Protocol):
    """Something with an ECU's answers."""

    def reply_to(self, request: bytes) -> bytes | None:
        """The reply to a whole request; None to hang up."""
        ...


@dataclass(frozen=True, slots=True)
class _Character:
    """How an ECU model differs on the wire; a zone of None is the host's."""

    ecu: str
    group: str
    firmware: str
    says_zone: str
    zone: ZoneInfo | None
    wifi_mac: str
    forgets_signal: bool


_CHARACTERS: Final[dict[EcuModel, _Character]] = {
    "ecu-r": _Character(
        ecu="216000000001",
        group="11",
        firmware="ECU_R_1.2.22",
        says_zone="Etc/GMT-8",
        zone=None,
        wifi_mac="000000000000",
        forgets_signal=True,
    ),
    "ecu-r-pro": _Character(
        ecu="216200000001",
        group="12",
        firmware="ECU_R_PRO_2.1.29A",
        says_zone="Europe/Amsterdam",
        zone=ZoneInfo("Europe/Amsterdam"),
        wifi_mac="60c5a8000001",
        forgets_signal=False,
    ),
}


class SimulatedEcu:
    """An ECU with a plant behind it, which it asks once a round.

    `ecu` is its id; None for the one that simulated ECUs of this model have. `sun_at_start` is the
    sun time when it starts; None for the sun to stand where the clock says. The sun then goes its
    way: it knows no daylight saving time. `zone` is the one its clock runs in, `says_zone` the one
    it says that is; None for those of its model.
    Faults in `faults` may be added and taken away while it runs; a FaultSchedule is used as it is.
    """

    def __init__(  # noqa: PLR0913 - each is one way in which ECUs differ
        self,
        inverters: Iterable[PlantInverter],
        clock: Clock,
        *,
        model: EcuModel = "ecu-r",
        ecu: str | None = None,
        sun_at_start: time | None = None,
        zone: ZoneInfo | None = None,
        says_zone: str | None = None,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.faults = faults if isinstance(faults, FaultSchedule) else FaultSchedule(clock, faults)
        self._rounds = Rounds(clock, self.faults)
        own = _CHARACTERS[model]
        self.ecu = ecu or own.ecu
        self._character = replace(
            own,
            zone=own.zone if zone is None else zone,
            says_zone=own.says_zone if says_zone is None else says_zone,
        )
        newest = self._rounds.newest()
        sun = self._local(newest)
        if sun_at_start is not None:
            sun = last_full(datetime.combine(sun.date(), sun_at_start))
        self._sun_ahead = sun - newest.replace(tzinfo=None)
        self.plant = Plant(inverters, installed_on=sun.date())

    @property
    def newest_round(self) -> datetime:
        """The sun time of the newest round."""
        return self._sun(self._rounds.newest())

    def reply_to(self, request: bytes) -> bytes | None:
        command = request[_COMMAND]
        if command == b"0001":
            return self._info()
        if command not in (b"0002", b"0030", *HISTORY_COMMANDS):
            return None
        if request[_REQUEST_ID] != self.ecu.encode():
            return build_status(command.decode(), "01")
        if command in HISTORY_COMMANDS:
            return self._memory().reply_to(request)
        return self._inverters() if command == b"0002" else self._signal()

    def _info(self) -> bytes:
        sun = self.newest_round
        lifetime_at = self._sun(self._rounds.newest_when_began("energy-frozen"))
        measured = [self._measure(inverter, sun) for inverter in self.plant.inverters]
        registered = len(measured) + others_registered(self.faults)
        character = self._character
        head = InfoHead(
            ecu=self.ecu,
            layout="01",
            lifetime_energy=lifetime_said(self.plant.lifetime_joules(lifetime_at), self.faults),
            power=sum(sum(m.channel_watts) for m in measured if m.online),
            today_energy=today_said(self.plant.today_joules(sun), self.faults),
        )
        rest = InfoLayout01(
            last_ema_contact=_digits(self._stamp()),
            inverters=0 if "zero-glitch" in self.faults else registered,
            inverters_online=sum(m.online for m in measured) + others_online(self.faults),
            zigbee_channel="10",
            firmware=character.firmware,
            timezone=character.says_zone,
            ethernet_mac="80971b000001",
            wifi_mac=character.wifi_mac,
        )
        trailer = UNKNOWN_TRAILER if character.group == "12" else b""
        return build_reply(character.group, "0001", to_bytes(head) + to_bytes(rest) + trailer)

    def _inverters(self) -> bytes:
        sun = self.newest_round
        measured = ((inverter, self._measure(inverter, sun)) for inverter in self.plant.inverters)
        rows = rows_listed(measured, self.ecu, self.faults)
        head = RoundHead("01", len(rows), _digits(self._stamp()))
        return build_reply("11", "0002", to_bytes(GOOD) + to_bytes(head) + b"".join(rows))

    def _signal(self) -> bytes:
        sun = self.newest_round
        rows = []
        for inverter in self.plant.inverters:
            measured = self._measure(inverter, sun)
            forgotten = self._character.forgets_signal and not measured.online
            rows.append(to_bytes(SignalRow(inverter.serial, 0 if forgotten else measured.signal)))
        return build_reply("11", "0030", to_bytes(GOOD) + b"".join(rows))

    def _memory(self) -> Memory:
        return Memory(
            self.plant,
            newest=self._rounds.newest(),
            sun_ahead=self._sun_ahead,
            zone=self._character.zone,
            wide_energies=self._character.group == "12",
        )

    def _measure(self, inverter: PlantInverter, sun: datetime) -> InverterMeasurement:
        measured = self.plant.measure(inverter, sun)
        if "offline" in self.faults and inverter.place == 0:
            # As seen on real ECUs, an offline row keeps watts and volts of better days.
            return replace(measured, online=False)
        return measured

    def _stamp(self) -> datetime:
        return self._local(self._rounds.stamp())

    def _sun(self, round_: datetime) -> datetime:
        return round_.replace(tzinfo=None) + self._sun_ahead

    def _local(self, moment: datetime) -> datetime:
        """By the ECU's own clock, without a zone as ECUs have it."""
        return moment.astimezone(self._character.zone).replace(tzinfo=None)


def _digits(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S}"
