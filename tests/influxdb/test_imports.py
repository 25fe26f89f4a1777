import subprocess
import sys

LOADED = "import sys, aps_exporter.app, aps_exporter.cli.check; print([*sys.modules])"


def test_client_library_is_not_loaded_while_the_pusher_is_off() -> None:
    command = [sys.executable, "-c", LOADED]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own
    assert "'aiohttp'" in loaded
    assert "influxdb_client" not in loaded
