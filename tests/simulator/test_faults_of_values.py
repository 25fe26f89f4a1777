"""What a simulated ECU says of energies and inverters when a fault makes it lie."""

import pytest

from aps_exporter.simulator.energies import lifetime_said
from aps_exporter.simulator.faults import Fault
from aps_exporter.simulator.rows import NEVER_HEARD_SERIAL, UNKNOWN_SERIAL
from tests.simulator.asking import NOON, WatchedEcu, info_of, raw_round, round_of, signal_of

JOULES_PER_KWH = 3_600_000
EVERY_KIND = "qs1:1,qs1a:1,ds3:1,ds3-h:1,yc600:1,yc1000:1,qt2:1"
LISTS = ["ds3:1", "yc1000:3", EVERY_KIND, "qs1:40,ds3:40"]

_ROWS_BEGIN = 26
_DS3_ROW_SIZE = 21


def _lifetime(ecu: WatchedEcu) -> int:
    joules = info_of(ecu).lifetime_energy_joules
    assert joules is not None
    return joules


@pytest.mark.parametrize(
    ("fault", "kwh"), [("lifetime-lower", -5), ("lifetime-leap", 1_000_000), ("offline", 0)]
)
def test_lifetime_energy_is_off_by_so_many_kwh(fault: Fault, kwh: int) -> None:
    ecu = WatchedEcu()
    truth = _lifetime(ecu)
    ecu.faults.add(fault)
    assert _lifetime(ecu) == truth + kwh * JOULES_PER_KWH
    ecu.faults.clear()
    assert _lifetime(ecu) == truth


def test_lifetime_energy_of_zero_is_zero_whatever_else_lies() -> None:
    ecu = WatchedEcu(faults=["lifetime-zero", "lifetime-leap", "lifetime-lower"])
    assert _lifetime(ecu) == 0
    assert info_of(ecu).today_energy_joules


def test_leap_and_fall_of_the_lifetime_energy_add_up() -> None:
    truth = _lifetime(WatchedEcu())
    ecu = WatchedEcu(faults=["lifetime-leap", "lifetime-lower"])
    assert _lifetime(ecu) == truth + 999_995 * JOULES_PER_KWH


def test_lifetime_energy_stays_within_its_four_bytes() -> None:
    most = 2**32 - 1
    assert lifetime_said(most * 360_000, {"lifetime-leap"}) == most
    assert lifetime_said(49 * 360_000, {"lifetime-lower"}) == 0


def test_frozen_energy_stands_still_while_power_flows() -> None:
    ecu = WatchedEcu("qs1:40")
    ecu.faults.add("energy-frozen")
    frozen = _lifetime(ecu)
    for _ in range(12):
        info = info_of(ecu)
        assert (info.lifetime_energy_joules, info.today_energy_joules) == (frozen, 0)
        assert info.power_watts
        ecu.ticks.seconds += 600
    ecu.faults.clear()
    assert _lifetime(ecu) > frozen + JOULES_PER_KWH
    assert info_of(ecu).today_energy_joules


def test_energy_frozen_by_a_script_stands_at_the_opening_of_its_window() -> None:
    ecu, healthy = (
        WatchedEcu("qs1:40", script="+1:00:00 energy-frozen for 1h"),
        WatchedEcu("qs1:40"),
    )
    healthy.ticks.seconds += 3_600
    ecu.ticks.seconds += 7_199
    assert _lifetime(ecu) == _lifetime(healthy)
    ecu.ticks.seconds += 1
    assert _lifetime(ecu) > _lifetime(healthy)


def test_empty_list_is_a_good_reply_with_a_fresh_time_and_no_rows() -> None:
    ecu, healthy = WatchedEcu(faults=["empty-list"]), WatchedEcu()
    assert round_of(ecu).inverters == ()
    assert round_of(ecu).unknown_rows == {}
    assert round_of(ecu).measured_at == round_of(healthy).measured_at
    assert info_of(ecu) == info_of(healthy)


