import asyncio
import json
from datetime import date
from pathlib import Path

import pytest

from aps_exporter.ecu.client import EcuClient
from aps_exporter.ecu.decode import decode, decode_reply
from aps_exporter.ecu.queries import (
    EnergyOfPeriodQuery,
    InfoQuery,
    InvertersQuery,
    PowerOfDayQuery,
    SignalQuery,
)
from aps_exporter.errors import ConfigError, QueryError
from aps_exporter.readings import EcuReading, RoundReading, SignalReading
from aps_exporter.simulator.ecu_server import EcuServer
from aps_exporter.simulator.replay import ReplayedEcu, read_captures
from tests.protocol.captures import CAPTURE_FILE, capture_named
from tests.virtual_time import in_virtual_time
from tests.world import world

ID = "216000000001"


def _reply(ecu: ReplayedEcu, command: str) -> bytes:
    reply = ecu.reply_to(f"APS110028{command}{ID}END\n".encode())
    assert reply is not None
    return reply


@in_virtual_time
async def test_second_client_waits_until_the_first_is_done() -> None:
    async with world() as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        client = EcuClient("127.0.0.1", w.port, timeout=60)
        asking = asyncio.create_task(client.ask(InfoQuery()))
        await asyncio.sleep(1)
        assert not asking.done()
        writer.write(b"APS1100160001END\n")
        await reader.read(1_000)
        writer.close()
        assert (await asking).command == "0001"


@in_virtual_time
async def test_second_command_on_a_connection_gets_no_reply() -> None:
    async with world() as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(b"APS1100160001END\n")
        await reader.read(1_000)
        writer.write(b"APS1100160001END\n")
        assert await reader.read(1_000) == b""
        writer.close()


@in_virtual_time
async def test_client_that_says_nothing_is_hung_up_on() -> None:
    async with world() as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        assert await reader.read() == b""
        writer.close()


@in_virtual_time
async def test_endless_request_is_hung_up_on() -> None:
    async with world() as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
        writer.write(b"A" * 200_000)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


@pytest.mark.parametrize(
    ("fault", "reason"), [("silent", "timeout"), ("close", "closed"), ("truncate", "truncated")]
)
def test_faults_look_to_the_client_as_they_should(fault: str, reason: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(faults=[fault]) as w:  # type: ignore[list-item]
            with pytest.raises(QueryError) as caught:
                await EcuClient("127.0.0.1", w.port, timeout=10).ask(InfoQuery())
            assert caught.value.reason == reason

    check()


@in_virtual_time
async def test_refusing_server_does_not_listen() -> None:
    async with world(faults=["refuse"]) as w:
        with pytest.raises(QueryError) as caught:
            await EcuClient("127.0.0.1", w.port, timeout=10).ask(InfoQuery())
        assert caught.value.reason == "refused"


@in_virtual_time
async def test_replayed_capture_comes_over_the_socket_as_it_was() -> None:
    name = "ecur-yc600x7-2020-11-24"
    server = EcuServer(ReplayedEcu(read_captures(CAPTURE_FILE, name)))
    port = await server.start("127.0.0.1", 0)
    reply = await EcuClient("127.0.0.1", port, timeout=10).ask(InvertersQuery(ID))
    assert decode_reply(reply) == decode(capture_named(name).raw)
    await server.close()


def test_made_up_info_fits_the_rows() -> None:
    ecu = ReplayedEcu(read_captures(CAPTURE_FILE, "ecur-qt2x6-rt-2023-11-21-morning"))
    info = decode(_reply(ecu, "0001"))
    assert isinstance(info, EcuReading)
    assert (info.ecu, info.power_watts, info.inverters, info.inverters_online) == (ID, 63, 6, 1)


def test_made_up_signal_is_an_empty_list() -> None:
    ecu = ReplayedEcu(read_captures(CAPTURE_FILE, "ecur-yc600x7-2020-11-24"))
    assert decode(_reply(ecu, SignalQuery.command)) == SignalReading({})


def test_captures_of_one_query_come_in_file_order_and_the_last_repeats() -> None:
    names = ["ecur-qt2x6-rt-2023-11-20", "ecur-qt2x6-rt-2023-11-21-morning"]
    ecu = ReplayedEcu(read_captures(CAPTURE_FILE, "ecur-qt2x6-*"))
    served = [_reply(ecu, "0002") for _ in range(4)]
    first, second = (capture_named(name).raw for name in names)
    assert served == [first, second, second, second]


def test_captured_history_is_served_for_the_queries_of_its_command_digits(tmp_path: Path) -> None:
    power = b"APS1100220003" + b"00" + bytes.fromhex("06550003") + b"END\n"
    energy = b"APS1100260004" + b"0001" + bytes.fromhex("20230902023d") + b"END\n"
    file = tmp_path / "history.json"
    captures = [{"name": "power", "hex": power.hex()}, {"name": "energy", "hex": energy.hex()}]
    file.write_text(json.dumps(captures), encoding="utf-8")
    ecu = ReplayedEcu(read_captures(file))
    assert ecu.reply_to(PowerOfDayQuery(ID, date(2023, 9, 2)).request) == power
    assert ecu.reply_to(EnergyOfPeriodQuery(ID, "month").request) == energy


def test_query_without_a_capture_gets_no_answer() -> None:
    ecu = ReplayedEcu(read_captures(CAPTURE_FILE, "ecur-qt2x6-info-2023-11-20"))
    assert ecu.reply_to(b"APS1100280002216037308721END\n") is None


def test_info_made_without_any_rows_says_none() -> None:
    ecu = ReplayedEcu(read_captures(CAPTURE_FILE, "ecub-status02-2024"))
    info = decode(_reply(ecu, "0001"))
    assert isinstance(info, EcuReading)
    assert (info.inverters, info.power_watts) == (0, 0)


def test_every_capture_can_be_replayed() -> None:
    assert len(read_captures(CAPTURE_FILE)) == 27


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "it is no JSON"),
        ("{}", "got dict"),
        ("[1]", "entry 1"),
        ('[{"name": "a"}]', "entry 1"),
        ('[{"name": "a", "hex": "xx"}]', "entry 1"),
        ('[{"name": "a", "hex": 7}]', "entry 1"),
        ("[]", "no capture has a name"),
    ],
)
def test_bad_capture_file_says_what_was_expected(
    tmp_path: Path, content: str, complaint: str
) -> None:
    file = tmp_path / "captures.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        read_captures(file)


def test_missing_capture_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.json"):
        read_captures(tmp_path / "missing.json")


def test_rows_of_a_replay_stay_those_of_the_capture() -> None:
    ecu = ReplayedEcu(read_captures(CAPTURE_FILE, "pro-ds3x8-rt-2022-09-19-night"))
    reading = decode(_reply(ecu, "0002"))
    assert isinstance(reading, RoundReading)
    expected = json.loads(CAPTURE_FILE.read_text(encoding="utf-8"))
    (capture,) = [c for c in expected if c["name"] == "pro-ds3x8-rt-2022-09-19-night"]
    assert [i.inverter for i in reading.inverters] == [
        i["inverter"] for i in capture["expected"]["inverters"]
    ]
