"""What the simulated ECU says, as our decoder and as an independent slice of bytes reads it."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from aps_exporter.clock import ScaledClock
from aps_exporter.ecu.decode import decode
from aps_exporter.errors import EcuStatusError
from aps_exporter.simulator.ecu import EcuModel, SimulatedEcu
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.plant import plant_inverters
from tests.simulator.asking import info_of, round_of, signal_of

NOON = datetime(2026, 6, 1, 12, 3, tzinfo=UTC)
MIDNIGHT = datetime(2026, 6, 1, 0, 3, tzinfo=UTC)
EVERY_KIND = "qs1:1,qs1a:1,ds3:1,ds3-h:1,yc600:1,yc1000:1,qt2:1"


def _ecu(
    *,
    model: EcuModel = "ecu-r-pro",
    sun: time | None = time(11, 0),
    faults: tuple[Fault, ...] = (),
    now: datetime = NOON,
    ecu: str | None = None,
) -> SimulatedEcu:
    clock = ScaledClock(1, now, ticks=lambda: 0.0)
    return SimulatedEcu(
        plant_inverters(EVERY_KIND), clock, model=model, ecu=ecu, sun_at_start=sun, faults=faults
    )


def test_every_kind_of_inverter_reads_as_its_model() -> None:
    assert [inverter.model for inverter in round_of(_ecu()).inverters] == [
        "QS1",
        "QS1A",
        "DS3",
        "DS3-H",
        "YC600",
        "YC1000",
        "QT2",
    ]


def test_rows_say_what_the_plant_measures() -> None:
    ecu = _ecu()
    for inverter, reading in zip(ecu.plant.inverters, round_of(ecu).inverters, strict=True):
        measured = ecu.plant.measure(inverter, ecu.newest_round)
        assert [c.power_watts for c in reading.channels] == list(measured.channel_watts)
        assert [p.voltage_volts for p in reading.phases] == list(measured.volts)
        assert reading.temperature_celsius == measured.celsius
        assert reading.frequency_hertz == measured.hertz


def test_info_agrees_with_the_plant_cut_off_and_not_rounded() -> None:
    ecu = _ecu()
    info = info_of(ecu)
    assert info.power_watts == ecu.plant.power_watts(ecu.newest_round)
    lifetime = ecu.plant.lifetime_joules(ecu.newest_round)
    assert info.lifetime_energy_joules == lifetime - lifetime % 360_000
    today = ecu.plant.today_joules(ecu.newest_round)
    assert info.today_energy_joules == today - today % 36_000
    assert (info.inverters, info.inverters_online) == (7, 7)


def test_sun_stands_at_eleven_while_the_stamp_follows_the_clock() -> None:
    ecu = _ecu(now=MIDNIGHT)
    assert ecu.newest_round.time() == time(11, 0)
    assert round_of(ecu).measured_at == datetime.fromisoformat("2026-06-01T02:00")  # in Amsterdam


def test_real_sun_is_dark_at_night() -> None:
    assert info_of(_ecu(sun=None, now=MIDNIGHT)).power_watts == 0


def test_ecu_r_speaks_group_11_and_lies_about_its_zone() -> None:
    ecu = _ecu(model="ecu-r")
    assert (ecu.reply_to(b"APS1100160001END\n") or b"")[:5] == b"APS11"
    info = info_of(ecu)
    assert (info.timezone, info.wifi_mac, info.ecu[:4]) == ("Etc/GMT-8", None, "2160")


def test_ecu_r_pro_speaks_group_12_and_knows_its_zone() -> None:
    ecu = _ecu()
    assert (ecu.reply_to(b"APS1100160001END\n") or b"")[:5] == b"APS12"
    info = info_of(ecu)
    assert (info.timezone, info.ecu[:4]) == ("Europe/Amsterdam", "2162")


@pytest.mark.parametrize(("model", "forgets"), [("ecu-r", True), ("ecu-r-pro", False)])
def test_signal_of_sleeping_inverters_is_forgotten_by_one_model(
    model: EcuModel, *, forgets: bool
) -> None:
    ratios = signal_of(_ecu(model=model, sun=time(0, 0))).ratios
    assert all((ratio == 0) == forgets for ratio in ratios.values())


def test_id_can_be_chosen() -> None:
    ecu = _ecu(ecu="216200000042")
    assert info_of(ecu).ecu == "216200000042"
    assert round_of(ecu).inverters  # asked with that id, or it would be a status


def test_wrong_id_is_answered_with_status_01() -> None:
    with pytest.raises(EcuStatusError) as caught:
        decode(_ecu().reply_to(b"APS1100280002216099999999END\n") or b"")
    assert caught.value.status == "01"


@pytest.mark.parametrize("request_", [b"", b"APS1100280099216200000001END\n", b"junk"])
def test_unknown_request_gets_no_answer(request_: bytes) -> None:
    assert _ecu().reply_to(request_) is None


def test_zero_glitch_says_no_inverters_but_some_online() -> None:
    info = info_of(_ecu(faults=("zero-glitch",)))
    assert (info.inverters, info.inverters_online, info.today_energy_joules) == (0, 7, 0)


def test_offline_inverter_keeps_the_watts_of_better_days_in_its_row() -> None:
    ecu = _ecu(faults=("offline",))
    raw = ecu.reply_to(f"APS1100280002{ecu.ecu}END\n".encode()) or b""
    row = raw[26 : 26 + 23]
    assert (row[6], row[9:11], row[11:13]) == (0, b"\0\0", b"\0\x64")
    assert int.from_bytes(row[13:15], "big") > 0
    offline, *others = round_of(ecu).inverters
    assert (offline.online, offline.power_watts) == (False, None)
    info = info_of(ecu)
    assert info.inverters_online == 6
    assert info.power_watts == sum(other.power_watts or 0 for other in others)


def test_clock_and_the_zone_it_says_can_be_chosen_apart() -> None:
    clock = ScaledClock(1, NOON, ticks=lambda: 0.0)
    ecu = SimulatedEcu(
        plant_inverters("ds3:1"), clock, zone=ZoneInfo("US/Pacific"), says_zone="Etc/GMT-8"
    )
    assert round_of(ecu).measured_at == datetime.fromisoformat("2026-06-01T05:00")
    assert info_of(ecu).timezone == "Etc/GMT-8"


def test_sun_does_not_go_back_when_dst_ends() -> None:
    seconds = 0.0
    before_the_change = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)
    clock = ScaledClock(1, before_the_change, ticks=lambda: seconds)
    ecu = SimulatedEcu(plant_inverters("ds3:1"), clock, model="ecu-r-pro", sun_at_start=time(11, 0))
    sun, stamp = ecu.newest_round, round_of(ecu).measured_at
    seconds = 120
    assert ecu.newest_round - sun == timedelta(minutes=5)
    assert stamp is not None
    assert round_of(ecu).measured_at == stamp - timedelta(minutes=55)
