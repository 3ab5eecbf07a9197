"""RpcExchange: one JSON-RPC exchange without a connection of its own, through the very same peer.

A call over HTTP opens a session, is served as over any link, and leaves: so it has the same
identity, checks, limits and audit. Notifications for it go nowhere.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.unbuffered import UnbufferedTransport
from deskbus.web.limits import RPC_WITHIN_S
from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.errors import (
    CONNECTION_LOST,
    INVALID_REQUEST,
    PARSE_ERROR,
    TICKET_REFUSED,
    TIMEOUT,
    DeskbusError,
    ErrorObject,
)
from deskbus_protocol.wire.framing import FramingDecoder, encode_content_length
from deskbus_protocol.wire.rpc import encode

_OPENING = '"web-open"'
_LEAVING = '"web-leave"'


class _AnswerFrame(msgspec.Struct):
    id: Raw | UnsetType = UNSET
    method: str | UnsetType = UNSET
    error: ErrorObject | UnsetType | None = UNSET


class _AnswerCollector(UnbufferedTransport):
    """A link's transport that keeps answers, and drops what else the backend says."""

    def __init__(self) -> None:
        super().__init__()
        self._decoder = FramingDecoder()
        self._answers: list[bytes] = []
        self._changed = anyio.Event()
        self.link: Link

    def write(self, data: bytes | bytearray | memoryview) -> None:
        for line in self._decoder.feed(bytes(data)).split(b"\n"):
            if _is_answer(line):
                self._answers.append(line)
        self._wake()

    async def answer(self) -> bytes:
        """The next answer; raises `DeskbusError` (connection_lost)."""
        while not self._answers:
            if self._closing:
                raise DeskbusError(CONNECTION_LOST)
            await self._changed.wait()
        return self._answers.pop(0)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.link.connection_lost, None)
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class RpcExchange:
    def __init__(self, accept: Callable[[Link], None], flusher: Flusher) -> None:
        self._accept = accept
        self._flusher = flusher

    async def run(self, body: bytes, app: str, ticket: str, only_app: str | None) -> bytes | None:
        """The answer to `body`, a frame or a batch; None where nothing in it wants one.

        Raises `DeskbusError`: parse_error, invalid_request, ticket_refused, timeout.
        """
        answered = wants_answer(body)
        collector = _AnswerCollector()
        link = collector.link = Link(self._flusher, "http")
        link.only_app = only_app
        link.connection_made(collector)
        self._accept(link)
        try:
            with anyio.fail_after(RPC_WITHIN_S):
                opening = {"ticket": ticket, "app": app, "protocolVersion": PROTOCOL_VERSION}
                link.data_received(_request("session.open", opening, _OPENING))
                opened = msgspec.json.decode(await collector.answer(), type=_AnswerFrame)
                if isinstance(opened.error, ErrorObject):
                    # Also where it has not even the form of a ticket.
                    raise DeskbusError(TICKET_REFUSED)
                link.data_received(encode_content_length(body))
                answer = await collector.answer() if answered else None
                link.data_received(_request("session.leave", {}, _LEAVING))
                await collector.answer()
                return answer
        except TimeoutError:
            raise DeskbusError(TIMEOUT) from None
        finally:
            link.close()


def _is_answer(line: bytes) -> bool:
    if line.startswith(b"["):
        return True
    return bool(line) and msgspec.json.decode(line, type=_AnswerFrame).method is UNSET


def wants_answer(body: bytes) -> bool:
    """Whether something in a frame or batch is answered.

    Raises `DeskbusError` (parse_error, invalid_request) for what holds no calls: an answer to a
    call of ours has no way to come like this.
    """
    try:
        read: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise DeskbusError(PARSE_ERROR) from None
    members = read if isinstance(read, list) else [read]
    if not members or not all(isinstance(each, dict) and "method" in each for each in members):
        raise DeskbusError(INVALID_REQUEST)
    return not all(_is_notification(member) for member in members)


def _is_notification(member: dict[str, Any]) -> bool:
    return isinstance(member["method"], str) and "id" not in member


def _request(method: str, params: object, request_id: str) -> bytes:
    return encode_content_length(
        b'{"jsonrpc":"2.0","id":%b,"method":"%b","params":%b}'
        % (request_id.encode(), method.encode(), encode(params))
    )
