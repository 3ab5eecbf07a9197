"""`bus.*`: publish and subscribe, directed sends, request and response."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from deskbus_protocol.envelope import CorrelationId, Envelope, Headers, Priority, TtlMs
from deskbus_protocol.method import Empty, Method, Params, Result, TraceContext
from deskbus_protocol.session import AppId, ClientName, LastSeqs

Topic = Annotated[str, Meta(min_length=1, max_length=256)]
Pattern = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        description="A topic, or a pattern: * is one level, # zero or more.",
    ),
]
Mode = Literal["live", "acknowledged"]
ReplyTo = Annotated[str, Meta(max_length=128)]
MAX_REQUEST_TIMEOUT_MS = 600_000
"""The longest time for which the backend keeps a request."""

TimeoutMs = Annotated[int, Meta(ge=1, le=MAX_REQUEST_TIMEOUT_MS)]

Epoch = Annotated[str, Meta(min_length=1, max_length=64)]
DEFAULT_REQUEST_TIMEOUT_MS = 10_000
"""A request without a `timeout` waits this long for its answer."""

REQUEST_PATIENCE_MS = DEFAULT_REQUEST_TIMEOUT_MS + 120_000
"""The longest wait for such an answer where a person is asked first."""

MAX_SOURCES = 100
"""Senders that one subscription may name."""

MAX_ACKNOWLEDGED_SEQS = 1000
"""Messages that one `bus.ack` may acknowledge."""

MAX_FAULT_CHARACTERS = 1000
"""The longest message of a responder's own error."""

MAX_RUNS = 8
"""Runs of the backend that a client may tell of when it continues."""

MAX_UNACKNOWLEDGED = 2000
"""Messages that a client has not acknowledged, and asks for again when it continues."""

MAX_REDELIVERIES = 3
"""Redeliveries after which an unacknowledged message becomes a dead letter."""

DIRECTED_SEQ = 2**40
"""Messages to one app count from here on, across all topics; public ones never get so far."""

UnacknowledgedSeqs = Annotated[
    dict[str, Annotated[list[int], Meta(min_length=1, max_length=MAX_UNACKNOWLEDGED)]],
    Meta(max_length=MAX_UNACKNOWLEDGED),
]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The senders to select: an app, or one of its clients."""

    app: AppId
    client: ClientName | UnsetType = UNSET


class SubscribeParams(Params, frozen=True, kw_only=True):
    """`live` delivers at most once, `acknowledged` at least once until `bus.ack`.

    With `sources` a live subscription brings only messages of those senders. To subscribe to the
    same pattern again replaces mode and sources.
    """

    pattern: Pattern
    mode: Mode = "live"
    sources: Annotated[list[Source], Meta(min_length=1, max_length=MAX_SOURCES)] | UnsetType = UNSET


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A moment in the run `epoch` of the backend: by its clock (Unix ms), and in its log.

    `position` counts the messages of all topics that the log had for good; absent without a log.
    """

    epoch: str
    timestamp: Annotated[int, Meta(ge=0)]
    position: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class SubscribeResult(Result, frozen=True, kw_only=True):
    """Messages from `mark` on are delivered; a client keeps it for `bus.continue`."""

    mark: Mark


class SubscriberParams(Params, frozen=True, kw_only=True):
    """A client's subscription to a pattern that the reader of this may write to."""

    pattern: str
    app: str
    client: str


class SubscriberRemovedParams(SubscriberParams, frozen=True, kw_only=True):
    """`away`: its connection was cut, and it may come back to the subscription within the grace."""

    away: bool


class WatchParams(Params, frozen=True, kw_only=True):
    enabled: bool = True


class WatchResult(Result, frozen=True, kw_only=True):
    """The subscriptions that there are now, of other clients."""

    subscribers: list[SubscriberParams]


