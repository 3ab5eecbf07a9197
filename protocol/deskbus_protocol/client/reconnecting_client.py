"""A client that outlives its connections."""

import random
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from math import inf
from typing import Any, Literal, overload

import anyio
import msgspec
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream
from msgspec import Raw

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.bus import (
    ContinueResult,
    GapParams,
    Mode,
    PublishResult,
    RefusedParams,
    RequestResult,
    SendResult,
    Source,
    SubscribeResult,
)
from deskbus_protocol.client.connection import Client, patience_s
from deskbus_protocol.client.inbox import Inbox, Message
from deskbus_protocol.client.keepalive import keep_alive
from deskbus_protocol.client.pipe import open_pipe
from deskbus_protocol.client.progress import DeliveryProgress
from deskbus_protocol.client.responder import RespondingClient
from deskbus_protocol.errors import (
    CONNECTION_LOST,
    OVERLOADED,
    PERMISSION_REVOKED,
    TIMEOUT,
    UNAVAILABLE,
    DeskbusError,
)
from deskbus_protocol.permissions import PermissionsChangedParams
from deskbus_protocol.reconnection import (
    FIRST_RETRY_MS,
    LAST_RETRY_MS,
    LEAVE_LIMIT_MS,
    MAX_QUEUED_CALLS,
    MAX_QUEUED_SIZE,
)
from deskbus_protocol.session import OpenResult
from deskbus_protocol.wire.encoding import Encoding
from deskbus_protocol.wire.jsontext import encoded

FIRST_DELAY_S = FIRST_RETRY_MS / 1000
LONGEST_DELAY_S = LAST_RETRY_MS / 1000
OPEN_LIMIT_S = 10.0
"""A backend that has not let the client in by then is asked anew, on another connection."""

ClientState = Literal["connecting", "open", "resuming", "closed"]
WhileClosed = Literal["refuse", "queue"]
"""The fate of a call that is made while there is no connection."""
Tickets = Callable[[], Awaitable[str]]
"""Gets a fresh ticket, for when there is no session to resume."""


