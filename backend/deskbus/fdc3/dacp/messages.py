"""Messages of DACP, the Desktop Agent Communication Protocol of FDC3 2.2, as the agent reads them.

Members that are not known are passed over, as the standard asks for.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.state.instances import IntentListener
from deskbus_protocol.fdc3 import MAX_TYPE, AppIdentifier, context_type_of

Uuid = Annotated[str, Meta(min_length=1, max_length=128)]
ChannelId = Annotated[str, Meta(min_length=1, max_length=1000)]
TypeName = Annotated[str, Meta(min_length=1, max_length=MAX_TYPE)]
Intent = Annotated[str, Meta(min_length=1, max_length=MAX_TYPE)]
ABSENT = Raw(b"null")
"""The value of an optional context that a request lacks."""


class RequestMeta(msgspec.Struct, frozen=True, rename="camel"):
    """A goodbye has no `request_uuid`."""

    request_uuid: Annotated[str, Meta(max_length=128)] = ""


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """A request, or a goodbye; what its payload has to be follows from its type."""

    type: Annotated[str, Meta(min_length=1, max_length=100)]
    meta: RequestMeta
    payload: Raw = Raw(b"{}")


class Payload(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all."""


class NoPayload(Payload, frozen=True):
    pass


class ChannelPayload(Payload, frozen=True):
    channel_id: ChannelId


class BroadcastPayload(ChannelPayload, frozen=True):
    context: Raw
    metadata: Raw = ABSENT


class CurrentContextPayload(ChannelPayload, frozen=True):
    context_type: TypeName | None = None


class ContextListenerPayload(Payload, frozen=True):
    channel_id: ChannelId | None = None
    context_type: TypeName | None = None


class UnsubscribePayload(Payload, frozen=True):
    listener_uuid: Uuid = msgspec.field(name="listenerUUID")


class EventListenerPayload(Payload, frozen=True):
    type: Literal["USER_CHANNEL_CHANGED", "CONTEXT_CLEARED"] | None = None


class ClearContextPayload(ChannelPayload, frozen=True):
    """FDC3 3.0; without a type all contexts of the channel."""

    context_type: TypeName | None = None


class PrivateListenerPayload(Payload, frozen=True):
    private_channel_id: ChannelId
    listener_type: Any = None


class IntentListenerPayload(Payload, frozen=True):
    """`context_types` is of FDC3 3.0."""

    intent: Intent
    context_types: Annotated[list[TypeName], Meta(max_length=1000)] | None = None

    @property
    def listener(self) -> IntentListener:
        types = None if self.context_types is None else frozenset(self.context_types)
        return IntentListener(self.intent, types)


class FindIntentPayload(Payload, frozen=True):
    intent: Intent
    context: Raw = ABSENT
    result_type: str | None = None


class FindByContextPayload(Payload, frozen=True):
    context: Raw
    result_type: str | None = None


class RaiseForContextPayload(Payload, frozen=True, kw_only=True):
    """`metadata` is of FDC3 3.0."""

    context: Raw
    app: AppIdentifier | None = None
    metadata: Raw = ABSENT


class RaiseIntentPayload(RaiseForContextPayload, frozen=True, kw_only=True):
    intent: Intent


class ResultChannel(msgspec.Struct, frozen=True):
    id: ChannelId
    type: Literal["user", "app", "private"]


class IntentResult(msgspec.Struct, frozen=True):
    """A context, a channel, or neither where the handler returned nothing."""

    context: Raw = ABSENT
    channel: ResultChannel | None = None


class IntentResultPayload(Payload, frozen=True):
    """`error` is ours: the handler has thrown, for which DACP 2.2 has no word.

    `metadata` is of FDC3 3.0.
    """

    raise_intent_request_uuid: Uuid
    intent_result: IntentResult = IntentResult()
    metadata: Raw = ABSENT
    error: Literal["IntentHandlerRejected"] | UnsetType = UNSET


class AppPayload(Payload, frozen=True):
    app: AppIdentifier


class OpenPayload(AppPayload, frozen=True):
    """`metadata` is of FDC3 3.0."""

    context: Raw = ABSENT
    metadata: Raw = ABSENT


def context_in(payload: Payload) -> Raw | None:
    """The context of a request, where it has one; raises `DacpError` (MalformedContext)."""
    context: Raw = getattr(payload, "context", ABSENT)
    if context == ABSENT and not isinstance(payload, MUST_HAVE_CONTEXT):
        return None
    if context_type_of(context) is None:
        raise DacpError("MalformedContext")
    return context


MUST_HAVE_CONTEXT = (
    BroadcastPayload,
    FindByContextPayload,
    RaiseForContextPayload,
)


def response_type(request_type: str) -> str:
    return request_type.removesuffix("Request") + "Response"
