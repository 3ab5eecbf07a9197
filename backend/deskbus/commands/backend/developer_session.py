"""Runs what a command does with a client of the backend that is running, or is about to."""

import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import anyio

from deskbus.commands.backend import event_loop
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import MAKE_SAFE, CommandError
from deskbus.config import ConfigError, default_data_dir, runtime_dir_for
from deskbus.security.tickets.developer_ticket import DEVELOPER_APP, FILE_NAME
from deskbus.transport.named_pipes.pipe import address, check_runtime_folder, is_bound, is_held
from deskbus.transport.named_pipes.pipe_state import UnsafeDirectoryError
from deskbus_protocol.client import Client, connect, open_session
from deskbus_protocol.errors import CONNECTION_LOST, TICKET_REFUSED, DeskbusError

START_WITHIN_S = 20.0
"""A backend that has begun to start is waited for this long, whatever `--wait` says beyond 0."""

OPEN_WITHIN_S = 10.0
LEAVE_WITHIN_S = 1.0
LOOK_EVERY_S = 0.05
ANNOUNCED_AFTER_S = 0.2

NO_BACKEND = "no backend is running for the data folder {}."
START_ONE = "Start one with: deskbus serve --headless"
NO_TOOLS = "the backend that runs for the data folder {} lets no tools in."
LET_IN = "Set tools = true in the shell's configuration, and start it again."
SILENT = "the backend that runs for the data folder {} does not answer."
LOOK_AT_IT = "Look whether its process is stopped or busy, and end it where it hangs."


def run_with_client(options: Namespace, action: Callable[[Client], Awaitable[None]]) -> int:
    """Answers with the exit code 0.

    Raises `CommandError` where no backend can be reached within `options.wait` seconds, and what
    `action` raises.
    """

    async def main() -> None:
        async with developer_session(options.data_dir, options.wait) as client:
            await action(client)

    event_loop.run(main)
    return 0


@asynccontextmanager
async def developer_session(data_dir: Path, wait_s: float) -> AsyncIterator[Client]:
    """A session with the developer ticket; raises `CommandError`, `OSError`, `DeskbusError`."""
    async with AsyncExitStack() as stack:
        yield await _reach(stack, data_dir, wait_s)


async def _reach(stack: AsyncExitStack, data_dir: Path, wait_s: float) -> Client:
    folder = runtime_dir_for(data_dir)
    begun_at = anyio.current_time()
    announced = False
    while True:
        try:
            # Nothing is made by looking, and nothing of another user's is believed.
            check_runtime_folder(folder)
            return await stack.enter_async_context(_session(folder, data_dir))
        except UnsafeDirectoryError as error:
            raise CommandError(str(error), MAKE_SAFE) from None
        except (FileNotFoundError, ConnectionError) as error:
            wanting: Exception = error
        except DeskbusError as error:
            if error.kind not in (TICKET_REFUSED, CONNECTION_LOST):
                raise
            # The ticket of a backend that ended is replaced in a moment by that of the next.
            wanting = error
        held = is_held(folder)
        starting = held and (isinstance(wanting, ConnectionError) or not is_bound(folder))
        waited_s = anyio.current_time() - begun_at
        if waited_s >= (max(wait_s, START_WITHIN_S) if starting and wait_s else wait_s):
            raise _unreachable(data_dir, wanting, held=held) from None
        if not announced and waited_s >= ANNOUNCED_AFTER_S and sys.stderr.isatty():
            announced = True
            output.tell("deskbus: waiting for a backend to start (Ctrl-C ends it) …")
        await anyio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def _session(folder: Path, data_dir: Path) -> AsyncIterator[Client]:
    """Raises `FileNotFoundError` and `ConnectionError` only before the session is open."""
    ticket = (folder / FILE_NAME).read_text("ascii")
    async with connect(address(folder)) as client:
        try:
            with anyio.fail_after(OPEN_WITHIN_S):
                await open_session(client, ticket, DEVELOPER_APP)
        except TimeoutError:
            raise CommandError(SILENT.format(data_dir), LOOK_AT_IT) from None
        yield client
        with anyio.move_on_after(LEAVE_WITHIN_S), suppress(DeskbusError):
            await client.end_session()


def _unreachable(data_dir: Path, wanting: Exception, *, held: bool) -> CommandError:
    if held and isinstance(wanting, FileNotFoundError):
        return CommandError(NO_TOOLS.format(data_dir), LET_IN)
    return CommandError(NO_BACKEND.format(data_dir), f"{START_ONE}{_data_dir_option(data_dir)}")


def _data_dir_option(data_dir: Path) -> str:
    try:
        usual = data_dir == default_data_dir()
    except ConfigError:
        usual = False
    return "" if usual else f" --data-dir {data_dir}"
