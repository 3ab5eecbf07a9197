"""AgentCore: the state of FDC3 on this machine, and what every request of DACP works with."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from deskbus.contracts.listeners import Listeners
from deskbus.fdc3.directory.app_directory import AppDirectory
from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.ports import Access, Chooser, ContextBus, Launcher
from deskbus.fdc3.state.channels import ChannelState, ChannelTable, KeptContext
from deskbus.fdc3.state.deliveries import Deliveries, OwedResult
from deskbus.fdc3.state.instances import Instance, InstanceTable
from deskbus.fdc3.trace import Trace
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import (
    HEARTBEAT_MS,
    MAX_TRACE_ID,
    METADATA_HEADER,
    Fdc3TraceEntry,
    Version,
    channel_of,
    channel_topic,
    context_scope,
    context_type_of,
)
from deskbus_protocol.permissions import Grant

SILENT_S = 60.0
"""An instance that has not answered heartbeats for so long is not raised intents to."""

CLEARED = Raw(b"null")
"""The payload of a message on a channel's topic that clears its context."""

PASSED_ON = ("traceId", "signature", "antiReplay", "custom")
"""Members of an app's metadata that FDC3 3.0 has passed through untouched."""

FDC3_VERSIONS: dict[Version, str] = {"2.2": "2.2", "3.0": "3.0"}

encode = msgspec.json.Encoder().encode


class Moved(NamedTuple):
    """A client is on this user channel now, or on none."""

    identity: ClientId
    channel: str | None


class AgentPorts(NamedTuple):
    """The parts that the agent works with. `clock_ms` gives Unix ms, `now_s` counts steadily."""

    bus: ContextBus
    access: Access
    launcher: Launcher
    chooser: Chooser
    clock_ms: Callable[[], int]
    now_s: Callable[[], float]
    new_id: Callable[[], str]
    new_trace: Callable[[], str]
    delivered: Callable[[Fdc3TraceEntry], None]


class _Line(msgspec.Struct, frozen=True, rename="camel"):
    """A message on a channel's topic, as far as the agent reads it."""

    topic: str
    sender: ClientId
    payload: Raw
    timestamp: int
    correlation_id: str
    headers: dict[str, str] = {}
    origin: str | UnsetType = UNSET


class _OwnTrace(msgspec.Struct, frozen=True, rename="camel"):
    trace_id: Annotated[str, Meta(max_length=MAX_TRACE_ID)] = ""


class _Frame(msgspec.Struct, frozen=True):
    params: _Line


_read_frame = msgspec.json.Decoder(_Frame).decode


def _kept(message: _Line) -> KeptContext:
    more = Raw(message.headers.get(METADATA_HEADER, "null").encode())
    try:
        msgspec.json.decode(more, type=dict[str, Raw] | None)
    except msgspec.MsgspecError:
        more = CLEARED
    trace_id = message.correlation_id
    return KeptContext(message.payload, message.sender, message.timestamp, trace_id, more)


def app_trace_id(more: Raw) -> str:
    """The trace id in an app's own metadata (FDC3 3.0); empty where there is none."""
    try:
        given = msgspec.json.decode(more, type=_OwnTrace | None)
    except msgspec.MsgspecError:
        return ""
    return "" if given is None else given.trace_id