@pytest.mark.parametrize("sleeping", [False, True])
@pytest.mark.parametrize("inverters", LISTS)
def test_unknown_row_costs_no_other_row(inverters: str, *, sleeping: bool) -> None:
    start = NOON.replace(hour=0) if sleeping else NOON
    ecu = WatchedEcu(inverters, faults=["unknown-row"], sun=None, start=start)
    healthy = WatchedEcu(inverters, sun=None, start=start)
    assert round_of(ecu).inverters == round_of(healthy).inverters
    assert round_of(ecu).unknown_rows == {"99": 1}
    told, truth = info_of(ecu), info_of(healthy)
    assert (told.inverters or 0) - (truth.inverters or 0) == 1
    assert (told.inverters_online or 0) - (truth.inverters_online or 0) == 1


def test_unknown_row_has_a_size_that_no_known_row_has() -> None:
    sizes = {len(raw_round(WatchedEcu(f"{kind}:2"))) for kind in ("ds3", "qs1", "qt2")}
    one_ds3 = len(raw_round(WatchedEcu("ds3:1")))
    with_unknown = len(raw_round(WatchedEcu("ds3:1", faults=["unknown-row"])))
    assert with_unknown - one_ds3 not in {21, 23, 27, 9}
    assert with_unknown not in sizes


def test_unknown_row_stands_in_the_middle_of_the_list() -> None:
    raw = raw_round(WatchedEcu("ds3:2", faults=["unknown-row"]))
    rows = raw[_ROWS_BEGIN:]
    assert rows[_DS3_ROW_SIZE:].startswith(bytes.fromhex(UNKNOWN_SERIAL) + b"\x01" + b"99")


@pytest.mark.parametrize("inverters", LISTS)
def test_inverter_never_heard_is_offline_and_the_ecu_is_no_inverter(inverters: str) -> None:
    ecu, healthy = WatchedEcu(inverters, faults=["never-heard"]), WatchedEcu(inverters)
    ghost, *others = round_of(ecu).inverters
    assert (ghost.inverter, ghost.type_code, ghost.online) == (NEVER_HEARD_SERIAL, "00", False)
    assert tuple(others) == round_of(healthy).inverters
    assert (info_of(ecu).inverters or 0) == (info_of(healthy).inverters or 0) + 1
    assert info_of(ecu).inverters_online == info_of(healthy).inverters_online


def test_row_of_the_ecu_itself_stands_at_the_end() -> None:
    raw = raw_round(WatchedEcu(faults=["never-heard"]))
    ecu_row = bytes.fromhex("216200000001") + b"\0" + b"00"
    assert raw.endswith(ecu_row + b"END\n")
    assert raw[_ROWS_BEGIN:].startswith(bytes.fromhex(NEVER_HEARD_SERIAL) + b"\0" + b"00")
    assert int.from_bytes(raw[17:19], "big") == 4


def test_strange_rows_can_stand_in_one_list() -> None:
    ecu = WatchedEcu(EVERY_KIND, faults=["never-heard", "unknown-row"])
    assert round_of(ecu).inverters[1:] == round_of(WatchedEcu(EVERY_KIND)).inverters
    assert round_of(ecu).unknown_rows == {"99": 1}


@pytest.mark.parametrize("kind", ["qs1", "ds3", "yc1000", "qt2"])
def test_wild_values_are_those_of_the_first_inverter_alone(kind: str) -> None:
    ecu, healthy = WatchedEcu(f"{kind}:3", faults=["wild-values"]), WatchedEcu(f"{kind}:3")
    wild, *others = round_of(ecu).inverters
    tame, *expected = round_of(healthy).inverters
    assert others == expected
    assert wild.frequency_hertz == 65.0
    assert {phase.voltage_volts for phase in wild.phases} == {5}
    assert wild.channels[0].power_watts == 62_405
    assert wild.channels[1:] == tame.channels[1:]
    assert wild.temperature_celsius == tame.temperature_celsius
    assert info_of(ecu) == info_of(healthy)


def test_lists_of_signals_know_only_the_plant() -> None:
    ecu = WatchedEcu(faults=["never-heard", "unknown-row", "empty-list"])
    assert signal_of(ecu) == signal_of(WatchedEcu())
