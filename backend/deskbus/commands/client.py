"""`deskbus call`, `pub` and `sub`: a developer's client of a headless backend."""

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from datetime import datetime

import anyio
import msgspec
from msgspec import Raw

from deskbus.commands import loop
from deskbus.config import runtime_dir_for
from deskbus.security.developer import DEVELOPER_APP, FILE_NAME
from deskbus.transport.pipe import address
from deskbus_protocol.client import Client, connect_with_ticket
from deskbus_protocol.errors import DeskbusError

NO_BACKEND = """deskbus: no headless backend is running for this data directory.
Start one with: deskbus serve --headless
"""


def run(options: Namespace) -> int:
    folder = runtime_dir_for(options.data_dir)
    commands: dict[str, Callable[[Client, Namespace], Awaitable[None]]] = {
        "call": _call,
        "pub": _publish,
        "sub": _subscribe,
        "replay": _replay,
    }

    async def main() -> None:
        ticket = (folder / FILE_NAME).read_text()
        async with connect_with_ticket(address(folder), ticket, DEVELOPER_APP) as client:
            await commands[options.command](client, options)

    try:
        loop.run(main)
    except (FileNotFoundError, ConnectionError):
        sys.stderr.write(NO_BACKEND)
        return 1
    except msgspec.DecodeError as error:
        sys.stderr.write(f"deskbus: this is not JSON: {error}\n")
        return 2
    except DeskbusError as error:
        sys.stderr.write(f"deskbus: {error.message} ({error.kind.code})\n{error.action}\n")
        return 1
    except ValueError:
        sys.stderr.write("deskbus: this is no time; use Unix milliseconds or ISO 8601\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


async def _call(client: Client, options: Namespace) -> None:
    _print(await client.call(options.method, _json(options.params)))


async def _publish(client: Client, options: Namespace) -> None:
    _print(await client.publish(options.topic, _json(options.payload)))


async def _subscribe(client: Client, options: Namespace) -> None:
    async with client.subscribe(options.pattern) as messages:
        count = 0
        async for message in messages:
            _print(message)
            count += 1
            if count == options.count:
                return


async def _replay(client: Client, options: Namespace) -> None:
    since_ms = _unix_ms(options.since)
    async with client.listen(options.topic) as messages, anyio.create_task_group() as tasks:

        async def show() -> None:
            async for message in messages:
                _print(message)

        tasks.start_soon(show)
        await client.replay(options.topic, since_ms=since_ms, follow=options.follow)
        if options.follow:
            await client.closed.wait()
        # The answer comes after the last message, so all of them are in the stream by now.
        while messages.statistics().current_buffer_used:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


def _unix_ms(text: str) -> int:
    """Raises `ValueError`."""
    if text.isdigit():
        return int(text)
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _json(text: str) -> Raw:
    """The argument as it was given, once it has proved to be JSON."""
    msgspec.json.decode(text)
    return Raw(text.encode())


def _print(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
