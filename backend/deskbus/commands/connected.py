"""Runs what a command does with a client of the backend that is running."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from deskbus.commands import loop
from deskbus.config import runtime_dir_for
from deskbus.security.developer import DEVELOPER_APP, FILE_NAME
from deskbus.transport.pipe import address
from deskbus_protocol.client import Client, connect_with_ticket
from deskbus_protocol.errors import DeskbusError

NO_BACKEND = """deskbus: no backend that lets tools in is running for this data directory.
Start one with: deskbus serve --headless; or set tools = true in the configuration of a shell's.
"""


def run_connected(data_dir: Path, action: Callable[[Client], Awaitable[None]]) -> int:
    """The exit code; an error is told on standard error."""
    folder = runtime_dir_for(data_dir)

    async def main() -> None:
        ticket = (folder / FILE_NAME).read_text()
        async with connect_with_ticket(address(folder), ticket, DEVELOPER_APP) as client:
            await action(client)

    try:
        loop.run(main)
    except (FileNotFoundError, ConnectionError):
        sys.stderr.write(NO_BACKEND)
        return 1
    except DeskbusError as error:
        sys.stderr.write(f"deskbus: {error.message} ({error.kind.code})\n{error.action}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
