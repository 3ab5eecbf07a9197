"""JSON-RPC 2.0 on the wire: encoding of requests, notifications and responses.

`id` travels as raw JSON, so it comes back as it was sent.
"""

import msgspec
from msgspec import Raw

from deskbus_protocol.errors import DeskbusError

NULL_ID = b"null"

encode = msgspec.json.Encoder().encode


def request(method: str, params: object, request_id: int) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"method":"%b","params":%b}' % (
        request_id,
        method.encode(),
        encode(params),
    )


def notification(method: str, params: object) -> bytes:
    return b'{"jsonrpc":"2.0","method":"%b","params":%b}' % (method.encode(), encode(params))


def success(request_id: bytes | Raw, result: object) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request_id, encode(result))


def failure(request_id: bytes | Raw, error: DeskbusError) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (request_id, encode(error.to_object()))
