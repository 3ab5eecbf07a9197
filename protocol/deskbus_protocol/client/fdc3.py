"""FDC3 for programs in Python: the 18 methods of DesktopAgent 2.2, over a client of the bus.

async with desktop_agent(client) as fdc3:
    await fdc3.join_user_channel("fdc3.channel.1")
    await fdc3.add_context_listener("fdc3.instrument", show)
    resolution = await fdc3.raise_intent("ViewChart", {"type": "fdc3.instrument", "id": {}})
"""

import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from math import inf
from typing import Any, Literal, Protocol

import anyio
import anyio.lowlevel
import msgspec
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream
from msgspec import UNSET, Raw, UnsetType

from deskbus_protocol.client.inbox import Message
from deskbus_protocol.errors import CONNECTION_LOST, DeskbusError
from deskbus_protocol.fdc3 import (
    EXCHANGE_TIMEOUT_MS,
    LAUNCH_TIMEOUT_MS,
    AppIdentifier,
    ChannelType,
    ConnectResult,
)

Context = Mapping[str, Any]
"""FDC3 2.2, Context: an object with a `type`."""


class ContextMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """Where a context is from, as the agent knows it. `timestamp` is ISO 8601."""

    source: AppIdentifier | UnsetType = UNSET
    timestamp: str | UnsetType = UNSET
    trace_id: str | UnsetType = UNSET
    signature: Any = UNSET
    anti_replay: Any = UNSET
    custom: Any = UNSET


class AppMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """FDC3 2.2, AppMetadata."""

    app_id: str
    instance_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    tooltip: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    icons: list[dict[str, Any]] | UnsetType = UNSET
    screenshots: list[dict[str, Any]] | UnsetType = UNSET


class IntentMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """FDC3 2.2, IntentMetadata."""

    name: str
    display_name: str | UnsetType = UNSET


class AppIntent(msgspec.Struct, frozen=True, rename="camel"):
    """FDC3 2.2, AppIntent."""

    intent: IntentMetadata
    apps: list[AppMetadata]


class ImplementationMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """FDC3 2.2, ImplementationMetadata."""

    fdc3_version: str = msgspec.field(name="fdc3Version")
    provider: str
    provider_version: str
    optional_features: dict[str, bool]
    app_metadata: AppMetadata


class ApiEvent(msgspec.Struct, frozen=True):
    """FDC3 2.2, ApiEvent: of the agent, or of a private channel."""

    type: Literal[
        "userChannelChanged",
        "contextCleared",
        "addContextListener",
        "unsubscribe",
        "disconnect",
    ]
    details: dict[str, Any]


ContextHandler = Callable[[dict[str, Any], ContextMetadata], Awaitable[None] | None]
EventHandler = Callable[[ApiEvent], Awaitable[None] | None]
IntentHandler = Callable[[dict[str, Any], ContextMetadata], Any]
"""Its value, or what that gives when it is awaited, is the result: a context, a channel, or None.
"""


class Fdc3Error(Exception):
    """An error of the standard's enumerations, such as `NoAppsFound`: its only argument."""

    @property
    def text(self) -> str:
        return str(self.args[0])


class AgentClient(Protocol):
    """A client of the bus, as far as it is needed here."""

    async def call(
        self, method: str, params: object = None, *, result: type[Any] = Raw, timeout_s: float = inf
    ) -> Any: ...

    def listen(
        self, pattern: str
    ) -> AbstractAsyncContextManager[MemoryObjectReceiveStream[Message]]: ...


class _AgentMessage(msgspec.Struct, frozen=True):
    """A message of the agent's."""

    type: str
    meta: dict[str, Any]
    payload: dict[str, Any]


_EVENTS: dict[str, Literal["addContextListener", "unsubscribe", "disconnect"]] = {
    "privateChannelOnAddContextListenerEvent": "addContextListener",
    "privateChannelOnUnsubscribeEvent": "unsubscribe",
    "privateChannelOnDisconnectEvent": "disconnect",
}

_AGENT_EVENTS = {"userChannelChanged": "USER_CHANNEL_CHANGED", "contextCleared": "CONTEXT_CLEARED"}


