"""Clients that share a WebSocket, when that goes away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from deskbus.reliability.work_clock import work_s
from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.web.websocket.frames import Opcode
from deskbus.web.websocket.link import WebSocketConnection


class FakeTransport:
    """As uvloop's, which refuses what is written once it has closed."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        if self.closed:
            raise RuntimeError("the handler is closed")
        self.written += data

    def abort(self) -> None:
        self.closed = True


class Socket:
    def __init__(self) -> None:
        self.flusher = Flusher()
        self.links: list[Link] = []
        self.transport = FakeTransport()
        self.connection = WebSocketConnection(
            self.flusher, "desk.reader", self.links.append, on_closed=lambda _: None
        )
        self.connection.begin(cast(asyncio.Transport, self.transport), b"")

    def hear(self, text: bytes) -> None:
        self.connection.data_received(
            bytes((0x80 | Opcode.TEXT, 0x80 | len(text), 0, 0, 0, 0)) + text
        )


@pytest.fixture
async def socket() -> AsyncIterator[Socket]:
    made = Socket()
    made.hear(b"#1\n{}")
    made.hear(b"#2\n{}")
    yield made
    made.connection.connection_lost(None)


async def test_a_socket_that_has_closed_is_written_to_no_more(socket: Socket) -> None:
    """Else the app whose message it was would lose its own connection."""
    socket.links[0].outbox.send(b'{"before":1}')
    socket.flusher.flush()
    assert socket.transport.written.endswith(b'#1\n{"before":1}\n')
    socket.transport.closed = True
    for link in socket.links:
        link.outbox.send(b'{"after":1}')
    socket.flusher.flush()
    assert b"after" not in socket.transport.written


async def test_a_socket_ends_with_the_last_client_that_was_found_dead(socket: Socket) -> None:
    socket.links[0].abort()
    assert not socket.transport.closed
    socket.links[1].abort()
    assert socket.transport.closed


@pytest.mark.requirement("C")
async def test_small_messages_are_served_within_a_turn_whatever_work_was_put_off(
    socket: Socket,
) -> None:
    work_s.put_off(60.0)
    text = b"#1\n{}"
    message = bytes((0x80 | Opcode.TEXT, 0x80 | len(text), 0, 0, 0, 0)) + text
    before, number = socket.links[0].received_bytes, 100_000
    socket.connection.data_received(message * number)
    served = (socket.links[0].received_bytes - before) // len(b"{}")
    assert 0 < served < number // 2
