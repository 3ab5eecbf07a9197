"""An outbox writes once a turn, keeps order, is bounded, and tells what it dropped."""

import asyncio
from typing import Any

import pytest

from deskbus.transport import outbox as outbox_module
from deskbus.transport.outbox import Flusher, Outbox


class Transport:
    """A writer that remembers, in the place of a socket."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.buffered = 0
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.closing


class Rig:
    def __init__(self) -> None:
        self.transport = Transport()
        self.overflowed = False
        self.dropped: list[tuple[str, int]] = []
        self.outbox = Outbox(Flusher(), self._overflow)
        self.outbox.on_dropped = lambda topic, seq: self.dropped.append((topic, seq))
        self.outbox.attach(self.transport)

    def _overflow(self) -> None:
        self.overflowed = True


@pytest.fixture
async def rig(anyio_backend: str) -> Rig:
    return Rig()


async def test_frames_of_one_turn_leave_in_one_write(rig: Rig) -> None:
    rig.outbox.send(b"1")
    rig.outbox.put(b"2\n", "a", 1)
    assert rig.transport.written == []
    rig.outbox.flush()
    assert rig.transport.written == [b"1\n2\n"]


async def test_nothing_is_written_to_a_link_that_is_closing(rig: Rig) -> None:
    rig.outbox.send(b"late")
    rig.transport.closing = True
    rig.outbox.flush()
    assert rig.transport.written == []


async def test_a_content_length_peer_is_answered_in_its_framing(rig: Rig) -> None:
    rig.outbox.content_length = True
    rig.outbox.send(b"{}")
    rig.outbox.flush()
    assert rig.transport.written == [b"Content-Length: 2\r\n\r\n{}"]


async def test_what_waits_for_a_slow_reader_leaves_in_order_when_it_catches_up(rig: Rig) -> None:
    rig.outbox.pause()
    for number in range(5):
        rig.outbox.put(b"%d\n" % number, "a", number)
    rig.outbox.flush()
    assert (rig.transport.written, rig.outbox.waiting_frames) == ([], 5)
    rig.outbox.resume()
    rig.outbox.flush()
    assert b"".join(rig.transport.written) == b"0\n1\n2\n3\n4\n"


@pytest.mark.parametrize(("limit", "value"), [("MAX_QUEUED_FRAMES", 3), ("MAX_QUEUED_BYTES", 6)])
async def test_a_slow_reader_loses_the_oldest_and_the_loss_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, limit: str, value: Any
) -> None:
    monkeypatch.setattr(outbox_module, limit, value)
    rig.outbox.on_drained = lambda: rig.outbox.put(b"gap\n", None, 0)
    rig.outbox.pause()
    for number in range(1, 6):
        rig.outbox.put(b"%d\n" % number, "a", number)
    assert rig.dropped == [("a", 1), ("a", 2)]
    rig.outbox.resume()
    rig.outbox.flush()
    assert b"".join(rig.transport.written) == b"gap\n3\n4\n5\n"
    assert not rig.overflowed


async def test_a_reader_that_lets_replies_pile_up_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MAX_QUEUED_FRAMES", 3)
    rig.outbox.pause()
    for _ in range(4):
        rig.outbox.send(b"reply")
    assert rig.overflowed


@pytest.mark.requirement("C")
async def test_a_frame_as_long_as_thousands_makes_its_room_a_few_at_a_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MAX_QUEUED_BYTES", 1000)
    rig.outbox.pause()
    for number in range(100):
        rig.outbox.put(b"x" * 9 + b"\n", "a", number)
    few = outbox_module.DROPPED_AT_ONCE
    rig.outbox.put(b"x" * 500, "a", 100)
    assert rig.dropped == [("a", number) for number in (*range(few), 100)]
    rig.outbox.send(b"x" * 500)
    assert rig.dropped[few + 1 :] == [("a", number) for number in range(few, 2 * few)]
    assert not rig.overflowed


async def test_replies_that_pile_up_beyond_the_messages_cut_a_reader_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MAX_QUEUED_BYTES", 1000)
    monkeypatch.setattr(outbox_module, "MAX_REPLIES_BYTES", 100)
    rig.outbox.pause()
    for number in range(100):
        rig.outbox.put(b"x" * 9 + b"\n", "a", number)
    rig.outbox.send(b"x" * 500)
    assert rig.overflowed


async def test_a_peer_that_is_behind_counts_as_congested_until_it_is_slow(rig: Rig) -> None:
    rig.transport.buffered = outbox_module.CONGESTED_BYTES + 1
    assert rig.outbox.congested
    rig.outbox.pause()
    assert not rig.outbox.congested


class _Written:
    """A link's transport, each write to which takes a tenth of a millisecond."""

    def __init__(self, clock: "_Clock", name: str, order: list[str]) -> None:
        self._clock = clock
        self._name = name
        self._order = order

    def write(self, data: bytes) -> None:
        self._order.append(self._name)
        self._clock.now_s += 0.0001

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.requirement("C")
async def test_the_links_of_one_app_are_written_to_in_many_turns_and_those_of_others_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, order = _Clock(), list[str]()
    monkeypatch.setattr(outbox_module, "perf_counter", clock)
    flusher = Flusher()

    def link(app: str) -> Outbox:
        made = Outbox(flusher, lambda: None)
        made.app = app
        made.attach(_Written(clock, app, order))
        return made

    readers = [link("app.many") for _ in range(50)]
    other = link("app.one")
    for reader in readers:
        reader.put(b"1\n", "t", 1)
    other.put(b"2\n", None, 0)
    flusher.flush()
    flusher.flush()
    assert order == ["app.many"] * 5 + ["app.one"]
    other.put(b"3\n", None, 0)
    await asyncio.sleep(0)
    assert order[6:] == ["app.many"] * 5 + ["app.one"]
    while len(order) < 52:
        await asyncio.sleep(0)
    assert order.count("app.many") == 50