class SteadyClient(RespondingClient):
    """Connects, reconnects with backoff, and resumes its session.

    Subscriptions and their streams survive. Where the session can't be resumed, as after a restart
    of the backend, persisted topics continue by replay, in order and without duplicates. `on_state`
    is called with the state, `on_gap` with what is lost for good. Calls and publishes made while
    there is no connection are refused, or wait, as `while_closed` says, of the client or of the
    call: in the order in which they were made, as they were then, a thousand and 16 MiB of payloads
    at most.

    A message of an acknowledged subscription that nobody acknowledged comes again: also after a
    restart of the backend, on a persisted topic. `encodings` are as `Client` has them.
    """

    def __init__(
        self,
        pipe: str,
        app: str,
        tickets: Tickets,
        *,
        while_closed: WhileClosed = "refuse",
        on_state: Callable[[ClientState], None] | None = None,
        encodings: Sequence[Encoding] = (),
    ) -> None:
        self._encodings = tuple(encodings)
        self._pipe = pipe
        self._app = app
        self._tickets = tickets
        self._while_closed = while_closed
        self._on_state = on_state
        self._progress = DeliveryProgress()
        self._inbox = Inbox(self._progress.arrived)
        self._modes: dict[str, Mode] = {}
        self._token: str | None = None
        self._client: Client | None = None
        self._changed = anyio.Event()
        self._delay_s = FIRST_DELAY_S
        self._was_open = False
        self._queued = 0
        self._tasks: TaskGroup | None = None
        self._queued_bytes = 0
        self._unsettled: set[str] = set()
        """Patterns that the backend may hold for this client with nobody here who reads them."""
        self._leaving = anyio.Event()
        self._keep = False
        self._trouble: DeskbusError | None = None
        self.state: ClientState = "connecting"
        self.on_gap: Callable[[GapParams], None] | None = None
        self.on_refused: Callable[[RefusedParams], None] | None = None

    async def run(self) -> None:
        """Keeps the client connected until `close`."""
        async with anyio.create_task_group() as self._tasks:
            await self._stay_connected()
            self._tasks.cancel_scope.cancel()

    async def _stay_connected(self) -> None:
        while not self._leaving.is_set():
            self._set_state("resuming" if self._was_open else "connecting")
            try:
                await self._live()
            except* DeskbusError as failed:
                self._trouble = _first(failed)
            except* (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
                self._trouble = DeskbusError(
                    UNAVAILABLE,
                    f"Nobody answers on the pipe {self._pipe}.",
                    action="Start the backend, or give the path that its ready line names.",
                )
            with anyio.move_on_after(self._delay_s * random.uniform(0.5, 1.0)):  # noqa: S311
                await self._leaving.wait()
            self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)
        self._inbox.close()
        self._set_state("closed")
        self._changed.set()

    async def close(self, *, keep: bool = False) -> None:
        """Leaves for good: the backend keeps nothing for this client.

        With `keep`, what is published meanwhile waits for the next run of this client, as it does
        when `run` is cancelled or the process dies.
        """
        self._keep = keep
        self._leaving.set()
        # A connection that is being opened ends as soon as it stands.
        if self._client is not None:
            await self._end(self._client)

    async def _end(self, client: Client) -> None:
        if not self._keep:
            with anyio.move_on_after(LEAVE_LIMIT_MS / 1000), suppress(DeskbusError):
                await client.end_session()
        await client.aclose()

    async def call(
        self,
        method: str,
        params: object = None,
        *,
        result: type[Any] = Raw,
        timeout_s: float = inf,
        while_closed: WhileClosed | None = None,
    ) -> Any:
        """Raises `DeskbusError`: the backend's, timeout, overloaded where too many calls wait, or
        connection_lost where the connection is not there, or is cut.

        `timeout_s` counts from here. A cancelled call is cancelled at the backend too.
        """
        until = anyio.current_time() + timeout_s
        given = encoded({} if params is None else params)
        client = await self._connected(while_closed, timeout_s, len(given))
        left_s = until - anyio.current_time()
        return await client.call(method, given, result=result, timeout_s=left_s)

    @overload
    async def publish(
        self,
        topic: str,
        payload: object,
        *,
        confirm: Literal[False] = False,
        while_closed: WhileClosed | None = None,
        **options: object,
    ) -> None: ...
    @overload
    async def publish(
        self,
        topic: str,
        payload: object,
        *,
        confirm: Literal[True],
        while_closed: WhileClosed | None = None,
        **options: object,
    ) -> PublishResult: ...
    async def publish(
        self,
        topic: str,
        payload: object,
        *,
        confirm: bool = False,
        while_closed: WhileClosed | None = None,
        **options: object,
    ) -> PublishResult | None:
        """Publishes; a refusal comes through `on_refused`. Returns when it is on its way, which
        with `while_closed="queue"` may take until there is a connection.

        With `confirm` it returns once the message is routed, and raises the refusal; with `durable`
        too, once it is on disk. Options are `PublishParams` fields. Raises `DeskbusError`:
        connection_lost, overloaded, invalid_params, too_large.
        """
        given = encoded(payload)
        client = await self._connected(while_closed, size=len(given))
        if confirm:
            return await client.publish(topic, given, confirm=True, **options)
        await client.publish(topic, given, confirm=False, **options)
        return None

    async def post(
        self,
        topic: str,
        payload: object,
        *,
        while_closed: WhileClosed | None = None,
        **options: object,
    ) -> None:
        """Deprecated: `publish` without `confirm`."""
        warnings.warn("post is now publish", DeprecationWarning, stacklevel=2)
        await self.publish(topic, payload, confirm=False, while_closed=while_closed, **options)

    async def send(
        self,
        app: str,
        topic: str,
        payload: object,
        *,
        client: str | None = None,
        headers: Mapping[str, str] | None = None,
        correlation_id: str | None = None,
        while_closed: WhileClosed | None = None,
    ) -> SendResult:
        """Sends to the clients of one app that subscribed to the topic, or to one `client`."""
        given = encoded(payload)
        connected = await self._connected(while_closed, size=len(given))
        return await connected.send(
            app, topic, given, client=client, headers=headers, correlation_id=correlation_id
        )

    async def _responders(self) -> TaskGroup:
        await self._connected(None)
        if self._tasks is None:
            raise DeskbusError(CONNECTION_LOST)
        return self._tasks

    @contextmanager
    def handling(self, message: Message) -> Iterator[None]:
        """A block that handles a message, as a step of the trace that the message carries."""
        with nullcontext() if self._client is None else self._client.handling(message):
            yield

    async def answer(
        self, message: Message, payload: object = None, *, error: str | None = None
    ) -> None:
        """Answers a message that carries `reply_to`; not_found where nobody waits any more."""
        client = await self._connected(None)
        await client.answer(message, payload, error=error)

    async def request(
        self,
        topic: str,
        payload: object,
        *,
        while_closed: WhileClosed | None = None,
        **options: object,
    ) -> RequestResult:
        """Asks the subscribers of `topic`; its option `timeout` (ms) holds for the wait for a
        connection too.
        """
        until = anyio.current_time() + patience_s(options)
        given = encoded(payload)
        client = await self._connected(while_closed, patience_s(options), len(given))
        with anyio.move_on_after(until - anyio.current_time()):
            return await client.request(topic, given, **options)
        raise DeskbusError(TIMEOUT)

    async def acknowledge(self, message: Message) -> None:
        """A cut connection is no error: the message comes again, and can be acknowledged then."""
        if self._client is not None:
            try:
                await self._client.acknowledge(message)
            except DeskbusError:
                return
            self._progress.unacknowledged.acknowledged(message)

    @asynccontextmanager
    async def subscribe(
        self,
        pattern: str,
        *,
        mode: Mode = "live",
        sources: Sequence[Source] = (),
        buffer: float = inf,
    ) -> AsyncIterator[MemoryObjectReceiveStream[Message]]:
        """Subscribes for the length of a `with` block, through any number of connections.

        With `sources` only messages of these senders come: of an app, or of one of its clients.
        """
        with self._inbox.open(pattern, buffer, mode=mode, sources=sources) as messages:
            try:
                client = await self._settled(pattern)
                wish = self._inbox.wish(pattern)
                self._modes[pattern] = wish["mode"]
                self._progress.join(pattern, wish["mode"])
                begun = await client.call("bus.subscribe", wish, result=SubscribeResult)
                self._progress.settle(pattern, begun.mark)
                yield messages
            finally:
                if self._inbox.readers(pattern) == 1 and pattern in self._modes:
                    del self._modes[pattern]
                    self._progress.leave(pattern)
                    if self._client is None or not await self._client.leave(pattern):
                        self._unsettled.add(pattern)

    async def _live(self) -> None:
        """One connection, from its opening to its end."""
        async with await open_pipe(self._pipe) as stream, anyio.create_task_group() as t:
            client = Client(stream, inbox=self._inbox, encodings=self._encodings)
            t.start_soon(client.run)
            try:
                await self._open(client)
                if self._leaving.is_set():
                    await self._end(client)
                    return
                t.start_soon(keep_alive, client)
                await self._go_on(client)
                await client.closed.wait()
            finally:
                self._lose()
                await client.aclose()
                t.cancel_scope.cancel()

    def _lose(self) -> None:
        self._client = None
        self._progress.lose()

    async def _open(self, client: Client) -> None:
        """Opens a session on a new connection, or resumes the previous one."""
        client.on_gap, client.on_refused = self._tell_gap, self.on_refused
        client.on_continued = self._progress.begin
        client.observe("permissions.changed", self._revoked)
        opened = await self._resume(client)
        if opened is None:
            params = {
                "ticket": await self._tickets(),
                "app": self._app,
                "protocolVersion": PROTOCOL_VERSION,
                "resume": True,
                "lastSeqs": self._progress.last_seqs,
                **client.terms,
            }
            opened = await client.call(
                "session.open", params, result=OpenResult, timeout_s=OPEN_LIMIT_S
            )
        client.agree(opened)
        self._token = opened.resume_token
        self._progress.open(opened.epoch, resumed=opened.resumed)
        self._client, self._trouble = client, None
        self._delay_s, self._was_open = FIRST_DELAY_S, True
        self._set_state("open")
        self._announce()

    async def _go_on(self, client: Client) -> None:
        """Requests everything that is owed; calls and acknowledgements go on meanwhile."""
        unsettled, self._unsettled = self._unsettled, set()
        for pattern in unsettled:
            # There may be no such subscription, which is as well.
            if pattern not in self._modes and not await client.leave(pattern):
                self._unsettled.add(pattern)
        for pattern in self._progress.owed:
            await self._continue(client, pattern)
            self._announce()

    async def _resume(self, client: Client) -> OpenResult | None:
        """Resumes the session; None where it is gone."""
        token, self._token = self._token, None
        if token is None:
            return None
        params = {
            "resumeToken": token,
            "protocolVersion": PROTOCOL_VERSION,
            "lastSeqs": self._progress.last_seqs,
            **client.terms,
        }
        try:
            opened: OpenResult = await client.call(
                "session.resume", params, result=OpenResult, timeout_s=OPEN_LIMIT_S
            )
        except DeskbusError as error:
            if error.kind is CONNECTION_LOST:
                raise
            return None
        return opened

    async def _continue(self, client: Client, pattern: str) -> None:
        """Continues a subscription; one that is refused has ended, and its stream stays silent."""
        if pattern not in self._modes:
            return
        params = self._inbox.wish(pattern)
        behind = self._progress.behind(pattern)
        if unacknowledged := self._progress.unacknowledged.behind(pattern):
            params["unacknowledged"] = unacknowledged
        try:
            if behind is None:
                begun = await client.call("bus.subscribe", params, result=SubscribeResult)
            else:
                begun = await client.call("bus.continue", params | behind, result=ContinueResult)
            self._progress.settle(pattern, begun.mark)
        except DeskbusError as error:
            if error.kind is CONNECTION_LOST:
                raise
            self._progress.leave(pattern)
            self._tell_refused(error, pattern)

    def _revoked(self, params: Raw) -> None:
        """Ends subscriptions whose permission was revoked: the backend has closed them."""
        for pattern in msgspec.json.decode(params, type=PermissionsChangedParams).closed:
            if self._modes.pop(pattern, None) is not None:
                self._progress.leave(pattern)
                self._tell_refused(DeskbusError(PERMISSION_REVOKED), pattern)

    def _tell_gap(self, gap: GapParams) -> None:
        news = self._progress.clip(gap)
        if news is not None and self.on_gap:
            self.on_gap(news)

    def _tell_refused(self, error: DeskbusError, pattern: str) -> None:
        if self.on_refused:
            self.on_refused(
                RefusedParams(
                    method="bus.subscribe",
                    code=error.kind.code,
                    message=error.message,
                    action=error.action,
                    count=1,
                    topic=pattern,
                )
            )

    async def _connected(
        self, while_closed: WhileClosed | None, limit_s: float = inf, size: int = 0
    ) -> Client:
        """Raises `DeskbusError`: connection_lost, timeout, or overloaded where too much waits."""
        # Calls that waited are on their way to the connection, each in one step of the loop.
        while self._client is not None and self._queued:
            await anyio.lowlevel.checkpoint()
        if self._client is None and (while_closed or self._while_closed) == "queue":
            with anyio.move_on_after(limit_s) as limit:
                await self._wait_for_connection(size)
            if limit.cancelled_caught:
                raise DeskbusError(TIMEOUT)
        if self._client is None:
            raise self._no_connection()
        return self._client

    def _no_connection(self) -> DeskbusError:
        """Says too what the last attempt to connect came to."""
        if self._trouble is None:
            return DeskbusError(CONNECTION_LOST)
        words = f"There is no connection: {self._trouble.message}"
        return DeskbusError(CONNECTION_LOST, words, action=self._trouble.action)

    async def _settled(self, pattern: str) -> Client:
        """Returns the connection once nothing is owed on a pattern; raises as `_connected` does."""
        client = await self._connected(None)
        while self._progress.is_owed(pattern):
            await self._changed.wait()
            client = await self._connected(None)
        return client

    async def _wait_for_connection(self, size: int) -> None:
        full = self._queued_bytes + size > MAX_QUEUED_SIZE
        if self._queued >= MAX_QUEUED_CALLS or full:
            raise DeskbusError(OVERLOADED, "Too much waits for the connection.")
        self._queued += 1
        self._queued_bytes += size
        try:
            while self._client is None and self.state != "closed":
                await self._changed.wait()
        finally:
            self._queued -= 1
            self._queued_bytes -= size

    def _announce(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _set_state(self, state: ClientState) -> None:
        if state != self.state:
            self.state = state
            if self._on_state:
                self._on_state(state)


def _first(group: BaseExceptionGroup[DeskbusError]) -> DeskbusError:
    """The first error of a group, whatever groups are in it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
