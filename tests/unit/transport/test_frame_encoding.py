"""A link on which some frames are in a content coding, cut anywhere, and served in turns."""

import asyncio
import gzip
import random

import anyio
import anyio.lowlevel
import pytest

from deskbus.transport import frame_encoding
from deskbus.transport.frame_encoding import FrameEncoding
from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.unbuffered import UnbufferedTransport
from deskbus_protocol.wire.framing import RefusedFrame

HELLO = b'{"hello":1}\n'
LIMIT_S = 30


class Wire(UnbufferedTransport):
    """Tells when it may be read from; keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.readable = asyncio.Event()
        self.readable.set()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self._closing = True

    def pause_reading(self) -> None:
        self.readable.clear()

    def resume_reading(self) -> None:
        self.readable.set()


class Server:
    """Serves a block at once, or in a later turn, and is occupied until then."""

    def __init__(self, link: Link, chance: random.Random, wanted: bytes) -> None:
        self._link = link
        self._chance = chance
        self._wanted = wanted
        self.got = b""
        self.has_all = asyncio.Event()

    def receive(self, block: bytes) -> None:
        if not block:
            return
        self.got += block
        if len(self.got) >= len(self._wanted):
            self.has_all.set()
        if self._chance.random() < 0.5:
            self._link.occupy()
            asyncio.get_running_loop().call_soon(self._link.vacate)

    def receive_refused(self, refused: RefusedFrame) -> None:
        raise AssertionError(refused)

    def link_closed(self) -> None:
        pass


def encoded(frame: bytes) -> bytes:
    body = gzip.compress(frame)
    return b"Content-Length: %d\r\nContent-Encoding: gzip\r\n\r\n%b" % (len(body), body)


class NoThreads:
    """A machine on which no thread can be started, or no memory be had."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def run_sync(self, *_: object, **__: object) -> bytes:
        raise self._error


class Failing(Server):
    def receive(self, block: bytes) -> None:
        if block != HELLO:
            raise RuntimeError("it fails")


def linked(server: type[Server] = Server) -> tuple[Link, Wire]:
    """A link on which gzip is agreed."""
    link, wire = Link(Flusher(encoding=FrameEncoding(["gzip"])), "pipe"), Wire()
    link.connection_made(wire)
    link.bind(server(link, random.Random(0), b""))
    link.data_received(HELLO)
    link.agree(["gzip"])
    return link, wire


async def until_cut_off(wire: Wire) -> None:
    with anyio.fail_after(LIMIT_S):
        while not wire.is_closing():
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("seed", range(20))
async def test_every_frame_is_served_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    frames = [b'{"n":%d,"x":"%b"}' % (n, b"y" * chance.choice([0, 3000])) for n in range(12)]
    stream = b"".join(
        encoded(frame) if chance.random() < 0.5 else frame + b"\n" for frame in frames
    )
    wanted = HELLO + b"".join(frame + b"\n" for frame in frames)
    link, wire = Link(Flusher(encoding=FrameEncoding(["gzip"])), "pipe"), Wire()
    link.connection_made(wire)
    server = Server(link, chance, wanted)
    link.bind(server)
    link.data_received(HELLO)
    assert link.agree(["br", "gzip"]) == "gzip"
    size = chance.choice([1, 7, 500, 100_000])
    with anyio.fail_after(LIMIT_S):
        while stream:
            await wire.readable.wait()
            # A transport may have read a piece before it was told to stop.
            for _ in range(chance.choice([1, 2])):
                piece, stream = stream[:size], stream[size:]
                if piece:
                    link.data_received(piece)
        await server.has_all.wait()
    assert server.got == wanted


async def test_long_lines_leave_encoded_and_in_order_and_all_of_them_before_the_link_closes() -> (
    None
):
    link, wire = Link(Flusher(encoding=FrameEncoding(["gzip"])), "pipe"), Wire()
    link.connection_made(wire)
    link.data_received(HELLO)
    link.agree(["gzip"])
    link.outbox.send(b"1" * 3000)
    link.outbox.send(b"2")
    link.flush()
    link.outbox.send(b"3")
    link.flush()
    assert wire.written == b""
    link.close()
    assert not wire.is_closing()
    with anyio.fail_after(LIMIT_S):
        while not wire.is_closing():
            await anyio.lowlevel.checkpoint()
    head, _, rest = wire.written.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    size = int(head.split(b"\r\n")[0].partition(b": ")[2])
    assert gzip.decompress(rest[:size]) == b"1" * 3000
    assert rest[size:] == b"2\n3\n"
    link.abort()


async def test_a_peer_for_which_much_waits_to_be_encoded_counts_as_slow() -> None:
    link, wire = Link(Flusher(encoding=FrameEncoding(["gzip"])), "pipe"), Wire()
    link.connection_made(wire)
    link.data_received(HELLO)
    link.agree(["gzip"])
    for _ in range(3):
        link.outbox.send(b"1" * 1_000_000)
        link.flush()
    assert link.outbox.slow
    assert not wire.readable.is_set()
    with anyio.fail_after(LIMIT_S):
        await link.outbox.writable()
    assert wire.readable.is_set()
    link.abort()


FAILURES = [RuntimeError("can't start new thread"), MemoryError()]


@pytest.mark.parametrize("error", FAILURES)
async def test_a_link_whose_frame_can_not_be_decoded_is_cut_off_rather_than_left_waiting(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, wire = linked()
    monkeypatch.setattr(frame_encoding, "to_thread", NoThreads(error))
    link.data_received(encoded(b'{"n":1}'))
    await until_cut_off(wire)


async def test_a_link_whose_receiver_fails_on_a_decoded_frame_is_cut_off() -> None:
    link, wire = linked(Failing)
    link.data_received(encoded(b'{"n":1}'))
    await until_cut_off(wire)


@pytest.mark.parametrize("error", FAILURES)
async def test_a_link_whose_lines_can_not_be_encoded_is_cut_off_rather_than_left_waiting(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, wire = linked()
    monkeypatch.setattr(frame_encoding, "to_thread", NoThreads(error))
    link.outbox.send(b"1" * 3000)
    link.flush()
    await until_cut_off(wire)


async def test_a_frame_that_is_dropped_is_not_decoded_later() -> None:
    link, wire = linked()
    link.occupy()
    link.data_received(encoded(b'{"n":1}'))
    link.drop_held()
    link.vacate()
    assert wire.readable.is_set()
    assert link.held_bytes == 0
