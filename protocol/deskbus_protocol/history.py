"""`bus.*` that looks back: history, replay, queries, queues and dead letters."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from deskbus_protocol.bus import Pattern, Topic
from deskbus_protocol.method import Method, NoParams, Params, Result

UnixMs = Annotated[int, Meta(ge=0)]
MAX_QUERY_MESSAGES = 10_000

DeadLetterReason = Literal[
    "expired", "overflow", "retries_spent", "no_subscriber", "revoked", "too_large"
]


class HistoryParams(Params, frozen=True, kw_only=True):
    """The last messages of a topic that are still in memory, oldest first."""

    topic: Topic
    limit: Annotated[int, Meta(ge=1, le=100)] = 100


class MessageList(Result, frozen=True, kw_only=True):
    """Envelopes, oldest first. `more` says that the limit cut the list."""

    messages: list[Raw]
    more: bool = False


class QueryParams(Params, frozen=True, kw_only=True):
    """Persisted messages by pattern and time, `since` included, `until` not, in Unix ms.

    `from_seq` counts within each topic.
    """

    pattern: Pattern
    since: UnixMs | UnsetType = UNSET
    until: UnixMs | UnsetType = UNSET
    from_seq: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_QUERY_MESSAGES)] = 1000


class ReplayParams(Params, frozen=True, kw_only=True):
    """Sends persisted messages as `bus.message`, oldest first.

    From `since` (Unix ms) and, within each topic, `from_seq` on.

    With `follow` the client is then subscribed to the pattern, with no gap and no message twice.
    """

    pattern: Pattern
    since: UnixMs = 0
    from_seq: Annotated[int, Meta(ge=0)] = 0
    follow: bool = False


class ReplayResult(Result, frozen=True, kw_only=True):
    """`messages` counts what the log held; live ones that follow are not among them."""

    messages: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that could not be delivered to one client, as it was, and why.

    `died_at` is Unix ms; `attempts` counts how often it was sent to the client.
    """

    number: int
    reason: DeadLetterReason
    app: str
    client: str
    attempts: int
    died_at: int
    message: Raw


class DeadLettersParams(Params, frozen=True, kw_only=True):
    reason: DeadLetterReason | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class DeadLetterList(Result, frozen=True, kw_only=True):
    """The newest first; `total` counts all that are kept."""

    letters: list[DeadLetter]
    total: int


class LettersParams(Params, frozen=True, kw_only=True):
    """Dead letters by their numbers; all of them without `numbers`."""

    numbers: Annotated[list[int], Meta(max_length=1000)] | UnsetType = UNSET


class LettersResult(Result, frozen=True, kw_only=True):
    """`done` letters were taken out; `left` could not be, and stay."""

    done: int
    left: int


class ClientQueue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The waiting messages of one client: queued while it is offline, or not yet acknowledged."""

    app: str
    client: str
    online: bool
    queued: int
    queued_bytes: int
    unacknowledged: int


class QueueList(Result, frozen=True, kw_only=True):
    queues: list[ClientQueue]


class CompressionCounts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`frames` were compressed, to `ratio` of their bytes, in so many milliseconds in all; `kept`
    would not have become shorter.
    """

    frames: int
    saved_bytes: int
    ratio: float
    time: float
    kept: int = 0


class CompressionStats(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Frames on links that have agreed on a content coding, both ways."""

    sent: CompressionCounts
    received: CompressionCounts


class BusStats(Result, frozen=True, kw_only=True):
    """Counts since the start; `cache_hits` are messages whose readers were known already.

    `compression` is there where the configuration allows links to compress.
    """

    clients: int
    offline_clients: int
    subscriptions: int
    topics: int
    messages_in: int
    messages_out: int
    bytes_in: int
    queued: int
    unacknowledged: int
    dead_letters: dict[str, int]
    cache_hits: int
    cache_misses: int
    slow_readers: int
    history_bytes: int
    compression: CompressionStats | UnsetType = UNSET


class LogRules(Result, frozen=True, kw_only=True):
    """The configuration of the log: which topics are kept and encrypted, and how much of them.

    The oldest segments go once one of the limits is passed. `without_vault` says what becomes of
    messages of sensitive topics while the vault can't encrypt them.
    """

    topics: list[str]
    sensitive: list[str]
    without_vault: Literal["refuse", "memory"]
    max_segments: int
    max_bytes: int
    max_age_days: float


class LogStats(Result, frozen=True, kw_only=True):
    """The log of persisted messages; times are Unix ms, null while it is empty.

    Without `rules` nothing is persisted.
    """

    enabled: bool
    state: Literal["ok", "degraded", "off"]
    detail: str
    figures: dict[str, Any]
    rules: LogRules | UnsetType = UNSET


METHODS = (
    Method(
        name="bus.history",
        summary="The last messages of a topic that are still in memory.",
        params=HistoryParams,
        result=MessageList,
    ),
    Method(
        name="bus.query",
        summary="Persisted messages by pattern and time.",
        params=QueryParams,
        result=MessageList,
    ),
    Method(
        name="bus.replay",
        summary="Sends persisted messages again, and then follows the pattern live if asked to.",
        params=ReplayParams,
        result=ReplayResult,
    ),
    Method(
        name="bus.stats",
        summary="Counts of clients, messages, queues and dead letters.",
        params=NoParams,
        result=BusStats,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="bus.logStats",
        summary="Size, state and age of the log of persisted messages.",
        params=NoParams,
        result=LogStats,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="bus.queued",
        summary="The messages that wait for each client.",
        params=NoParams,
        result=QueueList,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="bus.deadLetters",
        summary="Messages that could not be delivered, with the reason.",
        params=DeadLettersParams,
        result=DeadLetterList,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="bus.redrive",
        summary="Delivers dead letters to the client that they were meant for, once more.",
        params=LettersParams,
        result=LettersResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
    Method(
        name="bus.purge",
        summary="Throws dead letters away.",
        params=LettersParams,
        result=LettersResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
)