class _Link:
    """Requests and their answers; events go to who registered for them."""

    def __init__(self, client: AgentClient, tasks: TaskGroup) -> None:
        self._client = client
        self._tasks = tasks
        self._answers: dict[tuple[str, str], _PendingResponse] = {}
        self.takers: dict[str, Callable[[_AgentMessage], None]] = {}
        self.current: str | None = None

    async def read(self, messages: MemoryObjectReceiveStream[Message]) -> None:
        async for message in messages:
            await self._take(msgspec.json.decode(message.payload, type=_AgentMessage))
        for answer in self._answers.values():
            answer.settle({"error": "ApiTimeout"})

    def expect(self, request: str, kind: str) -> "_PendingResponse":
        answer = self._answers[request, kind] = _PendingResponse()
        return answer

    def forget(self, request: str, kind: str) -> None:
        self._answers.pop((request, kind), None)

    async def send(self, kind: str, payload: Mapping[str, Any], request: str) -> None:
        """Returns when nobody has to be asked any more."""
        meta = {"requestUuid": request, "timestamp": datetime.now(UTC).isoformat()}
        message = {"type": kind, "meta": meta, "payload": payload}
        try:
            await self._client.call("fdc3.send", {"message": message})
        except DeskbusError as error:
            if error.kind is CONNECTION_LOST:
                raise
            raise Fdc3Error("ApiTimeout") from error

    async def ask(
        self,
        method: str,
        payload: Mapping[str, Any] | None = None,
        *,
        within_ms: int = EXCHANGE_TIMEOUT_MS,
        request: str | None = None,
    ) -> dict[str, Any]:
        """The payload of the response; raises `Fdc3Error`, ApiTimeout among others."""
        request = request or new_uuid()
        kind = f"{method}Response"
        answer = self.expect(request, kind)
        try:
            await self.send(f"{method}Request", payload or {}, request)
            with anyio.move_on_after(within_ms / 1000):
                return await answer.value()
            raise Fdc3Error("ApiTimeout")
        finally:
            self.forget(request, kind)

    def begin(self, call: Callable[[], Any], failed: Callable[[], Any] | None = None) -> None:
        """Runs a handler of the app's; one that fails is told to `failed`, or ends the agent."""

        async def run() -> None:
            try:
                value = call()
                if inspect.isawaitable(value):
                    await value
            except Exception:  # raised again where nobody is to be told
                if failed is None:
                    raise
                await failed()

        self._tasks.start_soon(run)

    async def _take(self, said: _AgentMessage) -> None:
        request = said.meta.get("requestUuid")
        if request is not None:
            answer = self._answers.get((request, said.type))
            if answer is not None:
                answer.settle(said.payload)
                # The waiting task may have a listener to register before the next message.
                await anyio.lowlevel.checkpoint()
            return
        if said.type == "heartbeatEvent":
            self.begin(lambda: self._beat(said.meta.get("eventUuid", "")))
            return
        if said.type == "channelChangedEvent":
            self.current = said.payload.get("newChannelId")
        for take in list(self.takers.values()):
            take(said)

    async def _beat(self, event: str) -> None:
        """A sign of life, for which it may be too late."""
        payload = {"heartbeatEventUuid": event}
        with suppress(Fdc3Error, DeskbusError):
            await self.send("heartbeatAcknowledgementRequest", payload, new_uuid())


class _PendingResponse:
    def __init__(self) -> None:
        self._arrived = anyio.Event()
        self._payload: dict[str, Any] = {}

    def settle(self, payload: dict[str, Any]) -> None:
        self._payload = payload
        self._arrived.set()

    async def value(self) -> dict[str, Any]:
        """Raises `Fdc3Error`."""
        await self._arrived.wait()
        if "error" in self._payload:
            raise Fdc3Error(self._payload["error"])
        return self._payload


class Listener:
    """FDC3 2.2, Listener."""

    def __init__(self, link: _Link, listener: str, method: str) -> None:
        self._link = link
        self._listener = listener
        self._method = method

    async def unsubscribe(self) -> None:
        self._link.takers.pop(self._listener, None)
        await self._link.ask(self._method, {"listenerUUID": self._listener})


