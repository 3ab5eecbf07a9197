"""The queue of a client that is away: bounded, in order, by priority, with its losses told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.bus.delivery import offline_queue as queue_module
from deskbus.bus.delivery.offline_queue import Loss, OfflineQueue, Queued
from deskbus.bus.encoded_message import stamps
from tests.support.messages import Mint, payloads


class Rig:
    def __init__(self) -> None:
        self.lost: list[tuple[int, Loss]] = []
        self.queue = OfflineQueue(self._lose)

    def _lose(self, item: Queued, reason: Loss) -> None:
        self.lost.append((item.seq, reason))

    def drained(self, now_ms: int = 0) -> list[Any]:
        return payloads([item.line for item in self.queue.drain(now_ms)])


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.requirement("1.3")
def test_messages_leave_in_the_order_of_arrival(rig: Rig) -> None:
    mint = Mint()
    for number in range(100):
        rig.queue.put(*mint.line("ab"[number % 2], number))
    assert rig.drained() == list(range(100))
    assert (len(rig.queue), rig.queue.bytes, rig.lost) == (0, 0, [])


@pytest.mark.requirement("1.3")
def test_ten_thousand_messages_fit_and_the_next_pushes_the_oldest_out(rig: Rig) -> None:
    mint = Mint()
    line, topic, _ = mint.line("a")
    for seq in range(1, 10_002):
        rig.queue.put(line, topic, seq)
    assert len(rig.queue) == 10_000
    assert rig.lost == [(1, "overflow")]


@pytest.mark.requirement("1.3")
def test_the_queue_is_bounded_in_bytes_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_BYTES", 5000)
    mint = Mint()
    for number in range(10):
        rig.queue.put(*mint.line("a", "x" * 1000 + str(number)))
    assert rig.queue.bytes <= 5000
    rig.queue.put(*mint.line("a", "x" * 6000))
    assert rig.lost[-1] == (11, "too_large")


def test_the_lowest_priority_gives_way_first(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_MESSAGES", 2)
    mint = Mint()
    rig.queue.put(*mint.line("a", "keep", priority=9))
    rig.queue.put(*mint.line("b", "drop", priority=0))
    rig.queue.put(*mint.line("c", "late", priority=5))
    assert rig.drained() == ["keep", "late"]


def test_higher_priority_leaves_first(rig: Rig) -> None:
    mint = Mint()
    for sender, priority in (("one", 1), ("two", 9), ("three", 5), ("four", 9)):
        rig.queue.put(*mint.line("a", sender, sender=sender, priority=priority))
    assert rig.drained() == ["two", "four", "three", "one"]


@pytest.mark.requirement("1.3")
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 9)), max_size=30
    )
)
def test_priority_never_puts_two_messages_of_one_sender_and_topic_out_of_order(
    sent: list[tuple[str, str, int]],
) -> None:
    rig, mint = Rig(), Mint()
    for number, (topic, sender, priority) in enumerate(sent):
        rig.queue.put(*mint.line(topic, [topic, sender, number], sender=sender, priority=priority))
    left = rig.drained()
    assert len(left) == len(sent)
    for stream in {(topic, sender) for topic, sender, _ in sent}:
        numbers = [n for topic, sender, n in left if (topic, sender) == stream]
        assert numbers == sorted(numbers)


@pytest.mark.requirement("1.3")
def test_what_has_expired_is_not_delivered(rig: Rig) -> None:
    mint = Mint(now_ms=1000)
    for number, ttl in enumerate((None, 500, 5000, 100)):
        rig.queue.put(*mint.line("a", number, ttl=ttl))
    rig.queue.sweep(1499)
    assert rig.lost == [(4, "expired")]
    assert rig.drained(now_ms=1500) == [0, 2]
    assert rig.lost == [(4, "expired"), (2, "expired")]


def test_stamps_are_read_without_being_fooled_by_what_a_sender_wrote() -> None:
    trap = '","priority":9,"ttl":1,"payload":'
    line, _, _ = Mint(now_ms=7).line(trap.replace(".", ""), {trap: trap}, ttl=100, priority=2)
    read = stamps(line)
    assert (read.priority, read.expires_at) == (2, 107)
