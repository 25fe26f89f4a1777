import asyncio
import gzip
import json
import logging
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.exporter import exporter
from tests.virtual_time import in_virtual_time
from tests.world import world

PLAIN = {"Accept-Encoding": "identity"}
HOSTILE = "<script>alert('x')</script>\"\\\n{{}}$ecus"


def _values(text: str, name: str) -> list[float]:
    return [s.value for f in parse(text) for s in f.samples if s.name == name]


@in_virtual_time
async def test_metrics_answer_in_the_text_format() -> None:
    async with world() as w, exporter([w.cache()]) as client:
        answer = await client.get("/metrics", headers=PLAIN)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        power = w.simulated.plant.power_watts(w.simulated.newest_round)
        assert _values(await answer.text(), "aps_ecu_power_watts") == [power]


@in_virtual_time
async def test_metrics_answer_in_openmetrics_when_asked() -> None:
    async with world() as w, exporter([w.cache()]) as client:
        accept = {"Accept": "application/openmetrics-text; version=1.0.0", **PLAIN}
        answer = await client.get("/metrics", headers=accept)
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await answer.text()).endswith("# EOF\n")


async def test_metrics_are_compressed_when_asked() -> None:
    async with world() as w, exporter([w.cache()]) as client:
        answer = await client.get(
            "/metrics", headers={"Accept-Encoding": "gzip"}, auto_decompress=False
        )
        assert answer.headers["Content-Encoding"] == "gzip"
        assert b"aps_up" in gzip.decompress(await answer.read())


