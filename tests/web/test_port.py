"""The gateway's port: one for each data folder, on loopback addresses alone."""

import socket
from pathlib import Path
from typing import Any

import anyio

from tests.integration.shell import TestShell, start_shell
from tests.web.desk import LIMIT_S

CONFIG = "[web]\n"


async def health_of(shell: TestShell) -> Any:
    """The gateway's row of health, once it has begun."""
    with anyio.fail_after(LIMIT_S):
        while True:
            health = await shell.client.call("health.get", {}, result=dict)
            row = health["components"]["web"]
            if row["detail"] != "it has not begun yet":
                return row
            await anyio.sleep(0.05)


async def test_a_port_that_is_taken_is_waited_for_and_health_says_by_whom(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with start_shell(folder, config=CONFIG) as shell:
        assert (await health_of(shell))["status"] == "ok"
    port = int((folder / "web-port").read_text())
    with socket.create_server(("127.0.0.1", port)):
        async with start_shell(folder, config=CONFIG) as shell:
            health = await health_of(shell)
            assert health["status"] == "degraded"
            assert health["detail"].startswith(f"port {port} is taken by ")
            assert "pid" in health["detail"]
    async with start_shell(folder, config=CONFIG) as shell:
        with anyio.fail_after(LIMIT_S):
            while (await health_of(shell))["status"] != "ok":
                await anyio.sleep(0.05)
        assert int((folder / "web-port").read_text()) == port


async def test_only_loopback_addresses_are_listened_on(tmp_path: Path) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG):
        port = int((tmp_path / "data/web-port").read_text())
        listening = [
            row.split()[1]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for row in Path(table).read_text().split("\n")[1:]
            if row and row.split()[3] == "0A" and row.split()[1].endswith(f":{port:04X}")
        ]
        loopback = {"0100007F", "00000000000000000000000001000000"}
        assert {address.partition(":")[0] for address in listening} == loopback


async def test_without_the_section_there_is_no_gateway(tmp_path: Path) -> None:
    async with start_shell(tmp_path / "data") as shell:
        assert (await health_of(shell))["status"] == "off"
        assert not (tmp_path / "data/web-port").exists()
