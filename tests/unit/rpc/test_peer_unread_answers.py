"""Answers that a peer does not read are bounded; until it reads, nothing is done for it."""

import anyio
from msgspec import Raw

from deskbus.rpc.peer import Peer
from deskbus.transport.link import WRITE_HIGH_WATER_BYTES, Link
from deskbus.transport.outbox import CONGESTED_BYTES, Flusher
from deskbus_protocol.wire import rpc

ANSWER_BYTES = 1024 * 1024


class Pipe:
    """A transport whose far end reads when it is told to."""

    def __init__(self) -> None:
        self.unread = 0
        self.link: Link | None = None
        self.closing = False

    def write(self, data: bytes) -> None:
        self.unread += len(data)
        if self.link is not None and self.unread > WRITE_HIGH_WATER_BYTES:
            self.link.pause_writing()

    def read_all(self) -> None:
        self.unread = 0
        if self.link is not None:
            self.link.resume_writing()

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The limit is the link's own."""

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        """Nothing comes by itself here."""

    def resume_reading(self) -> None:
        """See `pause_reading`."""

    def close(self) -> None:
        self.closing = True
        if self.link is not None:
            self.link.connection_lost(None)

    abort = close


async def test_large_answers_wait_until_those_before_them_were_read() -> None:
    served: list[bytes] = []

    async def serve(method: str, params: Raw, request_id: bytes) -> bytes:
        served.append(request_id)
        return rpc.success(request_id, "x" * ANSWER_BYTES)

    pipe, link = Pipe(), Link(Flusher())
    pipe.link = link
    peer = Peer(link, serve)
    link.connection_made(pipe)  # type: ignore[arg-type]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(peer.run)
        await anyio.wait_all_tasks_blocked()
        requests = [rpc.request("big.answer", {}, number) for number in range(200)]
        link.data_received(b"\n".join(requests) + b"\n")
        await anyio.wait_all_tasks_blocked()
        bound = WRITE_HIGH_WATER_BYTES + CONGESTED_BYTES + 2 * ANSWER_BYTES
        assert pipe.unread <= bound
        assert len(served) <= bound // ANSWER_BYTES
        with anyio.fail_after(20):
            while len(served) < len(requests):
                pipe.read_all()
                await anyio.wait_all_tasks_blocked()
                assert pipe.unread <= bound
        pipe.close()
