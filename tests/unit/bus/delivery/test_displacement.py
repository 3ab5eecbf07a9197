"""A message that is as long as thousands makes its room piece by piece, in every queue."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import pytest

from deskbus.bus.delivery.acknowledged import MAX_WAITING_BYTES, AcknowledgedOutlet
from deskbus.bus.delivery.displacement import DISPLACED_AT_ONCE
from deskbus.bus.delivery.offline_queue import MAX_BYTES, OfflineQueue

SHORT_BYTES = MAX_BYTES // 1000
LONG_BYTES = MAX_BYTES // 4


class Queue(Protocol):
    def put(self, line: bytes, topic: str | None, seq: int) -> None: ...

    def __len__(self) -> int: ...


class Full(NamedTuple):
    """A queue that has no room left; `later` is what it put off, `lost` the seqs of what went."""

    queue: Queue
    later: list[Callable[[], bool]]
    lost: list[int]

    def put(self, size: int, seq: int) -> None:
        self.queue.put(_line(size), "a", seq)


def _line(size: int) -> bytes:
    head = (
        b'{"jsonrpc":"2.0","method":"bus.message","params":{"topic":"a","sender":{"app":"b",'
        b'"client":"c"},"epoch":"e","seq":1,"id":"i","correlationId":"c","timestamp":1,"payload":"'
    )
    return head + b"x" * (size - len(head) - 4) + b'"}}\n'


def _offline(later: list[Callable[[], bool]], lost: list[int]) -> Queue:
    return OfflineQueue(lambda item, _: lost.append(item.seq), later=later.append)


def _acknowledged(later: list[Callable[[], bool]], lost: list[int]) -> Queue:
    return AcknowledgedOutlet(
        lambda: 0, lambda: 0, lambda pending, _: lost.append(pending.seq), later=later.append
    )


@pytest.fixture(params=[_offline, _acknowledged])
def full(request: pytest.FixtureRequest) -> Full:
    later: list[Callable[[], bool]] = []
    lost: list[int] = []
    made = Full(request.param(later, lost), later, lost)
    assert MAX_WAITING_BYTES == MAX_BYTES
    for seq in range(1000):
        made.put(SHORT_BYTES, seq)
    assert lost == []
    return made


@pytest.mark.requirement("C")
def test_few_give_way_at_once_and_the_others_later(full: Full) -> None:
    full.put(LONG_BYTES, 1000)
    assert full.lost == list(range(DISPLACED_AT_ONCE))
    (work,) = full.later
    while work():
        pass
    assert full.lost == list(range(250))
    assert len(full.queue) == 751


@pytest.mark.requirement("C")
def test_what_comes_before_there_is_room_is_lost_itself(full: Full) -> None:
    for seq in range(1000, 1010):
        full.put(LONG_BYTES, seq)
    assert len(full.later) == 1
    assert set(range(1001, 1010)) < set(full.lost)
    assert 1000 not in full.lost
    assert sum(seq < 1000 for seq in full.lost) == 10 * DISPLACED_AT_ONCE


def test_once_there_is_room_the_newest_stay_again(full: Full) -> None:
    for seq in (1000, 1001):
        full.put(LONG_BYTES, seq)
        while full.later[-1]():
            pass
    assert len(full.later) == 2
    assert full.lost == list(range(len(full.lost)))