class AckParams(Params, frozen=True, kw_only=True):
    """Messages of one topic that need not come again; of this run of the backend, unless told."""

    topic: Topic
    seqs: Annotated[list[int], Meta(min_length=1, max_length=MAX_ACKNOWLEDGED_SEQS)]
    epoch: Epoch | UnsetType = UNSET


class Unacknowledged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Messages that a client has and did not acknowledge: their seqs, by run and topic.

    `since` (Unix ms) is when the oldest was sent.
    """

    since: Annotated[int, Meta(ge=0)]
    seqs: Annotated[dict[str, UnacknowledgedSeqs], Meta(max_length=MAX_RUNS)]


class ContinueParams(Params, frozen=True, kw_only=True):
    """A subscription of an earlier session, that began at `mark`.

    `seen` tells, for each run of the backend, the last seq that the client has of each topic: what
    is behind these, or of a topic that is not named was sent after the mark, comes from the log.
    A client that could not keep all seqs says that they are `partial`; topics that are not named
    then go on from `since`, the time (Unix ms) at which its last message was sent. So does all of
    it without a mark.

    In mode `acknowledged` those that it names as `unacknowledged` come again, where the log has
    them, and so does all that it does not acknowledge from then on.
    """

    pattern: Pattern
    mode: Mode = "live"
    sources: Annotated[list[Source], Meta(min_length=1, max_length=MAX_SOURCES)] | UnsetType = UNSET
    mark: Mark | UnsetType = UNSET
    since: Annotated[int, Meta(ge=0)] = 0
    partial: bool = False
    seen: Annotated[dict[str, LastSeqs], Meta(max_length=MAX_RUNS)] = msgspec.field(
        default_factory=dict
    )
    unacknowledged: Unacknowledged | UnsetType = UNSET


class ContinueResult(Result, frozen=True, kw_only=True):
    """`messages` counts what the log held; live ones that follow are not among them.

    From `mark` on the subscription goes on if it has to be continued again.
    """

    messages: int
    mark: Mark


class ContinuedParams(Params, frozen=True, kw_only=True):
    """Later messages on a pattern come out of `bus.continue`; earlier ones did not."""

    pattern: Pattern


class UnsubscribeParams(Params, frozen=True, kw_only=True):
    pattern: Pattern


class PublishParams(Params, frozen=True, kw_only=True):
    """`payload` is any JSON value; it is checked for syntax and depth and passed on untouched.

    With `durable`, a request is answered only after the message is on disk.
    """

    topic: Topic
    payload: Raw
    headers: Headers | UnsetType = UNSET
    ttl: TtlMs | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    correlation_id: CorrelationId | UnsetType = UNSET
    durable: bool = False


class PublishResult(Result, frozen=True, kw_only=True):
    """`receivers` counts the clients whose subscriptions matched.

    `inMemory`: of a sensitive topic, not encrypted yet, and lost if the backend ends before.
    """

    id: str
    epoch: str
    seq: int
    timestamp: int
    receivers: int
    in_memory: bool = False


class SendParams(Params, frozen=True, kw_only=True):
    """To the clients of `app` that subscribed to the topic, or to one of them; away ones too."""

    app: AppId
    client: ClientName | UnsetType = UNSET
    topic: Topic
    payload: Raw
    headers: Headers | UnsetType = UNSET
    correlation_id: CorrelationId | UnsetType = UNSET


class SendResult(Result, frozen=True, kw_only=True):
    id: str
    receivers: int


class RequestParams(Params, frozen=True, kw_only=True):
    """Asks the subscribers of a topic; the first answer counts. `timeout` is milliseconds."""

    topic: Topic
    payload: Raw
    app: AppId | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    correlation_id: CorrelationId | UnsetType = UNSET
    timeout: TimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS


class RequestResult(Result, frozen=True, kw_only=True):
    """`inMemory` is said of the request, as in the result of `bus.publish`."""

    payload: Raw
    app: str
    client: str
    correlation_id: str
    in_memory: bool = False


class ResponseFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application's own refusal, told to the asking app in the application's words."""

    message: Annotated[str, Meta(max_length=MAX_FAULT_CHARACTERS)]