class AgentCore:
    """Synchronous but for launches and people; so no request overtakes another of its instance."""

    def __init__(
        self,
        directory: AppDirectory,
        around: AgentPorts,
        *,
        provider_version: str,
        channels: ChannelTable | None = None,
        version: Version = "2.2",
    ) -> None:
        self.directory = directory
        self.around = around
        self.version: Version = version
        self.channels = channels or ChannelTable()
        self.instances = InstanceTable(around.new_id)
        self.deliveries = Deliveries()
        self.trace = Trace()
        self.began = Listeners[ClientId]()
        """Tells of each client whose page, or program, has begun with FDC3."""

        self.moved = Listeners[Moved]()

        self._provider_version = provider_version
        self._readers: dict[tuple[str, str], tuple[Instance, ...]] = {}
        self._beat_due_s = around.now_s()

    # Instances.

    def connect(self, identity: ClientId) -> Instance:
        """A page or program of the client begins: listeners of an earlier one are gone.

        Raises `DeskbusError` (session_required).
        """
        instance = self.expect(identity)
        if instance.connected:
            self.page_ended(instance)
        self.around.bus.open_inbox(identity, instance.inbox)
        instance.connected = True
        instance.heard_s = self.around.now_s()
        self.began(identity)
        return instance

    def expect(self, identity: ClientId) -> Instance:
        """The client's instance, which may connect only later."""
        app_id = self.directory.app_id_of(identity.app)
        return self.instances.find_or_make(identity, app_id, self.around.now_s())

    def page_ended(self, instance: Instance) -> None:
        """Its page is gone: it hears nothing, and owes what it was raised to do."""
        instance.connected = False
        for channel in {wanted.channel for wanted in instance.contexts.values()}:
            if channel is not None:
                self.left_private(instance, channel)
        instance.forget_listeners()
        self.listeners_changed()
        for _, owed in self.deliveries.instance_ended(instance.id):
            self.answer_raiser(owed, {"error": "NoResultReturned"})

    def client_ended(self, identity: ClientId) -> None:
        """The client won't come back: its instance is gone."""
        instance = self.instances.of(identity)
        if instance is None:
            return
        self.page_ended(instance)
        self.instances.remove(instance)
        self.around.bus.forget(instance.inbox)
        for channel in self.channels:
            if channel.type == "private" and instance.id in channel.members:
                channel.members.discard(instance.id)
                if not channel.members:
                    self._forget_channel(channel)

    def directory_changed(self, directory: AppDirectory) -> None:
        self.directory = directory

    def tick(self) -> None:
        """Gives up what waited too long, and asks everybody for a sign of life when it is time."""
        now_s = self.around.now_s()
        self.deliveries.tick(now_s)
        if now_s >= self._beat_due_s:
            self._beat_due_s = now_s + HEARTBEAT_MS / 1000
            for instance in self.instances:
                if instance.connected:
                    self.tell(instance, "heartbeatEvent", {})

    def answers(self, instance: Instance) -> bool:
        """Whether it has given a sign of life lately."""
        return not instance.connected or self.around.now_s() - instance.heard_s < SILENT_S

    # Messages.

    def tell(self, instance: Instance, kind: str, payload: Any) -> str:
        """Sends an event; returns its id."""
        event_uuid = self.around.new_id()
        self.post(instance, self.event(event_uuid, kind, payload))
        return event_uuid

    def event(self, event_uuid: str, kind: str, payload: Any) -> bytes:
        meta = {"eventUuid": event_uuid, "timestamp": self.timestamp()}
        return encode({"type": kind, "meta": meta, "payload": payload})

    def respond(self, instance: Instance, kind: str, request_uuid: str, payload: Any) -> None:
        meta = {
            "responseUuid": self.around.new_id(),
            "requestUuid": request_uuid,
            "timestamp": self.timestamp(),
        }
        self.post(instance, encode({"type": kind, "meta": meta, "payload": payload}))

    def post(self, instance: Instance, message: bytes) -> None:
        self.around.bus.post(instance.inbox, message)

    def timestamp(self, at_ms: int | None = None) -> str:
        """ISO 8601, in UTC."""
        at_ms = self.around.clock_ms() if at_ms is None else at_ms
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")

    def answer_raiser(self, owed: OwedResult, payload: dict[str, Any]) -> None:
        raiser = self.instances.get(owed.raiser)
        if raiser is not None:
            self.respond(raiser, "raiseIntentResultResponse", owed.request_uuid, payload)

    def implementation(self, instance: Instance) -> dict[str, Any]:
        """FDC3 2.2, ImplementationMetadata."""
        return {
            "fdc3Version": FDC3_VERSIONS[self.version],
            "provider": "deskbus",
            "providerVersion": self._provider_version,
            "optionalFeatures": {
                "OriginatingAppMetadata": True,
                "UserChannelMembershipAPIs": True,
                "DesktopAgentBridging": False,
            },
            "appMetadata": self.metadata(instance.app_id, instance.id),
        }

    def metadata(self, app_id: str, instance_id: str | None) -> dict[str, Any]:
        """FDC3 2.2, AppMetadata; bare for an app that the directory does not have."""
        record = self.directory.record(app_id)
        if record is not None:
            return record.metadata(instance_id)
        bare = {"appId": app_id}
        return bare if instance_id is None else {**bare, "instanceId": instance_id}

    # Channels.

    def channel(self, instance: Instance, channel_id: str) -> ChannelState:
        """Raises `DacpError`: NoChannelFound; AccessDenied for a private one not given to it."""
        found = self.channels.get(channel_id)
        if found is None:
            raise DacpError("NoChannelFound")
        if found.type == "private" and instance.id not in found.members:
            raise DacpError("AccessDenied")
        return found

    def may_read(self, instance: Instance, channel: ChannelState, context_type: str) -> bool:
        if channel.type == "private":
            return instance.id in channel.members
        wanted = Grant("fdc3.context.read", context_scope(channel.id, context_type))
        return self.around.access.may(instance.identity, wanted)

    def listeners_changed(self) -> None:
        """Listeners, memberships or permissions are not the same as before."""
        self._readers.clear()

    def move(self, instance: Instance, channel: str | None) -> None:
        """Onto a user channel, or off it."""
        instance.channel = channel
        self.listeners_changed()
        payload = {"newChannelId": channel, "currentChannelId": channel, "identity": instance.name}
        self.tell(instance, "channelChangedEvent", payload)
        self.moved(Moved(instance.identity, channel))

    def left_private(self, instance: Instance, channel_id: str) -> None:
        """Tells who listens to a private channel's events that the instance listens no more."""
        channel = self.channels.get(channel_id)
        if channel is None or channel.type != "private":
            return
        for listener, wanted in list(instance.contexts.items()):
            if wanted.channel == channel_id:
                del instance.contexts[listener]
                self.tell_private(channel, "privateChannelOnUnsubscribeEvent", wanted.type)
        self.listeners_changed()
        self.tell_private(channel, "privateChannelOnDisconnectEvent", None)

    def tell_private(
        self,
        channel: ChannelState,
        kind: Literal[
            "privateChannelOnAddContextListenerEvent",
            "privateChannelOnUnsubscribeEvent",
            "privateChannelOnDisconnectEvent",
        ],
        context_type: str | None,
    ) -> None:
        payload: dict[str, Any] = {"privateChannelId": channel.id}
        if kind != "privateChannelOnDisconnectEvent":
            payload["contextType"] = context_type
        for instance in self.instances:
            if instance.hears_events_of(channel.id):
                self.tell(instance, kind, payload)

    def take(self, line: bytes) -> None:
        """A context was published on a channel's topic: by a request of ours, by any app with the
        permission, or on another machine. A payload that is no context is passed over.
        """
        message = _read_frame(line).params
        channel = self._channel_of(message)
        if channel is None:
            return
        context_type = context_type_of(message.payload)
        if context_type is not None:
            kept = _kept(message)
            channel.keep(context_type, kept)
            self._hand_out(channel, context_type, kept, message.origin)
        elif message.payload == CLEARED:
            for cleared in self._clear(channel, message.topic):
                self._tell_cleared(channel, cleared)

    def take_back(self, line: bytes) -> None:
        """A context of an earlier run: it is the channel's last one until another comes."""
        message = _read_frame(line).params
        channel = self._channel_of(message)
        if channel is None or channel.type == "private":
            return
        context_type = context_type_of(message.payload)
        if context_type is not None:
            channel.keep(context_type, _kept(message))
        elif message.payload == CLEARED:
            self._clear(channel, message.topic)

    def own_metadata(self, given: Raw) -> Raw:
        """The part of an app's metadata that is passed through untouched, as JSON (FDC3 3.0)."""
        if self.version != "3.0" or given == CLEARED:
            return CLEARED
        try:
            members = msgspec.json.decode(given, type=dict[str, Raw])
        except msgspec.MsgspecError:
            raise DacpError("InvalidArguments") from None
        return Raw(encode({name: members[name] for name in PASSED_ON if name in members}))

    def _channel_of(self, message: _Line) -> ChannelState | None:
        """The channel of a message; an app channel that nobody has made yet is made."""
        place = channel_of(message.topic)
        if place is None:
            return None
        kind, channel_id = place
        channel = self.channels.get(channel_id)
        if channel is None and kind == "app":
            channel = self.channels.make(channel_id, "app", message.sender.app)
        if channel is None or channel.type != kind:
            return None
        channel.topics.add(message.topic)
        return channel

    def _clear(self, channel: ChannelState, topic: str) -> list[str]:
        """Forgets what the channel has of a topic; returns the types."""
        cleared = [
            context_type
            for context_type, _ in channel.newest()
            if channel_topic(channel.type, channel.id, context_type) == topic
        ]
        for context_type in cleared:
            channel.clear(context_type)
        return cleared

    def _tell_cleared(self, channel: ChannelState, context_type: str) -> None:
        payload = {"channelId": channel.id, "contextType": context_type}
        for instance in self.instances:
            listens = instance.hears_events_of(None) or instance.hears_events_of(channel.id)
            if listens and self.may_read(instance, channel, context_type):
                self.tell(instance, "contextClearedEvent", payload)

    def _hand_out(
        self, channel: ChannelState, context_type: str, kept: KeptContext, origin: str | UnsetType
    ) -> None:
        readers = self._readers.get((channel.id, context_type))
        if readers is None:
            readers = self._readers[channel.id, context_type] = tuple(
                instance
                for instance in self.instances
                if instance.hears_context(channel.id, context_type)
                and self.may_read(instance, channel, context_type)
            )
        got = [reader for reader in readers if reader.identity != kept.source or origin]
        event = self.event(
            self.around.new_id(),
            "broadcastEvent",
            {
                "channelId": channel.id,
                "context": kept.context,
                **self.provenance(kept, origin),
            },
        )
        for reader in got:
            self.post(reader, event)
        self.delivered(
            Fdc3TraceEntry(
                timestamp=kept.timestamp,
                trace_id=kept.trace_id,
                kind="broadcast",
                source=kept.source,
                to=[reader.identity for reader in got],
                context_type=context_type,
                channel=channel.id,
                private=channel.type == "private",
                app_trace_id=app_trace_id(kept.more),
            )
        )

    def delivered(self, entry: Fdc3TraceEntry) -> None:
        """Keeps what was handed out to whom, here and in the audit log."""
        self.trace.add(entry)
        self.around.delivered(entry)

    def provenance(self, kept: KeptContext, origin: str | UnsetType = UNSET) -> dict[str, Any]:
        """Where a context is from, as the agent knows it, whatever the app says."""
        known = self.instances.of(kept.source) if isinstance(origin, UnsetType) else None
        if known is not None:
            source = known.name
        else:
            source = {"appId": self.directory.app_id_of(kept.source.app)}
            if not isinstance(origin, UnsetType):
                source["desktopAgent"] = origin
        return {"originatingApp": source, "metadata": self.context_metadata(source, kept)}

    def context_metadata(self, source: dict[str, str], kept: KeptContext) -> dict[str, Any]:
        """FDC3 3.0, ContextMetadata; an app of 2.2 passes over it."""
        own = {} if kept.more == CLEARED else msgspec.json.decode(kept.more, type=dict[str, Raw])
        return {
            "traceId": kept.trace_id,
            **own,
            "source": source,
            "timestamp": self.timestamp(kept.timestamp),
        }

    def _forget_channel(self, channel: ChannelState) -> None:
        self.channels.remove(channel)
        for topic in channel.topics:
            self.around.bus.forget(topic)