@in_virtual_time
async def test_metrics_can_be_filtered_by_name() -> None:
    async with world() as w, exporter([w.cache()]) as client:
        answer = await client.get(
            "/metrics?name[]=aps_up&name[]=aps_ecu_power_watts", headers=PLAIN
        )
        names = {s.name for f in parse(await answer.text()) for s in f.samples}
        assert names == {"aps_up", "aps_ecu_power_watts"}


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        ("gzip", True),
        ("gzip, deflate", True),
        ("deflate, gzip;q=0.5", True),
        ("deflate", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("GZIP; Q=0", False),
        ("identity", False),
        ("*;q=nonsense", False),
    ],
)
def test_compression_is_gzip_or_none(encoding: str, *, compressed: bool) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w, exporter([w.cache()]) as client:
            answer = await client.get(
                "/metrics", headers={"Accept-Encoding": encoding}, auto_decompress=False
            )
            assert answer.headers.get("Content-Encoding") == ("gzip" if compressed else None)
            assert answer.headers["Vary"] == "Accept, Accept-Encoding"

    check()


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain;version=xyz",
        "text/plain;version=1.x",
        "application/openmetrics-text;version=abc",
        "application/openmetrics-text;version=2.x",
        f"application/openmetrics-text;version={'9' * 5_000}",
        ";;,=",
        "a" * 4_000,
    ],
)
def test_accept_header_that_makes_no_sense_gets_the_plain_format(accept: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w, exporter([w.cache()]) as client:
            answer = await client.get("/metrics", headers={"Accept": accept, **PLAIN})
            assert answer.status == 200
            assert answer.content_type == "text/plain"

    check()


@in_virtual_time
async def test_page_does_not_call_offline_what_is_not_known() -> None:
    async with world() as w:
        cache = w.cache()
        await cache.ask_once()
        w.faults.add("silent")
        await w.pass_time(1_000)
        async with exporter([cache]) as client:
            html = await (await client.get("/")).text()
        assert '<td data-column="power">unknown</td>' in html
        assert ">offline<" not in html


@in_virtual_time
async def test_snapshots_of_a_dead_signal_query_are_null_and_unknown_rows_are_told() -> None:
    async with world() as w:
        w.ecu.answers["signal"] = None
        raw = w.simulated.reply_to(f"APS1100280002{w.simulated.ecu}END\n".encode()) or b""
        body = raw[9:18] + b"\x03" + raw[19:-4] + bytes.fromhex("991000000001013037") + bytes(12)
        w.ecu.answers["inverters"] = b"APS11" + b"%04d" % (len(body) + 12) + body + b"END\n"
        cache = w.cache()
        await cache.ask_once()
        async with exporter([cache]) as client:
            (entry,) = (await (await client.get("/api/v1/snapshots")).json())["ecus"]
        assert (entry["signal"], entry["inverters"]["unknown_rows"]) == (None, 1)


@in_virtual_time
async def test_head_answers_without_a_body() -> None:
    async with world() as w, exporter([w.cache()]) as client:
        for path in ("/", "/metrics", "/api/v1/snapshots", "/-/healthy", "/-/ready"):
            answer = await client.head(path, headers=PLAIN)
            assert answer.status in (200, 503)
            assert await answer.read() == b""


@pytest.mark.parametrize(
    "path", ["/metrics/", "/metric", "/favicon.ico", "/debug/pprof", "/-/quit", "/api", "/%2e%2e/x"]
)
def test_anything_else_is_not_found(path: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w, exporter([w.cache()]) as client:
            assert (await client.get(path)).status == 404

    check()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/snapshots", "/-/healthy", "/-/ready"])
def test_other_methods_are_not_allowed(method: str, path: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w, exporter([w.cache()]) as client:
            answer = await client.request(method, path)
            assert answer.status == 405
            assert "GET" in answer.headers["Allow"]

    check()


@in_virtual_time
async def test_metrics_path_can_be_another() -> None:
    async with world() as w, exporter([w.cache()], metrics_path="/solar") as client:
        assert (await client.get("/solar", headers=PLAIN)).status == 200
        assert (await client.get("/metrics")).status == 404
        assert 'href="/solar"' in await (await client.get("/")).text()


@pytest.mark.parametrize(("timeout", "waited"), [("3", 2.5), ("10", 4.0), ("0.2", 0.0)])
def test_scrape_of_a_silent_ecu_keeps_to_its_own_deadline(timeout: str, waited: float) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world(faults=["silent"]) as w, exporter([w.cache()]) as client:
            began = asyncio.get_running_loop().time()
            header = {"X-Prometheus-Scrape-Timeout-Seconds": timeout, **PLAIN}
            answer = await client.get("/metrics", headers=header)
            took = asyncio.get_running_loop().time() - began
            assert answer.status == 200
            assert took == pytest.approx(waited, abs=0.01)

    check()


@pytest.mark.parametrize("timeout", ["soon", "", "nan", "-1"])
def test_scrape_timeout_that_is_no_number_is_not_an_error(timeout: str) -> None:
    @in_virtual_time
    async def check() -> None:
        async with world() as w, exporter([w.cache()]) as client:
            header = {"X-Prometheus-Scrape-Timeout-Seconds": timeout, **PLAIN}
            assert (await client.get("/metrics", headers=header)).status == 200

    check()


@in_virtual_time
async def test_scrapes_of_one_second_have_identical_numbers_of_the_device() -> None:
    async with world() as w, exporter([w.cache()]) as client:
        bodies = await asyncio.gather(*(client.get("/metrics", headers=PLAIN) for _ in range(20)))
        texts = {await body.text() for body in bodies}
        assert len(texts) == 1
        assert w.server.connections == 3


@in_virtual_time
async def test_page_and_snapshots_start_a_refresh_and_do_not_wait_for_it() -> None:
    async with world(faults=["silent"]) as w, exporter([w.cache()]) as client:
        for path in ("/", "/api/v1/snapshots"):
            began = asyncio.get_running_loop().time()
            assert (await client.get(path)).status == 200
            assert asyncio.get_running_loop().time() - began < 0.01
        assert w.server.connections == 1


@in_virtual_time
async def test_healthy_whatever_the_ecu_does() -> None:
    async with world(faults=["close"]) as w, exporter([w.cache()]) as client:
        assert (await client.get("/-/healthy")).status == 200


@in_virtual_time
async def test_ready_once_every_ecu_was_tried() -> None:
    async with world() as w:
        good, dead = w.cache("good"), w.cache("dead", port=1)
        async with exporter([good, dead]) as client:
            answer = await client.get("/-/ready")
            assert (answer.status, await answer.text()) == (
                503,
                "good: not tried yet\ndead: not tried yet\n",
            )
            await client.get("/metrics", headers=PLAIN)
            answer = await client.get("/-/ready")
            assert (answer.status, await answer.text()) == (
                200,
                "good: answers\ndead: does not answer\n",
            )


@in_virtual_time
async def test_snapshots_of_an_ecu_that_never_answered_are_null_with_the_error() -> None:
    async with world(faults=["close"]) as w:
        cache = w.cache()
        await cache.ask_once()
        async with exporter([cache]) as client:
            (entry,) = (await (await client.get("/api/v1/snapshots")).json())["ecus"]
        detail = entry["last_error"].pop("detail")
        assert entry["last_error"] == {"query": "info", "reason": "closed"}
        assert detail.startswith("the connection ended without a reply")
        assert (entry["target"], entry["up"], entry["ecu"]) == ("roof", False, None)
        assert entry["data_age_seconds"] is None
        assert (entry["info"], entry["inverters"], entry["signal"]) == (None, None, None)


@in_virtual_time
async def test_snapshots_say_what_is_known_with_times_in_utc() -> None:
    async with world() as w:
        cache = w.cache()
        await cache.ask_once()
        async with exporter([cache]) as client:
            answer = await client.get("/api/v1/snapshots")
            (entry,) = (await answer.json())["ecus"]
        assert list(entry) == [
            "target",
            "ecu",
            "up",
            "data_age_seconds",
            "next_refresh",
            "last_error",
            "info",
            "inverters",
            "signal",
        ]
        assert (entry["up"], entry["ecu"], entry["last_error"]) == (True, w.simulated.ecu, None)
        assert entry["info"]["inverters_online"] == 2
        assert entry["info"]["last_ema_contact"] == "2026-06-01T08:00:00Z"
        assert entry["inverters"]["measured_at"] == "2026-06-01T08:00:00Z"
        assert entry["next_refresh"].endswith("Z")
        assert datetime.fromisoformat(entry["next_refresh"]) > datetime(2026, 6, 1, tzinfo=UTC)
        assert set(entry["signal"]["signal"]) == {"704000000001", "704000000002"}


@in_virtual_time
async def test_page_shows_power_today_inverters_and_age() -> None:
    async with world() as w:
        cache = w.cache()
        await cache.ask_once()
        await w.pass_time(125)
        async with exporter([cache]) as client:
            answer = await client.get("/")
            html = await answer.text()
        assert answer.content_type == "text/html"
        power = w.simulated.plant.power_watts(w.simulated.newest_round)
        for figure in (f"{power:,}".replace(",", "\u202f"), "2 / 2", "2\u00a0min", "ECU-R-PRO"):
            assert figure in html
        assert '<meta http-equiv="refresh"' in html


@in_virtual_time
async def test_page_tells_in_plain_words_what_is_wrong() -> None:
    async with world() as w:
        cache = w.cache(port=1)
        await cache.ask_once()
        async with exporter([cache]) as client:
            html = await (await client.get("/")).text()
        assert "does not answer" in html
        assert "nothing listens on the port" in html
        assert "WiFi" in html


@in_virtual_time
async def test_what_an_ecu_or_a_target_says_is_escaped_on_the_page() -> None:
    async with world() as w:
        raw = w.simulated.reply_to(b"APS1100160001END\n") or b""
        firmware = b"ECU_R_PRO_2.1.29A"
        at = raw.index(firmware)
        evil = b"<script>alert(1)</script>"
        body = raw[9 : at - 3] + b"%03d" % len(evil) + evil + raw[at + len(firmware) : -1]
        w.ecu.answers["info"] = b"APS12" + b"%04d" % (len(body) + 9) + body + b"\n"
        cache = w.cache(HOSTILE)
        await cache.ask_once()
        async with exporter([cache]) as client:
            html = await (await client.get("/")).text()
            metrics = await (await client.get("/metrics", headers=PLAIN)).text()
        assert "<script" not in html
        assert {
            s.labels["target"] for f in parse(metrics) for s in f.samples if s.name == "aps_up"
        } == {HOSTILE}
        assert {
            s.labels["firmware"]
            for f in parse(metrics)
            for s in f.samples
            if s.name == "aps_ecu_info"
        } == {"scriptalert1/script"}


@in_virtual_time
async def test_page_at_night_shows_offline_inverters_without_measurements() -> None:
    async with world(faults=["offline"]) as w:
        cache = w.cache()
        await cache.ask_once()
        async with exporter([cache]) as client:
            html = await (await client.get("/")).text()
        assert '<td data-column="power">offline</td>' in html
        assert "1 / 2" in html


@in_virtual_time
async def test_broken_collector_is_an_error_answer_and_not_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world() as w:
        cache = w.cache()
        async with exporter([cache]) as client:
            monkeypatch.setattr(cache, "status", lambda: 1 / 0)
            with caplog.at_level(logging.CRITICAL):
                assert (await client.get("/metrics", headers=PLAIN)).status == 500
            monkeypatch.undo()
            assert (await client.get("/metrics", headers=PLAIN)).status == 200


@in_virtual_time
async def test_snapshots_are_json_that_any_parser_takes() -> None:
    async with world(faults=["offline"]) as w:
        cache = w.cache()
        await cache.ask_once()
        async with exporter([cache]) as client:
            text = await (await client.get("/api/v1/snapshots")).text()
        (entry,) = json.loads(text)["ecus"]
        offline, _ = entry["inverters"]["inverters"]
        assert (offline["online"], offline["power_watts"], offline["voltage_volts"]) == (
            False,
            None,
            None,
        )
