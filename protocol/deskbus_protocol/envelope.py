"""The message envelope that subscribers receive."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

Headers = dict[str, str]
TtlMs = Annotated[int, Meta(ge=1, le=30 * 24 * 3600 * 1000)]
Priority = Annotated[int, Meta(ge=0, le=9)]
CorrelationId = Annotated[str, Meta(min_length=1, max_length=128)]


class ClientId(msgspec.Struct, frozen=True):
    """The identity of a connection. The backend writes it, never its client."""

    app: str
    client: str


Sender = ClientId
"""Deprecated, for one version: the former name of `ClientId`."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message as it was routed.

    `timestamp` is Unix milliseconds, `ttl` milliseconds. `seq` counts the topic's messages
    within `epoch`, one run of the backend; a persisted topic carries its seq on over restarts.
    `redelivery` is there when an acknowledged message comes again: 1 for the first time again.
    `origin` is there when the message came from another machine: that machine's federation name.
    Its `id`, `sender` and `correlation_id` are then that machine's too.
    """

    id: str
    topic: str
    sender: ClientId
    payload: Raw
    timestamp: int
    epoch: str
    seq: int
    correlation_id: str
    headers: Headers | UnsetType = UNSET
    ttl: TtlMs | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    reply_to: str | UnsetType = UNSET
    redelivery: int | UnsetType = UNSET
    origin: str | UnsetType = UNSET
