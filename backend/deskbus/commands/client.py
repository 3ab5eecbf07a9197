"""`deskbus call`, `pub`, `sub` and `replay`: a developer's client of a headless backend."""

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from msgspec import Raw

from deskbus.commands.connected import run_connected
from deskbus.commands.times import unix_ms
from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.jsontext import written_anew


def run(options: Namespace) -> int:
    try:
        action = _action(options)
    except ValueError as error:
        sys.stderr.write(f"deskbus: {error}\n")
        return 2
    return run_connected(options.data_dir, action)


def _action(options: Namespace) -> Callable[[Client], Awaitable[None]]:
    """What to do once connected; raises `ValueError` for an argument that makes no sense."""
    if options.command == "call":
        return partial(_call, method=options.method, params=_json(options.params))
    if options.command == "pub":
        return partial(_publish, topic=options.topic, payload=_json(options.payload))
    if options.command == "sub":
        return partial(_subscribe, pattern=options.pattern, count=options.count)
    return partial(
        _replay, pattern=options.topic, since_ms=unix_ms(options.since), follow=options.follow
    )


async def _call(client: Client, *, method: str, params: Raw) -> None:
    _print(await client.call(method, params))


async def _publish(client: Client, *, topic: str, payload: Raw) -> None:
    _print(await client.publish(topic, payload))


async def _subscribe(client: Client, *, pattern: str, count: int | None) -> None:
    async with client.subscribe(pattern) as messages:
        printed = 0
        async for message in messages:
            _print(message)
            printed += 1
            if printed == count:
                return


async def _replay(client: Client, *, pattern: str, since_ms: int, follow: bool) -> None:
    async with client.listen(pattern) as messages:
        # The answer comes behind the last message, so all of them are in the stream by then.
        count = await client.replay(pattern, since_ms=since_ms, follow=follow)
        if not count and not follow:
            return
        printed = 0
        async for message in messages:
            _print(message)
            printed += 1
            if printed == count and not follow:
                return


def _json(text: str) -> Raw:
    """The argument, written anew on one line; raises `ValueError` for what is not JSON."""
    try:
        return written_anew(text)
    except DeskbusError as error:
        raise ValueError(error.message) from None


def _print(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
