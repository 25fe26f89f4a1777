"""Masked replies say the same of the same inverters, and name none of them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aps_exporter.ecu.masking import MaskedReply, mask
from tests.protocol.captures import CAPTURES, PARTIAL, WHOLE, capture_named
from tests.protocol.frames import bare_row, framed, online_row, round_reply
from tests.protocol.rows import DS3H, QS1, QT2, unknown_row
from tests.protocol.shapes import said

QT2_SERIAL: Final = bytes.fromhex("901055612951")
ECU: Final = "216037308721"
MAC: Final = bytes.fromhex("80971b5d2c04")
SET: Final = tuple(
    capture_named(f"ecur-qt2x6-{query}-2023-11-20").raw for query in ("info", "rt", "sig")
)
LIGHT: Final = settings(max_examples=60, deadline=timedelta(seconds=2))

MODELS: Final = ("1010", "4080", "5010", "7030", "8020", "8060", "9010")


def _masked(*replies: bytes) -> list[bytes]:
    return [reply.raw for reply in mask(replies)]


def _names(form: dict[str, Any]) -> list[str]:
    """Every name in what a reply says, in order."""
    macs = [form[key].replace(":", "") for key in ("ethernet_mac", "wifi_mac") if form.get(key)]
    ids = [form["ecu"]] if "ecu" in form else []
    rows = [row["inverter"] for row in form.get("inverters") or []] if "ecu" not in form else []
    return [*ids, *macs, *rows, *form.get("signal", {})]


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """What was said, of others."""
    match value:
        case dict():
            return {names.get(key, key): _renamed(inner, names) for key, inner in value.items()}
        case list():
            return [_renamed(inner, names) for inner in value]
        case str() if ":" in value and value.replace(":", "") in names:
            return bytes.fromhex(names[value.replace(":", "")]).hex(":")
        case str():
            return names.get(value, value)
    return value


def _mapping(before: Iterable[bytes], after: Iterable[bytes]) -> dict[str, str]:
    """Which name became which; each one has become one, and no two the same."""
    pairs = {
        pair
        for one, other in zip(before, after, strict=True)
        for pair in zip(_names(said(one)), _names(said(other)), strict=True)
    }
    names = dict(pairs)
    assert len(pairs) == len(names) == len({*names.values()})
    return names


def _assert_masked_well(replies: list[bytes]) -> None:
    masked = _masked(*replies)
    names = _mapping(replies, masked)
    assert not {*names} & {*names.values()}
    for before, after in zip(replies, masked, strict=True):
        assert len(before) == len(after)
        assert said(after) == _renamed(said(before), names)
        assert [name for name in names if bytes.fromhex(name) in after] == []
        assert [name for name in names if name.encode() in after] == []


@pytest.mark.parametrize("capture", WHOLE, ids=lambda capture: capture.name)
def test_masked_capture_says_the_same_of_others(capture: Any) -> None:
    _assert_masked_well([capture.raw])


def test_all_captures_together_say_the_same_of_others() -> None:
    _assert_masked_well([capture.raw for capture in WHOLE])


def test_masks_are_numbers_in_order_of_appearance() -> None:
    info, rows, signal = (said(raw) for raw in _masked(*SET))
    inverters = [f"9010{number:08}" for number in range(2, 8)]
    assert (info["ecu"], info["ethernet_mac"]) == ("216000000001", "80:97:1b:00:00:01")
    assert [row["inverter"] for row in rows["inverters"]] == inverters
    assert [*signal["signal"]] == inverters


def test_mac_of_zeros_stays() -> None:
    assert said(_masked(SET[0])[0])["wifi_mac"] is None


def test_row_of_the_ecu_itself_is_masked_as_its_id_is() -> None:
    info, rows = _masked(SET[0], round_reply(bare_row(ECU), QS1))
    ecu = said(info)["ecu"]
    assert ecu != ECU
    assert rows[26:32].hex() == ecu


def test_mask_is_never_a_serial_that_is_there() -> None:
    rows = [bare_row("802099999999"), bare_row("802000000001"), bare_row("802000000002")]
    _assert_masked_well([round_reply(*rows)])


def test_masking_twice_is_well_too() -> None:
    once = _masked(*SET)
    _assert_masked_well(once)


def test_well_read_replies_are_not_masked_by_guess() -> None:
    assert [reply.is_guessed for reply in mask(SET)] == [False] * 3


@pytest.mark.parametrize("capture", PARTIAL, ids=lambda capture: capture.name)
def test_partial_capture_is_masked_by_guess(capture: Any) -> None:
    (masked,) = mask([capture.raw])
    assert (masked.is_guessed, len(masked.raw)) == (True, len(capture.raw))
    assert said(masked.raw) == said(capture.raw)
    assert masked.raw != capture.raw


def test_serials_of_a_reply_cut_in_its_rows_are_those_of_the_whole_ones() -> None:
    info, cut, signal = mask([SET[0], SET[1][:60], SET[2]])
    assert (info.is_guessed, cut.is_guessed, signal.is_guessed) == (False, True, False)
    first, second, *_ = (bytes.fromhex(serial) for serial in said(signal.raw)["signal"])
    assert cut.raw == SET[1][:26] + first + SET[1][32:53] + second + SET[1][59:60]


@pytest.mark.parametrize("whole", SET, ids=["info", "inverters", "signal"])
def test_no_name_is_left_wherever_a_reply_is_cut(whole: bytes) -> None:
    for end in range(len(whole)):
        (masked,) = mask([whole[:end]])
        assert len(masked.raw) == end
        _assert_nothing_is_left(whole[:end], masked, said(whole))


def _assert_nothing_is_left(cut: bytes, masked: MaskedReply, form: dict[str, Any]) -> None:
    """Of no name more is left than what may stay, not even of one that was cut."""
    for name in _names(form):
        kept = 3 if bytes.fromhex(name) == MAC else 2
        for shown in range(kept + 1, 7):
            start = bytes.fromhex(name)[:shown]
            assert start not in cut or start not in masked.raw, (name, shown)
        for shown in range(5, 13):
            assert name[:shown].encode() not in masked.raw


@pytest.mark.parametrize(
    "raw",
    [
        framed("0030", b"00" + QT2_SERIAL + b"\x90\x10"),
        framed("0002", b"0001\xff\xff" + bytes.fromhex("20240325120000") + QT2_SERIAL),
        framed("0007", b"00" + QT2_SERIAL),
        framed("0002", b"02" + QT2_SERIAL),
        framed("0001", ECU.encode() + b"03" + MAC + QT2_SERIAL),
        SET[2][:-4] + b"behind",
        b"no frame at all " + QT2_SERIAL + MAC + ECU.encode(),
        framed("0030", b"00") + b"behind " + QT2_SERIAL + MAC + ECU.encode(),
        round_reply(QS1, unknown_row(1) + QT2_SERIAL, count=2),
    ],
)
def test_no_name_is_left_in_what_cannot_be_read(raw: bytes) -> None:
    (masked,) = mask([raw])
    assert (masked.is_guessed, len(masked.raw)) == (True, len(raw))
    assert [name for name in (QT2_SERIAL, MAC, ECU.encode()) if name in masked.raw] == []


def test_reply_behind_a_reply_is_read_and_masked_too() -> None:
    glued, alone = mask([SET[2] + SET[1], SET[1]])
    assert not glued.is_guessed
    assert glued.raw[len(SET[2]) :] == alone.raw


def test_serial_of_a_new_model_is_known_from_a_reply_that_can_be_read() -> None:
    new = bytes.fromhex("720123456789")
    signal = framed("0030", b"00" + new + b"\x90")
    for broken in (signal[:-6], round_reply(new + b"\x01zz" + b"\xff" * 5, count=3)):
        masked, read = mask([broken, signal])
        assert new[:5] not in masked.raw
        assert "7201" in next(iter(said(read.raw)["signal"]))


def test_kin_of_an_inverter_of_a_new_model_is_masked_where_nothing_can_be_read() -> None:
    kin, other = bytes.fromhex("720198765432"), bytes.fromhex("720123456789")
    broken, _ = mask([framed("0030", b"0" + kin), framed("0030", b"00" + other + b"\x90")])
    assert kin[:3] not in broken.raw


def test_row_of_any_model_is_known_by_its_head_where_its_reply_is_cut() -> None:
    whole = round_reply(QS1, unknown_row(123_456_789), QS1)
    serial_end = whole.index(bytes.fromhex("720123456789")) + 6
    for end in (serial_end, serial_end + 1, serial_end + 2, serial_end + 3, len(whole) - 20):
        (masked,) = mask([whole[:end]])
        assert bytes.fromhex("720123") not in masked.raw


def test_serial_that_starts_with_zeros_makes_no_serials_of_all_zeros() -> None:
    odd = bytes.fromhex("001234567890")
    broken, read = mask(
        [framed("0030", b"x" * 9 + bytes(9) + odd), framed("0030", b"00" + odd + b"1")]
    )
    serial = bytes.fromhex(next(iter(said(read.raw)["signal"])))
    assert serial != odd
    assert broken.raw == framed("0030", b"x" * 9 + bytes(9) + serial)


def test_time_of_a_round_is_no_serial_even_where_its_rows_cannot_be_read() -> None:
    cut = round_reply(QS1, QS1, measured_at="20241025120000")[:60]
    assert mask([cut])[0].raw[:26] == cut[:26]


@pytest.mark.parametrize("name", [QT2_SERIAL, MAC, ECU.encode()])
def test_name_in_bytes_that_nobody_understands_is_masked_by_guess(name: bytes) -> None:
    body = capture_named("pro-ds3x6-info-2026-04-23").raw[13:-4]
    raw = framed("0001", body[:-12] + name.ljust(12, b"\0"), group="12")
    (masked,) = mask([raw])
    assert (masked.is_guessed, name in masked.raw) == (True, False)


def test_serial_that_a_wrong_size_of_unknown_rows_made_a_measurement_is_masked() -> None:
    misread = online_row("802000000003", "03", (QT2_SERIAL + bytes(8)).hex())
    masked, _ = _masked(round_reply(misread, unknown_row(1)), SET[2])
    assert QT2_SERIAL not in masked


def test_serials_of_rows_of_unknown_type_are_masked() -> None:
    raw = round_reply(unknown_row(7), QS1, unknown_row(8), DS3H, QT2)
    (masked,) = mask([raw])
    assert masked.is_guessed
    assert said(masked.raw)["unknown_rows"] == said(raw)["unknown_rows"] == 2
    assert [n for n in (7, 8) if bytes.fromhex(f"72{n:010}") in masked.raw] == []
    _assert_masked_well([raw])


def test_names_that_overlap_in_what_cannot_be_read_are_both_gone() -> None:
    overlapping = bytes.fromhex("801080204060708090")
    (masked,) = mask([overlapping])
    windows = [overlapping[at : at + 6] for at in range(len(overlapping) - 5)]
    assert [window.hex() for window in windows if window in masked.raw] == []


def test_status_reply_stays_as_it_is() -> None:
    raw = capture_named("ecub-status02-2024").raw
    assert mask([raw]) == [MaskedReply(raw, is_guessed=False)]


def test_no_reply_at_all_stays_nothing() -> None:
    assert mask([b"", *SET])[0] == MaskedReply(b"", is_guessed=False)


serials = st.builds(
    lambda model, number: f"{model}{number:08}",
    st.sampled_from(MODELS),
    st.integers(0, 12) | st.integers(10_000_000, 99_999_999),
)


@LIGHT
@given(st.lists(serials, min_size=1, max_size=12), st.integers(0, 99_999_999))
def test_replies_of_any_inverters_say_the_same_of_others(listed: list[str], ecu: int) -> None:
    own = f"2160{ecu:08}"
    info = SET[0].replace(ECU.encode(), own.encode())
    rows = [bytes.fromhex(serial) + QS1[6:] for serial in listed]
    signals = b"".join(bytes.fromhex(serial) + b"\xd0" for serial in reversed(listed))
    _assert_masked_well([info, round_reply(bare_row(own), *rows), framed("0030", b"00" + signals)])


@LIGHT
@given(st.lists(st.binary(max_size=60) | st.sampled_from(SET), max_size=4), st.data())
def test_any_bytes_keep_their_length_and_lose_what_looks_like_a_serial(
    parts: list[bytes], data: st.DataObject
) -> None:
    raw = b"".join(parts)
    place = data.draw(st.integers(0, len(raw)))
    junk = b"?" + raw[:place] + QT2_SERIAL + raw[place:]
    (masked,) = mask([junk])
    assert len(masked.raw) == len(junk)
    assert QT2_SERIAL not in masked.raw


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
@settings(LIGHT, max_examples=15)
@given(data=st.data())
def test_mutated_captures_keep_their_length(capture: Any, data: st.DataObject) -> None:
    raw = bytearray(capture.raw)
    places = st.integers(0, len(raw) - 1)
    for place, byte in data.draw(st.dictionaries(places, st.integers(0, 255), max_size=6)).items():
        raw[place] = byte
    assert len(mask([bytes(raw)])[0].raw) == len(raw)


def test_masking_of_the_longest_junk_ends_in_time() -> None:
    names = framed("0030", b"00" + b"".join(b"\x80\x20" + bytes([0, 0, n, n, 1]) for n in range(9)))
    (junk, _) = mask([b"\x10" * 20_000, names])
    assert len(junk.raw) == 20_000