class Channel:
    """FDC3 2.2, Channel: a user channel, an app channel, or the one that `PrivateChannel` is."""

    def __init__(
        self,
        link: _Link,
        channel_id: str,
        kind: ChannelType,
        display_metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self._link = link
        self.id = channel_id
        self.type = kind
        self.display_metadata = dict(display_metadata or {})

    async def broadcast(self, context: Context, metadata: Mapping[str, Any] | None = None) -> None:
        """`metadata` is of FDC3 3.0: `signature`, `antiReplay` and `custom` are passed on.

        Raises `Fdc3Error`: AccessDenied, MalformedContext, NoChannelFound.
        """
        payload: dict[str, Any] = {"channelId": self.id, "context": context}
        if metadata is not None:
            payload["metadata"] = metadata
        await self._link.ask("broadcast", payload)

    async def get_current_context(self, context_type: str | None = None) -> dict[str, Any] | None:
        """The last context of a type, or of any; None where there is none."""
        payload = {"channelId": self.id, "contextType": context_type}
        found: dict[str, Any] | None = (await self._link.ask("getCurrentContext", payload))[
            "context"
        ]
        return found

    async def get_current_context_with_metadata(
        self, context_type: str | None = None
    ) -> tuple[dict[str, Any], ContextMetadata] | None:
        """FDC3 3.0: the last context with where it is from; None where there is none."""
        payload = {"channelId": self.id, "contextType": context_type}
        found = await self._link.ask("getCurrentContext", payload)
        if found["context"] is None:
            return None
        return found["context"], msgspec.convert(found["metadata"], ContextMetadata)

    async def clear_context(self, context_type: str | None = None) -> None:
        """FDC3 3.0: forgets the last context of a type, or of all. Raises `Fdc3Error`."""
        payload = {"channelId": self.id, "contextType": context_type}
        await self._link.ask("clearContext", payload)

    async def add_context_listener(
        self, context_type: str | None, handler: ContextHandler
    ) -> Listener:
        """Calls the handler with contexts of a type, or of any, from now on."""
        return await _listen_to_context(self._link, self.id, context_type, handler)

    def describe(self) -> dict[str, Any]:
        return {"id": self.id, "type": self.type, "displayMetadata": self.display_metadata}


class PrivateChannel(Channel):
    """FDC3 2.2, PrivateChannel."""

    async def add_event_listener(
        self,
        event: Literal["addContextListener", "unsubscribe", "disconnect"] | None,
        handler: EventHandler,
    ) -> Listener:
        """Calls the handler when a listener comes or goes, or an app disconnects; None is all."""
        payload = {"privateChannelId": self.id, "listenerType": event}
        answer = await self._link.ask("privateChannelAddEventListener", payload)

        def take(said: _AgentMessage) -> None:
            name = _EVENTS.get(said.type)
            if name is None or said.payload.get("privateChannelId") != self.id:
                return
            if event in (None, name):
                details = {"contextType": said.payload.get("contextType")}
                told = ApiEvent(name, {} if name == "disconnect" else details)
                self._link.begin(lambda: handler(told))

        listener: str = answer["listenerUUID"]
        self._link.takers[listener] = take
        return Listener(self._link, listener, "privateChannelUnsubscribeEventListener")

    async def disconnect(self) -> None:
        await self._link.ask("privateChannelDisconnect", {"channelId": self.id})


class IntentResolution:
    """FDC3 2.2, IntentResolution."""

    def __init__(
        self, link: _Link, answer: _PendingResponse, source: AppIdentifier, intent: str
    ) -> None:
        self._link = link
        self._answer = answer
        self.source = source
        self.intent = intent

    async def get_result(self) -> "dict[str, Any] | Channel | None":
        """Waits for what the handler returns: a context, a channel, or None.

        Raises `Fdc3Error`: IntentHandlerRejected, NoResultReturned.
        """
        result = (await self._answer.value()).get("intentResult") or {}
        if "channel" in result:
            return _channel(self._link, result["channel"])
        context: dict[str, Any] | None = result.get("context")
        return context


class DesktopAgent:
    """FDC3 2.2, DesktopAgent, by the names that Python has for methods."""

    def __init__(self, link: _Link, identity: AppIdentifier) -> None:
        self._link = link
        self.identity = identity

    # Apps

    async def open(self, app: str | AppIdentifier, context: Context | None = None) -> AppIdentifier:
        """Raises `Fdc3Error`: AppNotFound, AppTimeout, ErrorOnLaunch, MalformedContext."""
        payload: dict[str, Any] = {"app": _app(app)}
        if context is not None:
            payload["context"] = context
        answer = await self._link.ask("open", payload, within_ms=LAUNCH_TIMEOUT_MS)
        return msgspec.convert(answer["appIdentifier"], AppIdentifier)

    async def find_instances(self, app: str | AppIdentifier) -> list[AppIdentifier]:
        answer = await self._link.ask("findInstances", {"app": _app(app)})
        return msgspec.convert(answer["appIdentifiers"], list[AppIdentifier])

    async def get_app_metadata(self, app: str | AppIdentifier) -> AppMetadata:
        """Raises `Fdc3Error`: TargetAppUnavailable, TargetInstanceUnavailable."""
        answer = await self._link.ask("getAppMetadata", {"app": _app(app)})
        return msgspec.convert(answer["appMetadata"], AppMetadata)

    async def get_info(self) -> ImplementationMetadata:
        answer = await self._link.ask("getInfo")
        return msgspec.convert(answer["implementationMetadata"], ImplementationMetadata)

    # Intents

    async def find_intent(
        self, intent: str, context: Context | None = None, result_type: str | None = None
    ) -> AppIntent:
        """Raises `Fdc3Error` (NoAppsFound)."""
        payload: dict[str, Any] = {"intent": intent, "resultType": result_type}
        if context is not None:
            payload["context"] = context
        answer = await self._link.ask("findIntent", payload)
        return msgspec.convert(answer["appIntent"], AppIntent)

    async def find_intents_by_context(
        self, context: Context, result_type: str | None = None
    ) -> list[AppIntent]:
        """Raises `Fdc3Error` (NoAppsFound)."""
        payload = {"context": context, "resultType": result_type}
        answer = await self._link.ask("findIntentsByContext", payload)
        return msgspec.convert(answer["appIntents"], list[AppIntent])

    async def raise_intent(
        self, intent: str, context: Context, app: str | AppIdentifier | None = None
    ) -> IntentResolution:
        """Raises `Fdc3Error`, an error of the standard's ResolveError."""
        payload: dict[str, Any] = {"intent": intent, "context": context}
        return await self._raise("raiseIntent", payload, app)

    async def raise_intent_for_context(
        self, context: Context, app: str | AppIdentifier | None = None
    ) -> IntentResolution:
        """Raises `Fdc3Error`, an error of the standard's ResolveError."""
        return await self._raise("raiseIntentForContext", {"context": context}, app)

    async def add_intent_listener(self, intent: str, handler: IntentHandler) -> Listener:
        """Calls the handler for each such intent; what it raises is told as rejected.

        Raises `Fdc3Error` (AccessDenied, IntentListenerConflict).
        """
        return await self._listen_to_intent(intent, None, handler)

    async def add_intent_listener_with_context(
        self, intent: str, context_types: str | Sequence[str], handler: IntentHandler
    ) -> Listener:
        """FDC3 3.0: as `add_intent_listener`, for contexts of these types alone."""
        types = [context_types] if isinstance(context_types, str) else list(context_types)
        return await self._listen_to_intent(intent, types, handler)

    async def close(self) -> None:
        """FDC3 3.0: closes the app's own window; raises `Fdc3Error` (ErrorOnClose)."""
        await self._link.ask("close")

    async def _listen_to_intent(
        self, intent: str, types: list[str] | None, handler: IntentHandler
    ) -> Listener:
        wanted = {"intent": intent} if types is None else {"intent": intent, "contextTypes": types}
        answer = await self._link.ask("addIntentListener", wanted)

        def take(said: _AgentMessage) -> None:
            if said.type != "intentEvent" or said.payload.get("intent") != intent:
                return
            if types is None or said.payload["context"]["type"] in types:
                self._handle(said, handler)

        listener: str = answer["listenerUUID"]
        self._link.takers[listener] = take
        return Listener(self._link, listener, "intentListenerUnsubscribe")

    # Channels

    async def broadcast(self, context: Context) -> None:
        """To the user channel that was joined; without one, nothing happens."""
        channel = await self.get_current_channel()
        if channel is not None:
            await channel.broadcast(context)

    async def add_context_listener(
        self, context_type: str | None, handler: ContextHandler
    ) -> Listener:
        """Calls the handler with contexts of the user channel that is joined, the last one first,
        and with what the app was opened with.
        """
        return await _listen_to_context(self._link, None, context_type, handler)

    async def add_event_listener(
        self, event: Literal["userChannelChanged", "contextCleared"] | None, handler: EventHandler
    ) -> Listener:
        """Calls the handler for this event of the agent's; None is all. FDC3 3.0 has the second."""
        kind = None if event is None else _AGENT_EVENTS[event]
        answer = await self._link.ask("addEventListener", {"type": kind})

        def take(said: _AgentMessage) -> None:
            if said.type == "channelChangedEvent":
                details = {"currentChannelId": said.payload.get("newChannelId")}
                told = ApiEvent("userChannelChanged", details)
            elif said.type == "contextClearedEvent":
                told = ApiEvent("contextCleared", said.payload)
            else:
                return
            if event in (None, told.type):
                self._link.begin(lambda: handler(told))

        listener: str = answer["listenerUUID"]
        self._link.takers[listener] = take
        return Listener(self._link, listener, "eventListenerUnsubscribe")

    async def get_user_channels(self) -> list[Channel]:
        answer = await self._link.ask("getUserChannels")
        return [_channel(self._link, each) for each in answer["userChannels"]]

    async def join_user_channel(self, channel_id: str) -> None:
        """Raises `Fdc3Error` (NoChannelFound, AccessDenied)."""
        await self._link.ask("joinUserChannel", {"channelId": channel_id})
        self._link.current = channel_id
        for take in list(self._link.takers.values()):
            if isinstance(take, _UserChannelListener):
                await take.show_last()

    async def leave_current_channel(self) -> None:
        await self._link.ask("leaveCurrentChannel")
        self._link.current = None

    async def get_current_channel(self) -> Channel | None:
        found = (await self._link.ask("getCurrentChannel"))["channel"]
        return None if found is None else _channel(self._link, found)

    async def get_or_create_channel(self, channel_id: str) -> Channel:
        """Raises `Fdc3Error` (CreationFailed, AccessDenied)."""
        answer = await self._link.ask("getOrCreateChannel", {"channelId": channel_id})
        return _channel(self._link, answer["channel"])

    async def create_private_channel(self) -> PrivateChannel:
        """Raises `Fdc3Error` (CreationFailed)."""
        answer = await self._link.ask("createPrivateChannel")
        return PrivateChannel(self._link, answer["privateChannel"]["id"], "private")

    async def _raise(
        self, method: str, payload: dict[str, Any], app: str | AppIdentifier | None
    ) -> IntentResolution:
        if app is not None:
            payload["app"] = _app(app)
        request = new_uuid()
        result = self._link.expect(request, "raiseIntentResultResponse")
        try:
            answer = await self._link.ask(
                method, payload, within_ms=LAUNCH_TIMEOUT_MS, request=request
            )
        except BaseException:
            self._link.forget(request, "raiseIntentResultResponse")
            raise
        found = answer["intentResolution"]
        source = msgspec.convert(found["source"], AppIdentifier)
        return IntentResolution(self._link, result, source, found["intent"])

    def _handle(self, said: _AgentMessage, handler: IntentHandler) -> None:
        key = {"raiseIntentRequestUuid": said.payload["raiseIntentRequestUuid"]}

        async def run() -> None:
            value = handler(said.payload["context"], _metadata(said))
            if inspect.isawaitable(value):
                value = await value
            if isinstance(value, Channel):
                result = {"channel": value.describe()}
            else:
                result = {} if value is None else {"context": value}
            await self._link.ask("intentResult", {**key, "intentResult": result})

        async def failed() -> None:
            with suppress(Fdc3Error):
                await self._link.ask("intentResult", {**key, "error": "IntentHandlerRejected"})

        self._link.begin(run, failed)


class _UserChannelListener:
    """A listener for whatever user channel is joined, and for what the app was opened with."""

    def __init__(self, link: _Link, context_type: str | None, handler: ContextHandler) -> None:
        self._link = link
        self._type = context_type
        self._handler = handler

    def __call__(self, said: _AgentMessage) -> None:
        if said.type != "broadcastEvent":
            return
        context, channel = said.payload["context"], said.payload.get("channelId")
        if channel in (None, self._link.current) and self._type in (None, context["type"]):
            self._link.begin(lambda: self._handler(context, _metadata(said)))

    async def show_last(self) -> None:
        if self._link.current is None:
            return
        payload = {"channelId": self._link.current, "contextType": self._type}
        answer = await self._link.ask("getCurrentContext", payload)
        context = answer["context"]
        if context is not None:
            metadata = msgspec.convert(answer.get("metadata", {}), ContextMetadata)
            self._link.begin(lambda: self._handler(context, metadata))


@asynccontextmanager
async def desktop_agent(client: AgentClient) -> AsyncIterator[DesktopAgent]:
    """FDC3 for the length of a `with` block; its listeners end with it.

    A handler that raises ends the block with its error, but for a handler of an intent, whose error
    goes to who raised that. Raises `DeskbusError` (unavailable) where FDC3 is off.
    """
    begun: ConnectResult = await client.call("fdc3.connect", {}, result=ConnectResult)
    async with anyio.create_task_group() as tasks, client.listen(begun.inbox) as messages:
        link = _Link(client, tasks)
        tasks.start_soon(link.read, messages)
        try:
            yield DesktopAgent(link, AppIdentifier(begun.app_id, begun.instance_id))
        finally:
            with anyio.CancelScope(shield=True), suppress(DeskbusError):
                await client.call("fdc3.disconnect", {}, timeout_s=1)
            tasks.cancel_scope.cancel()


def new_uuid() -> str:
    return str(uuid.uuid4())


async def _listen_to_context(
    link: _Link, channel: str | None, context_type: str | None, handler: ContextHandler
) -> Listener:
    answer = await link.ask(
        "addContextListener", {"channelId": channel, "contextType": context_type}
    )
    listener: str = answer["listenerUUID"]
    if channel is None:
        of_user_channel = _UserChannelListener(link, context_type, handler)
        link.takers[listener] = of_user_channel
        await of_user_channel.show_last()
        return Listener(link, listener, "contextListenerUnsubscribe")

    def take(said: _AgentMessage) -> None:
        if said.type != "broadcastEvent" or said.payload.get("channelId") != channel:
            return
        context = said.payload["context"]
        if context_type in (None, context["type"]):
            link.begin(lambda: handler(context, _metadata(said)))

    link.takers[listener] = take
    return Listener(link, listener, "contextListenerUnsubscribe")


def _metadata(said: _AgentMessage) -> ContextMetadata:
    return msgspec.convert(said.payload.get("metadata", {}), ContextMetadata)


def _channel(link: _Link, found: Mapping[str, Any]) -> Channel:
    made = PrivateChannel if found["type"] == "private" else Channel
    return made(link, found["id"], found["type"], found.get("displayMetadata"))


def _app(app: str | AppIdentifier) -> AppIdentifier:
    return AppIdentifier(app) if isinstance(app, str) else app


__all__ = [
    "ApiEvent",
    "AppIdentifier",
    "AppIntent",
    "AppMetadata",
    "Channel",
    "ContextMetadata",
    "DesktopAgent",
    "Fdc3Error",
    "ImplementationMetadata",
    "IntentResolution",
    "Listener",
    "PrivateChannel",
    "desktop_agent",
]
