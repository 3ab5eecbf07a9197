"""The line of a message that another machine's broker has routed before."""

import msgspec
from msgspec import UNSET, UnsetType

from deskbus.bus.route import Topic
from deskbus_protocol.bus import MessageParams
from deskbus_protocol.envelope import Headers
from deskbus_protocol.method import TraceContext
from deskbus_protocol.wire.rpc import encode


class _RemoteMembers(msgspec.Struct):
    """The optional members of a message."""

    headers: Headers | UnsetType = UNSET
    ttl: int | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    meta: TraceContext | UnsetType = msgspec.field(default=UNSET, name="_meta")


def remote_line(topic: Topic, message: MessageParams) -> bytes:
    """Epoch, seq and timestamp become those of the topic here; all else stays as it was."""
    members = encode(_RemoteMembers(message.headers, message.ttl, message.priority, message.meta))[
        1:-1
    ]
    return (
        b'%b%b,"epoch":%b,"seq":%d,"id":%b,"correlationId":%b,"timestamp":%d,"origin":%b%b%b,'
        b'"payload":%b}}\n'
    ) % (
        topic.opening,
        encode(message.sender),
        encode(topic.epoch),
        topic.seq,
        encode(message.id),
        encode(message.correlation_id),
        topic.timestamp,
        encode(message.origin),
        b"," if members else b"",
        members,
        message.payload,
    )
