"""For a program that the backend starts as an app: its link, signs of life, state and end.

    async with run_as_app(read=["orders.#"]) as app:
        counted = app.state or 0
        await app.ready()
        async for message in app.messages("orders.#"):
            counted += 1
            await app.save(counted)

A block that is cancelled because the app is to end, ends the program in order.
"""

import os
import selectors
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream
from msgspec import UNSET, Raw, UnsetType

from deskbus_protocol.appenv import LIFE_FD_VARIABLE
from deskbus_protocol.apps import (
    MAX_TROUBLE_CHARACTERS,
    BeginResult,
    HeartbeatParams,
    SaveStateResult,
)
from deskbus_protocol.bus import Mode, RequestResult
from deskbus_protocol.client.connection import (
    Client,
    connect,
    open_session,
)
from deskbus_protocol.client.handed_credentials import handed_credentials
from deskbus_protocol.client.inbox import Message
from deskbus_protocol.client.responder import Responder, Stop, answer_requests
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.reconnection import LAST_WORDS_MS
from deskbus_protocol.wire.jsontext import sayable


class App:
    """This run of the app. `bus` is its link; `state` what it saved last, or None.

    `version` is the saved state's, 0 where there is none. `restarts` counts how often the app came
    back by itself since a person launched it.
    """

    def __init__(self, bus: Client, begun: BeginResult, tasks: TaskGroup) -> None:
        saved = begun.saved
        self.bus = bus
        self.publish = bus.publish
        self.subscribe = bus.subscribe
        self.send = bus.send
        """The same as of `bus`, which has everything else."""
        self._tasks = tasks
        self.state: Any = None if isinstance(saved, UnsetType) else msgspec.json.decode(saved.state)
        self.version = 0 if isinstance(saved, UnsetType) else saved.version
        self.restarts = begun.restarts
        self.stopping = anyio.Event()
        """Set when the app is asked to end, and when the backend has gone."""
        self._heartbeat_s = begun.heartbeat / 1000
        self._trouble: str | None = None
        self._streams: dict[str, MemoryObjectReceiveStream[Message]] = {}

    async def request(self, topic: str, payload: object, **options: object) -> RequestResult:
        """Asks the subscribers of `topic`; returns the first answer. Raises `DeskbusError`."""
        return await self.bus.request(topic, payload, **options)

    async def respond(self, pattern: str, handler: Responder) -> Stop:
        """Answers requests with what `handler(payload, message)` returns, as long as the app runs.

        Returns, once the subscription stands, a function that ends it. The handler may take the
        payload alone. A `ValueError` or `LookupError` of the handler is told to the asking app, by
        its words; any other ends this app.
        """
        stop: Stop = await self._tasks.start(answer_requests, self.bus, pattern, handler)
        return stop

    async def ready(self) -> None:
        """Reports that the app is ready for work."""
        await self.bus.call("apps.ready")

    async def save(self, state: object, *, version: int = 1) -> bool:
        """Keeps `state`, anything that JSON has, for the next start.

        False where it lasts only as long as the backend. Raises `DeskbusError`: too_large beyond
        1 MiB, unavailable while the vault is locked.
        """
        params = {"state": Raw(msgspec.json.encode(state)), "version": version}
        kept: SaveStateResult = await self.bus.call(
            "apps.saveState", params, result=SaveStateResult
        )
        return kept.kept

    async def trouble(self, words: str | None) -> None:
        """Says what the app can't do at the moment, for a person; None when it can again.

        Of more than 200 characters the first are told.
        """
        # Else each sign of life that follows would be refused, and the app ended as one that hangs.
        self._trouble = None if words is None else sayable(str(words), MAX_TROUBLE_CHARACTERS)
        await self.beat()

    async def beat(self) -> None:
        """A sign of life. It is given by itself, from the loop that the app's own work runs on."""
        trouble = UNSET if self._trouble is None else self._trouble
        await self.bus.notify("apps.heartbeat", HeartbeatParams(trouble=trouble))

    def messages(self, pattern: str) -> MemoryObjectReceiveStream[Message]:
        """The messages of a pattern that `run_as_app` was told to read."""
        return self._streams[pattern]

    async def run(self) -> None:
        while True:
            await anyio.sleep(self._heartbeat_s)
            await self.beat()


@asynccontextmanager
async def run_as_app(
    *,
    read: Iterable[str] = (),
    mode: Mode = "live",
    on_stop: Callable[[App], Awaitable[None]] | None = None,
) -> AsyncIterator[App]:
    """Connects this process as the app that the backend started it for.

    Patterns in `read` are subscribed to before anything arrives: what waited for an earlier run of
    the app comes first. When the app is asked to end, `on_stop` is awaited and the block is
    cancelled; that is no error. Raises `DeskbusError` (session_required) elsewhere.
    """
    watch_backend()
    ticket, pipe, app_id = handed_credentials()
    stopping = anyio.Event()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connect(pipe))
        streams = {
            pattern: await stack.enter_async_context(client.listen(pattern)) for pattern in read
        }
        client.observe("apps.stop", lambda _: stopping.set())
        await open_session(client, ticket, app_id, resume=True)
        begun: BeginResult = await client.call("apps.begin", result=BeginResult)
        failed: Exception | None = None
        async with anyio.create_task_group() as tasks:
            app = App(client, begun, tasks)
            app.stopping, app._streams = stopping, streams  # noqa: SLF001 - made here
            for pattern in streams:
                await client.call("bus.subscribe", {"pattern": pattern, "mode": mode})
            await tasks.start(_stop_on_signal, stopping)
            tasks.start_soon(_stop_on_loss, client, stopping)
            tasks.start_soon(_beat, app)
            with anyio.CancelScope() as block:
                tasks.start_soon(_end_block, app, block, on_stop)
                try:
                    yield app
                except Exception as error:  # noqa: BLE001 - raised again below, not in a group
                    failed = error
            tasks.cancel_scope.cancel()
        if failed is not None and not (stopping.is_set() and isinstance(failed, DeskbusError)):
            raise failed


def watch_backend() -> None:
    """Ends this process soon after the backend has ended, whatever it is at; once is enough."""
    given = os.environ.pop(LIFE_FD_VARIABLE, None)
    if given is not None:
        descriptor = int(given)
        os.set_inheritable(descriptor, False)
        threading.Thread(
            target=_end_with, args=(descriptor,), name="deskbus life", daemon=True
        ).start()


def _end_with(descriptor: int) -> None:
    """Children of the app may share what is behind the descriptor, so it is waited for."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        selector.select()
    time.sleep(LAST_WORDS_MS / 1000)
    os._exit(1)


async def _stop_on_signal(
    stopping: anyio.Event, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    if os.name == "nt":
        task_status.started()
        return
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            stopping.set()


async def _stop_on_loss(client: Client, stopping: anyio.Event) -> None:
    await client.closed.wait()
    stopping.set()


async def _beat(app: App) -> None:
    with suppress(DeskbusError):
        await app.run()


async def _end_block(
    app: App, block: anyio.CancelScope, on_stop: Callable[[App], Awaitable[None]] | None
) -> None:
    await app.stopping.wait()
    if on_stop is not None:
        with suppress(DeskbusError):
            await on_stop(app)
    block.cancel()