class RespondParams(Params, frozen=True, kw_only=True):
    """Answers a message that carries `replyTo`: with a payload, or with an error."""

    reply_to: ReplyTo
    payload: Raw | UnsetType = UNSET
    error: ResponseFault | UnsetType = UNSET


class MessageParams(Envelope, frozen=True, kw_only=True):
    """A message for a subscriber: the envelope, and the trace context of its publish."""

    meta: TraceContext | UnsetType = msgspec.field(default=UNSET, name="_meta")


GapReason = Literal[
    "slow_reader", "overflow", "expired", "too_large", "revoked", "disconnected", "restarted"
]
"""`restarted`: the run of the backend that numbered these messages has ended."""


class RefusedParams(Params, frozen=True, kw_only=True):
    """Tells a sender that notifications of its were refused since the last such word."""

    method: str
    code: int
    message: str
    action: str
    count: int
    topic: str | UnsetType = UNSET


class GapParams(Params, frozen=True, kw_only=True):
    """Messages of a topic that this client will not get: `first` to `last`, both included.

    The lost messages lie between them; not every one was meant for this client, and after a restart
    nobody knows how many there were.
    """

    topic: str
    epoch: str
    first: int
    last: int
    reason: GapReason


METHODS = (
    Method(
        name="bus.subscribe",
        summary="Starts delivery of the topics that fit a pattern; may ask a person first.",
        params=SubscribeParams,
        result=SubscribeResult,
    ),
    Method(
        name="bus.continue",
        summary="Takes a subscription up again: what the log has comes first, then live messages.",
        params=ContinueParams,
        result=ContinueResult,
    ),
    Method(
        name="bus.continued",
        summary="Tells that what follows on a pattern begins where the client had stopped.",
        params=ContinuedParams,
        handled_by="app",
    ),
    Method(
        name="bus.unsubscribe",
        summary="Ends the subscription to a pattern; says not_found where there is none.",
        params=UnsubscribeParams,
        result=Empty,
    ),
    Method(
        name="bus.ack",
        summary="Acknowledges messages of an acknowledged subscription, so they don't come again.",
        params=AckParams,
        result=Empty,
    ),
    Method(
        name="bus.publish",
        summary="Publishes on a topic; without an id, refusals come back as bus.refused.",
        params=PublishParams,
        result=PublishResult,
    ),
    Method(
        name="bus.send",
        summary="Sends to the clients of one app that subscribed to the topic.",
        params=SendParams,
        result=SendResult,
    ),
    Method(
        name="bus.request",
        summary="Asks the topic's subscribers and waits for the first answer.",
        params=RequestParams,
        result=RequestResult,
    ),
    Method(
        name="bus.respond",
        summary="Answers a message that carries replyTo.",
        params=RespondParams,
        result=Empty,
    ),
    Method(
        name="bus.message",
        summary="Delivers a message to a subscriber.",
        params=MessageParams,
        handled_by="app",
    ),
    Method(
        name="bus.watchSubscribers",
        summary="Starts or ends word of who subscribes to what this client may write to.",
        params=WatchParams,
        result=WatchResult,
    ),
    Method(
        name="bus.subscriberAdded",
        summary="Tells that a client has subscribed.",
        params=SubscriberParams,
        handled_by="app",
    ),
    Method(
        name="bus.subscriberRemoved",
        summary="Tells that a subscription has ended, or that its client is away.",
        params=SubscriberRemovedParams,
        handled_by="app",
    ),
    Method(
        name="bus.refused",
        summary="Tells that notifications were refused, and why.",
        params=RefusedParams,
        handled_by="app",
    ),
    Method(
        name="bus.gap",
        summary="Tells which messages of a topic will not come.",
        params=GapParams,
        handled_by="app",
    ),
)
