import asyncio
import os

import anyio
import anyio.to_thread

from deskbus.transport.standard_streams.threaded_pipes import ThreadedPipes


class Told(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = bytearray()
        self.news = asyncio.Queue[str]()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.news.put_nowait("data")

    def pause_writing(self) -> None:
        self.news.put_nowait("pause")

    def resume_writing(self) -> None:
        self.news.put_nowait("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.news.put_nowait("lost")


def opened() -> tuple[Told, ThreadedPipes, int, int]:
    """The protocol, its transport, and what the other side writes to and reads from."""
    (reading, theirs), (ours, writing) = os.pipe(), os.pipe()
    protocol = Told()
    return protocol, ThreadedPipes(protocol, reading, writing), theirs, ours


async def test_bytes_go_both_ways_and_the_end_of_input_ends_it() -> None:
    protocol, transport, theirs, ours = opened()
    with anyio.fail_after(20):
        os.write(theirs, b"question")
        assert await protocol.news.get() == "data"
        assert protocol.received == b"question"
        transport.write(b"answer")
        assert await anyio.to_thread.run_sync(os.read, ours, 100) == b"answer"
        os.close(theirs)
        assert await protocol.news.get() == "lost"
    transport.abort()
    assert protocol.news.empty()


async def test_a_slow_reader_pauses_the_writer_and_gets_every_byte_before_the_end() -> None:
    protocol, transport, _, ours = opened()
    sent = os.urandom(1_000_000)
    with anyio.fail_after(20):
        transport.set_write_buffer_limits(high=500_000)
        transport.write(sent)
        transport.close()
        assert await protocol.news.get() == "pause"
        got = bytearray()
        while len(got) < len(sent):
            got += await anyio.to_thread.run_sync(os.read, ours, 65_536)
        assert got == sent
        assert [await protocol.news.get() for _ in range(2)] == ["resume", "lost"]


async def test_a_paused_peer_is_read_at_most_once_more() -> None:
    protocol, transport, theirs, _ = opened()
    with anyio.fail_after(20):
        transport.pause_reading()
        for piece in (b"a", b"b"):
            os.write(theirs, piece)
        transport.resume_reading()
        while protocol.received != b"ab":
            assert await protocol.news.get() == "data"
        os.close(theirs)
        # Both pieces may have come before word of the first was taken.
        while (news := await protocol.news.get()) == "data":
            pass
        assert news == "lost"


async def test_a_reader_that_has_gone_ends_it() -> None:
    protocol, transport, _, ours = opened()
    os.close(ours)
    with anyio.fail_after(20):
        transport.write(b"to nobody")
        assert await protocol.news.get() == "lost"
