"""`deskbus call`, `pub`, `sub` and `replay`: a developer's client of a headless backend."""

from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import anyio
from msgspec import Raw

from deskbus.commands.arguments.times import unix_ms
from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.backend.method_descriptions import check_params, help_of
from deskbus.commands.terminal import output
from deskbus.commands.terminal.failures import MisuseError
from deskbus.commands.terminal.output import ReaderGoneError
from deskbus_protocol.client import Client, Message
from deskbus_protocol.errors import CONNECTION_LOST, DeskbusError
from deskbus_protocol.wire.jsontext import written_anew

READ_AHEAD = 64
"""Messages that wait for standard output; more stay with the backend."""

LIFE_EVERY_S = 5.0
READER_LOOKED_FOR_EVERY_S = 1.0

QUOTES = """Write it as JSON in single quotes: '{"bid": 1.0842}', or '"text"' for a text."""


def run(options: Namespace) -> int:
    if options.command == "call" and (options.about is not None or not options.method):
        return _tell_about(options)
    try:
        action = _action(options)
    except ValueError as error:
        raise MisuseError(str(error)) from None
    return run_with_client(options, action)


def _action(options: Namespace) -> Callable[[Client], Awaitable[None]]:
    """The action once connected; raises `ValueError` for an argument that makes no sense."""
    if options.command == "call":
        params = _json(options.params)
        check_params(options.method, params)
        return partial(_call, method=options.method, params=params, timeout_s=options.timeout)
    if options.command == "pub":
        payload = _json(options.payload)
        return partial(_publish, topic=options.topic, payload=payload, timeout_s=options.timeout)
    if options.command == "sub":
        return partial(_subscribe, pattern=options.pattern, count=options.count)
    return partial(
        _replay, pattern=options.topic, since_ms=unix_ms(options.since), follow=options.follow
    )


def _tell_about(options: Namespace) -> int:
    """Prints help on a method or the command; raises `MisuseError` for an unknown method."""
    if options.about is None:
        raise MisuseError("name a method to call", "deskbus call --help lists them.")
    method = options.about or options.method or ""
    output.write(help_of(method) if method else f"{options.usage()}\nmethods:\n{help_of('')}")
    return 0


async def _call(client: Client, *, method: str, params: Raw, timeout_s: float) -> None:
    output.emit(await client.call(method, params, timeout_s=timeout_s))


async def _publish(client: Client, *, topic: str, payload: Raw, timeout_s: float) -> None:
    params = {"topic": topic, "payload": payload}
    output.emit(await client.call("bus.publish", params, timeout_s=timeout_s))


async def _subscribe(client: Client, *, pattern: str, count: int | None) -> None:
    async with (
        client.subscribe(pattern, buffer=READ_AHEAD) as messages,
        _alive_meanwhile(client),
    ):
        printed = 0
        async for message in messages:
            await _print(message)
            printed += 1
            if printed == count:
                return
        # Only the end of the connection ends the stream.
        raise DeskbusError(CONNECTION_LOST)


async def _replay(client: Client, *, pattern: str, since_ms: int, follow: bool) -> None:
    asked: list[int | DeskbusError] = []
    waiting = anyio.CancelScope()

    async def ask() -> None:
        try:
            asked.append(await client.replay(pattern, since_ms=since_ms, follow=follow))
        except DeskbusError as error:
            asked.append(error)
        if not follow or isinstance(asked[0], DeskbusError):
            waiting.cancel()

    async with (
        client.listen(pattern, buffer=READ_AHEAD) as messages,
        _alive_meanwhile(client, ask),
    ):
        with waiting:
            async for message in messages:
                with anyio.CancelScope(shield=True):
                    await _print(message)
            raise DeskbusError(CONNECTION_LOST)
        if isinstance(asked[0], DeskbusError):
            raise asked[0]
        # The answer comes behind the last message, so all of them are in the stream by then.
        with suppress(anyio.WouldBlock):
            while True:
                await _print(messages.receive_nowait())


@asynccontextmanager
async def _alive_meanwhile(
    client: Client, *tasks: Callable[[], Coroutine[Any, Any, None]]
) -> AsyncIterator[None]:
    """Tells the backend of this client, which reads nothing while its own reader is slow.

    Runs `tasks` beside the block. An error of the block comes as it is. Raises `ReaderGoneError`
    once nobody reads standard output, though nothing is written.
    """

    async def show_life() -> None:
        with suppress(DeskbusError):
            while True:
                await anyio.sleep(LIFE_EVERY_S)
                await client.notify("session.ping", {})

    async def look_for_reader() -> None:
        while True:
            await anyio.sleep(READER_LOOKED_FOR_EVERY_S)
            if not output.has_reader():
                raise ReaderGoneError

    failed: Exception | None = None
    async with anyio.create_task_group() as group:
        for task in (show_life, look_for_reader, *tasks):
            group.start_soon(task)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below, not in a group
            failed = error
        group.cancel_scope.cancel()
    if failed is not None:
        raise failed


def _json(text: str) -> Raw:
    """The argument as JSON on one line; raises `MisuseError` for what is not JSON."""
    try:
        return written_anew(text)
    except DeskbusError as error:
        raise MisuseError(error.message, QUOTES) from None


async def _print(message: Message) -> None:
    sender = message.sender
    payload = output.json_line(message.payload).rstrip("\n")
    words = [output.time_of(message.timestamp), message.topic, f"{sender.app}/{sender.client}"]
    await output.emit_next(message, [*words, payload])
