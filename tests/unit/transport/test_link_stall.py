"""While readers are behind, a sender of much is held for a moment, one of little is not."""

import asyncio

import pytest

from deskbus.transport.link import LITTLE_BYTES, MAX_STALLS, Link
from deskbus.transport.outbox import CONGESTED_BYTES, Flusher
from deskbus_protocol.wire.framing import RefusedFrame

FRAME = b'"' + b"x" * 1021 + b'"\n'


class Wire(asyncio.Transport):
    """A transport of which the test says how much of what was written is unread."""

    unread_bytes = 0
    reads = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.unread_bytes

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Everything:
    """Takes every frame, and says something to the reader at each."""

    def __init__(self, reader: Link) -> None:
        self._reader = reader

    def receive(self, block: bytes) -> None:
        self._reader.outbox.put(b"{}\n", "a", 1)

    def receive_refused(self, refused: RefusedFrame) -> None: ...

    def link_closed(self) -> None: ...


class Rig:
    def __init__(self) -> None:
        flusher = Flusher()
        self.reader, self.of_reader = Link(flusher), Wire()
        self.reader.connection_made(self.of_reader)
        self.sender, self.of_sender = Link(flusher), Wire()
        self.sender.connection_made(self.of_sender)
        self.sender.bind(Everything(self.reader))

    def read(self, size: int) -> None:
        for _ in range(size // len(FRAME)):
            self.sender.data_received(FRAME)


@pytest.fixture
async def rig(anyio_backend: str) -> Rig:
    made = Rig()
    made.of_reader.unread_bytes = CONGESTED_BYTES + 1
    return made


@pytest.mark.requirement("C")
async def test_a_sender_of_little_is_read_from_however_far_others_are_behind(rig: Rig) -> None:
    rig.read(LITTLE_BYTES)
    assert rig.of_sender.reads


async def test_a_sender_of_much_is_held_until_they_are_abreast(rig: Rig) -> None:
    rig.read(LITTLE_BYTES + len(FRAME))
    assert not rig.of_sender.reads
    rig.of_reader.unread_bytes = 0
    while not rig.of_sender.reads:
        await asyncio.sleep(0)


async def test_a_sender_of_much_is_held_for_a_few_moments_at_most(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalls = 0
    call_later = asyncio.get_running_loop().call_later

    def counted(delay: float, callback: object, *args: object) -> asyncio.TimerHandle:
        nonlocal stalls
        stalls += 1
        return call_later(0, callback, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", counted)
    rig.read(LITTLE_BYTES + len(FRAME))
    while not rig.of_sender.reads:
        await asyncio.sleep(0)
    assert stalls == MAX_STALLS


async def test_what_was_sent_while_nobody_was_behind_does_not_count(rig: Rig) -> None:
    rig.of_reader.unread_bytes = 0
    rig.read(10 * LITTLE_BYTES)
    rig.of_reader.unread_bytes = CONGESTED_BYTES + 1
    rig.read(LITTLE_BYTES)
    assert rig.of_sender.reads
