"""`fdc3.*`: the desktop agent of FDC3, the FINOS standard by which financial apps talk.

An app speaks the Desktop Agent Communication Protocol (DACP) of FDC3 2.2 inside of `fdc3.send`;
what the agent says comes as bus messages on the app's inbox, in order. A channel is a set of
topics, one for each context type, whose payloads are the contexts as they were broadcast.
"""

from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.session import AppId, ClientName
from deskbus_protocol.topics import check_topic

ChannelType = Literal["user", "app", "private"]
Version = Literal["2.2", "3.0"]
_TYPES: dict[str, ChannelType] = {"user": "user", "app": "app", "private": "private"}

AGENT_APP = "deskbus.fdc3"
"""The sender of all that comes to an inbox. No app is given this id."""

CHANNEL_TOPICS = "fdc3.channel"
INBOX_TOPICS = "fdc3.inbox"
"""Topics of inboxes, one for each instance: nobody but it reads there, nobody but the agent writes.
"""

METADATA_HEADER = "fdc3-metadata"
"""The header of a message on a channel's topic with `signature`, `antiReplay` and `custom` (FDC3
3.0), as JSON.
"""

PERSON_PATIENCE_MS = 160_000
"""The longest wait for the answer to `fdc3.send`: a person may be asked first, more than once."""

EXCHANGE_TIMEOUT_MS = 10_000
"""How long an app waits for an answer of the agent's (FDC3 2.2, Desktop Agent API conformance)."""

LAUNCH_TIMEOUT_MS = 100_000
"""The same where an app may have to be launched first."""

LISTENER_TIMEOUT_MS = 20_000
"""How long a launched app has to add the listener that a context or an intent waits for: at least
15 s by the standard.
"""

HEARTBEAT_MS = 5_000
MAX_CHANNEL_ID = 100
MAX_TRACE_ID = 64
MAX_TYPE = 120
"""Characters of a context type, and of an intent's name."""


def channel_topic(kind: ChannelType, channel: str, context_type: str) -> str:
    """The topic of one type of context on one channel.

    Raises `DeskbusError` (invalid_topic) where the names are too long for one.
    """
    topic = f"{CHANNEL_TOPICS}.{kind}.{one_level(channel)}.{type_levels(context_type)}"
    check_topic(topic)
    return topic


def channel_of(topic: str) -> tuple[ChannelType, str] | None:
    """The channel that a topic belongs to; None for any other topic."""
    parts = topic.split(".", 4)
    if len(parts) < 5 or ".".join(parts[:2]) != CHANNEL_TOPICS:
        return None
    kind = _TYPES.get(parts[2])
    return None if kind is None else (kind, unquote(parts[3]))


def inbox_topic(instance: str) -> str:
    return f"{INBOX_TOPICS}.{instance}"


def context_scope(channel: str | None, context_type: str | None) -> str:
    """The scope of `fdc3.context.read` and `fdc3.context.write`: None stands for any."""
    level = "*" if channel is None else one_level(channel)
    return f"{level}.{'#' if context_type is None else type_levels(context_type)}"


def intent_scope(intent: str | None, context_type: str | None) -> str:
    """The scope of `fdc3.raise` and `fdc3.handle`: None stands for any."""
    level = "*" if intent is None else one_level(intent)
    return f"{level}.{'#' if context_type is None else type_levels(context_type)}"


def choice_scope(intent: str, app_id: str, context_type: str) -> str:
    """The scope of `fdc3.choose`: this app takes the intent with such a context."""
    return f"{one_level(intent)}.{one_level(app_id)}.{type_levels(context_type)}"


def one_level(name: str) -> str:
    """A name as one level of a topic: percent-encoded (RFC 3986), its dots too."""
    return quote(name, safe="").replace(".", "%2E")


def type_levels(context_type: str) -> str:
    """`fdc3.instrument` as it is; a type that is no topic is one level, percent-encoded."""
    levels = [quote(level, safe="") for level in context_type.split(".")]
    return ".".join(levels) if all(levels) else one_level(context_type)


class ContextHead(msgspec.Struct, frozen=True):
    """The member that every context has to have (FDC3 2.2, Context Data)."""

    type: Annotated[str, Meta(min_length=1, max_length=MAX_TYPE)]


def context_type_of(context: Raw) -> str | None:
    """The type of a context; None for what is none."""
    try:
        return msgspec.json.decode(context, type=ContextHead).type
    except msgspec.MsgspecError:
        return None


