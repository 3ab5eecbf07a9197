"""A client that outlives its connections."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Any, Literal

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from msgspec import Raw

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.bus import GapParams, Mode, PublishResult, RefusedParams, RequestResult
from deskbus_protocol.client.connection import Client
from deskbus_protocol.client.inbox import Inbox, Message
from deskbus_protocol.errors import CONNECTION_LOST, OVERLOADED, DeskbusError
from deskbus_protocol.session import OpenResult
from deskbus_protocol.topics import is_wildcard

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 5.0
MAX_LAST_SEQS = 10_000
MAX_QUEUED_CALLS = 1000
DIRECTED_SEQ = 2**40
"""Directed messages count from here; they are not kept, so nothing can be resumed behind them."""

ClientState = Literal["connecting", "open", "resuming", "closed"]
Tickets = Callable[[], Awaitable[str]]
"""Gets a fresh ticket, for when there is no session to resume."""


class SteadyClient:
    """Connects, and connects again with backoff; takes its session up where it was cut.

    Subscriptions and their streams stay. After a backend restart the client subscribes anew, and
    persisted topics go on by replay. `on_state` is told the state; `on_gap` what is gone for good.
    Calls made while there is no connection are refused, or wait, as `while_closed` says.
    """

    def __init__(
        self,
        pipe: str,
        app: str,
        tickets: Tickets,
        *,
        while_closed: Literal["refuse", "wait"] = "refuse",
        on_state: Callable[[ClientState], None] | None = None,
    ) -> None:
        self._pipe = pipe
        self._app = app
        self._tickets = tickets
        self._while_closed = while_closed
        self._on_state = on_state
        self._inbox = Inbox(self._is_new)
        self._modes: dict[str, Mode] = {}
        self._seen: dict[str, tuple[str, int]] = {}
        self._seen_at = 0
        self._token: str | None = None
        self._client: Client | None = None
        self._opened = anyio.Event()
        self._queued = 0
        self._closing = False
        self.state: ClientState = "connecting"
        self.on_gap: Callable[[GapParams], None] | None = None
        self.on_refused: Callable[[RefusedParams], None] | None = None

    async def run(self) -> None:
        """Keeps the client connected until `close`."""
        delay_s = FIRST_DELAY_S
        while not self._closing:
            self._set_state("resuming" if self._token else "connecting")
            try:
                await self._live()
                delay_s = FIRST_DELAY_S
            except* (OSError, DeskbusError, anyio.BrokenResourceError, anyio.EndOfStream):
                pass
            if not self._closing:
                await anyio.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        self._inbox.close()
        self._set_state("closed")

    async def close(self) -> None:
        self._closing = True
        if self._client is not None:
            await self._client.aclose()

    async def call(self, method: str, params: object = None, *, result: type[Any] = Raw) -> Any:
        """Raises `DeskbusError`; connection_lost where the connection is not there, or is cut."""
        client = await self._connected()
        return await client.call(method, params, result=result)

    async def publish(self, topic: str, payload: object, **options: object) -> PublishResult:
        client = await self._connected()
        return await client.publish(topic, payload, **options)

    async def request(self, topic: str, payload: object, **options: object) -> RequestResult:
        client = await self._connected()
        return await client.request(topic, payload, **options)

    async def acknowledge(self, message: Message) -> None:
        """A cut connection is no error: the message comes again, and can be acknowledged then."""
        if self._client is not None:
            try:
                await self._client.acknowledge(message)
            except DeskbusError:
                return

    @asynccontextmanager
    async def subscribe(
        self, pattern: str, *, mode: Mode = "live", buffer: float = inf
    ) -> AsyncIterator[MemoryObjectReceiveStream[Message]]:
        """Subscribes for the length of a `with` block, through any number of connections."""
        with self._inbox.open(pattern, buffer) as messages:
            self._modes[pattern] = mode
            client = await self._connected()
            await client.call("bus.subscribe", {"pattern": pattern, "mode": mode})
            try:
                yield messages
            finally:
                if self._inbox.readers(pattern) == 1:
                    del self._modes[pattern]
                    if self._client is not None:
                        await self._client.leave(pattern)

    async def _live(self) -> None:
        """One connection, from its opening to its end."""
        async with await anyio.connect_unix(self._pipe) as stream, anyio.create_task_group() as t:
            client = Client(stream, inbox=self._inbox)
            client.on_gap, client.on_refused = self.on_gap, self.on_refused
            t.start_soon(client.run)
            try:
                await self._open(client)
                self._client = client
                self._set_state("open")
                self._opened.set()
                await client.closed.wait()
            finally:
                self._client = None
                self._opened = anyio.Event()
                await client.aclose()
                t.cancel_scope.cancel()

    async def _open(self, client: Client) -> None:
        opened = await self._resume(client)
        if opened is None:
            params = {
                "ticket": await self._tickets(),
                "app": self._app,
                "protocolVersion": PROTOCOL_VERSION,
                "resume": True,
                "lastSeqs": self._last_seqs(),
            }
            opened = await client.call("session.open", params, result=OpenResult)
        self._token = opened.resume_token
        if not opened.resumed:
            for pattern, mode in list(self._modes.items()):
                await self._subscribe_anew(client, pattern, mode)

    async def _resume(self, client: Client) -> OpenResult | None:
        """None where there is nothing to resume any more."""
        token, self._token = self._token, None
        if token is None:
            return None
        params = {
            "resumeToken": token,
            "protocolVersion": PROTOCOL_VERSION,
            "lastSeqs": self._last_seqs(),
        }
        try:
            opened: OpenResult = await client.call("session.resume", params, result=OpenResult)
        except DeskbusError as error:
            if error.kind is CONNECTION_LOST:
                raise
            return None
        return opened

    async def _subscribe_anew(self, client: Client, pattern: str, mode: Mode) -> None:
        """Goes on behind the last message seen, as far as the log has what came after it."""
        await client.call("bus.subscribe", {"pattern": pattern, "mode": mode})
        if not self._seen_at:
            return
        exact = None if is_wildcard(pattern) else self._seen.get(pattern)
        behind = {"since": self._seen_at} if exact is None else {"fromSeq": exact[1] + 1}
        try:
            await client.call("bus.replay", {"pattern": pattern, "follow": True, **behind})
        except DeskbusError as error:
            if error.kind is CONNECTION_LOST:
                raise

    async def _connected(self) -> Client:
        """Raises `DeskbusError`: connection_lost, or overloaded where too many calls wait."""
        if self._client is None and self._while_closed == "wait" and not self._closing:
            if self._queued >= MAX_QUEUED_CALLS:
                raise DeskbusError(OVERLOADED, "Too many calls wait for the connection.")
            self._queued += 1
            try:
                await self._opened.wait()
            finally:
                self._queued -= 1
        if self._client is None:
            raise DeskbusError(CONNECTION_LOST)
        return self._client

    def _is_new(self, message: Message) -> bool:
        """Whether a message was not seen before; a replay may begin with some that were."""
        if message.seq < DIRECTED_SEQ:
            epoch, seq = self._seen.get(message.topic, ("", 0))
            if epoch == message.epoch and message.seq <= seq:
                return bool(message.redelivery)
            self._seen.pop(message.topic, None)
            self._seen[message.topic] = (message.epoch, message.seq)
            if len(self._seen) > MAX_LAST_SEQS:
                del self._seen[next(iter(self._seen))]
        self._seen_at = max(self._seen_at, message.timestamp)
        return True

    def _last_seqs(self) -> dict[str, int]:
        return {topic: seq for topic, (_, seq) in self._seen.items()}

    def _set_state(self, state: ClientState) -> None:
        if state != self.state:
            self.state = state
            if self._on_state:
                self._on_state(state)
