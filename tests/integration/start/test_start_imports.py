"""The imports of a start: each costs every start some of its time, so there is a budget."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from deskbus.config import runtime_dir_for
from deskbus.rpc.dispatch import jsonrpc_dispatcher
from deskbus.security.tickets.developer_ticket import DEVELOPER_APP
from deskbus.transport.named_pipes.pipe import address
from deskbus_protocol.client import connect_with_ticket

BUDGET = 470
"""Own modules and packages: as many as there are, and a few more. A start is judged by
`make bench`; this notices what has come in by mistake.
"""

LIBRARIES = {
    *("anyio", "cryptography", "msgspec", "structlog", "uvloop", "sniffio", "idna"),
    *("typing_extensions", "cython_runtime"),
}

LATE = {
    *("jsonrpcserver", "jsonschema", "keyring", "nats", "psutil", "crc32c"),
    *("opentelemetry", "prometheus_client", "starlette", "uvicorn", "h11", "websockets"),
    *("deskbus_protocol.client", "deskbus.federation.nats_connection", "argon2", "urllib.request"),
    *(
        "http.client",
        "deskbus.audit.report.html_report",
        "deskbus.fdc3",
        "deskbus.components.fdc3.fdc3_agent",
    ),
}
"""Modules for which nobody who waits for a first answer need wait."""

PROGRAM = """
import os, sys, threading, time
from deskbus.cli import main

def tell(wanted, modules):
    while not os.path.exists(wanted):
        time.sleep(0.01)
    with open(modules + ".new", "w") as file:
        file.write("\\n".join(list(sys.modules)))
    os.rename(modules + ".new", modules)

wanted, modules, *words = sys.argv[1:]
threading.Thread(target=tell, args=(wanted, modules), daemon=True).start()
main(words)
"""
"""Runs the command, and says which modules there are when it is asked."""


@pytest.fixture(scope="module")
async def imported(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that a backend without apps has when its first answer has come."""
    folder = tmp_path_factory.mktemp("start")
    data_dir, wanted, modules = folder / "data", folder / "wanted", folder / "modules"
    words = ["serve", "--headless", "--consent", "allow", "--data-dir", str(data_dir)]
    backend = await anyio.open_process(
        [sys.executable, "-c", PROGRAM, str(wanted), str(modules), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    runtime = runtime_dir_for(data_dir)
    try:
        with anyio.fail_after(60):
            while not await _answers(runtime / "developer.ticket", runtime):
                await anyio.sleep(0.02)
            wanted.touch()
            while not modules.exists():
                await anyio.sleep(0.01)
        return set(modules.read_text().split("\n"))
    finally:
        backend.kill()
        with anyio.CancelScope(shield=True):
            await backend.wait()


async def _answers(ticket: Path, runtime: Path) -> bool:
    if not ticket.exists() or not ticket.read_text().strip():
        return False
    async with connect_with_ticket(
        address(runtime), ticket.read_text().strip(), DEVELOPER_APP
    ) as client:
        await client.call("health.get", {})
    return True


async def test_a_start_imports_no_more_of_its_own_modules_than_its_budget(
    imported: set[str],
) -> None:
    own = {name for name in imported if name.partition(".")[0] in ("deskbus", "deskbus_protocol")}
    assert 100 < len(own) <= BUDGET


async def test_a_start_imports_no_library_beyond_those_it_needs(imported: set[str]) -> None:
    known = sys.stdlib_module_names | LIBRARIES | {"deskbus", "deskbus_protocol"}
    others = {name.partition(".")[0] for name in imported}
    # Of the site's own files: an editable install, and what coverage and debuggers leave there.
    others = {name for name in others if not name.startswith(("_", "sitecustom"))}
    assert others - known == set()


async def test_what_is_needed_later_is_imported_later(imported: set[str]) -> None:
    early = {late for late in LATE if any(f"{name}.".startswith(f"{late}.") for name in imported)}
    assert early == set()
    assert jsonrpc_dispatcher.__name__ not in imported