class AppIdentifier(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """FDC3 2.2, AppIdentifier. `desktop_agent` names the machine where that is another one."""

    app_id: Annotated[str, Meta(max_length=256)]
    instance_id: Annotated[str, Meta(max_length=128)] | UnsetType | None = UNSET
    desktop_agent: str | UnsetType = UNSET


class ConnectParams(Params, frozen=True, kw_only=True):
    """`version` is the version of FDC3 that the page speaks."""

    version: Version = "2.2"


class ConnectResult(Result, frozen=True, kw_only=True):
    """`inbox` is the topic on which the agent's messages come.

    `implementation` is FDC3's ImplementationMetadata.
    """

    app_id: str
    instance_id: str
    inbox: str
    implementation: Any


class Fdc3SendParams(Params, frozen=True, kw_only=True):
    """`message` is a request of DACP: an object with `type`, `meta` and `payload`."""

    message: Annotated[Raw, Meta(description="A request of the FDC3 2.2 DACP.")]


class ChooseChannelParams(Params, frozen=True, kw_only=True):
    """The window whose user channel a person is to choose."""

    app: AppId
    client: ClientName


class Fdc3Listener(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A listener of an instance. Without a channel it is to the user channel that was joined."""

    app: AppId
    instance_id: str
    channel: str | UnsetType = UNSET
    context_type: str | UnsetType = UNSET
    intent: str | UnsetType = UNSET


class Fdc3Channel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A channel, the types of the contexts that it has, newest first, and who is on it."""

    id: str
    type: ChannelType
    name: str
    context_types: list[str]
    members: list[str]
    listeners: list[Fdc3Listener]


class Fdc3Channels(Result, frozen=True, kw_only=True):
    channels: list[Fdc3Channel]


class ChannelParams(Params, frozen=True, kw_only=True):
    """Without a channel all of them."""

    channel: Annotated[str, Meta(min_length=1, max_length=MAX_CHANNEL_ID)] | UnsetType = UNSET


class LastContext(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The last context of a type on a channel. `timestamp` is Unix milliseconds."""

    channel: str
    type: str
    context: Annotated[Raw, Meta(description="The context, as it was broadcast.")]
    source: ClientId
    timestamp: int
    trace_id: str


class Fdc3Contexts(Result, frozen=True, kw_only=True):
    contexts: list[LastContext]


class Fdc3Intent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An intent: the apps that the directory has for it, and who listens now."""

    intent: str
    apps: list[str]
    listeners: list[Fdc3Listener]


class Fdc3Intents(Result, frozen=True, kw_only=True):
    intents: list[Fdc3Intent]


class Fdc3TraceParams(Params, frozen=True, kw_only=True):
    """One trace id, or the newest `limit` entries of all."""

    trace_id: Annotated[str, Meta(min_length=1, max_length=MAX_TRACE_ID)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Fdc3TraceEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One step of a context or an intent. `timestamp` is Unix milliseconds.

    `to` is who got it, by app and client. The audit log has what permitted that. `app_trace_id` is
    the trace id that the app gave, as FDC3 3.0 lets it, where `trace_id` is the agent's.
    """

    timestamp: int
    trace_id: str
    kind: Literal["broadcast", "intent", "result", "open", "refused"]
    source: ClientId
    to: list[ClientId]
    context_type: str = ""
    channel: str = ""
    intent: str = ""
    private: bool = False
    detail: str = ""
    app_trace_id: str = ""


class Fdc3Trace(Result, frozen=True, kw_only=True):
    entries: list[Fdc3TraceEntry]


METHODS = (
    Method(
        name="fdc3.connect",
        summary="Begins FDC3 for a client: its identity, its inbox; earlier listeners are gone.",
        params=ConnectParams,
        result=ConnectResult,
    ),
    Method(
        name="fdc3.send",
        summary="Sends a DACP request; the answer comes to the inbox. A person may be asked first.",
        params=Fdc3SendParams,
        result=Empty,
    ),
    Method(
        name="fdc3.disconnect",
        summary="Ends FDC3 for a client: its listeners are gone; its identity stays its own.",
        params=NoParams,
        result=Empty,
    ),
    Method(
        name="fdc3.chooseChannel",
        summary="Has a person choose the user channel of a window; answers when that is done.",
        params=ChooseChannelParams,
        result=Empty,
        callers="shell",
    ),
    Method(
        name="fdc3.channels",
        summary="Lists the channels, with who is on them and who listens.",
        params=NoParams,
        result=Fdc3Channels,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="fdc3.contexts",
        summary="Lists the last contexts of a channel, or of all user and app channels.",
        params=ChannelParams,
        result=Fdc3Contexts,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="fdc3.intents",
        summary="Lists the intents, with the apps of the directory and who listens.",
        params=NoParams,
        result=Fdc3Intents,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="fdc3.trace",
        summary="Tells who sent a context or an intent, who got it, and what permitted it.",
        params=Fdc3TraceParams,
        result=Fdc3Trace,
        callers="shell",
        permission="control.view",
    ),
)


def is_channel_id(text: str) -> bool:
    """Whether a channel can have this id."""
    if not 0 < len(text) <= MAX_CHANNEL_ID:
        return False
    try:
        check_topic(f"{CHANNEL_TOPICS}.private.{one_level(text)}.x")
    except (DeskbusError, UnicodeEncodeError):
        return False
    return True
