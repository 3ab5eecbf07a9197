"""`deskbus call`, `pub` and `sub`: a developer's client of a headless backend."""

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Raw

from deskbus.commands import loop
from deskbus.config import runtime_dir_for
from deskbus.security.developer import DEVELOPER_APP, FILE_NAME
from deskbus.transport.unix import SOCKET_NAME
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
    }

    async def main() -> None:
        ticket = (folder / FILE_NAME).read_text()
        pipe = str(folder / SOCKET_NAME)
        async with connect_with_ticket(pipe, ticket, DEVELOPER_APP) as client:
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


def _json(text: str) -> Raw:
    """The argument as it was given, once it has proved to be JSON."""
    msgspec.json.decode(text)
    return Raw(text.encode())


def _print(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
