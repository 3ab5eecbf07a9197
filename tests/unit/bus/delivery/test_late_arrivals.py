"""Messages for many absent clients are put into their queues a little later, and none is lost."""

from collections.abc import Callable

import msgspec
import pytest
from msgspec import Raw

from deskbus.bus.delivery import late_arrivals, offline_queue
from deskbus.reliability.fair_queue import Piece
from deskbus.reliability.work_clock import work_s
from deskbus_protocol.envelope import ClientId
from tests.support.memory_bus import FEED, BusRun, MemoryLine, MemoryLog

CLIENTS = [ClientId("app.away", f"c{number}") for number in range(60)]
PUBLISHED = 20
APP_ROOM = 240
"""Four messages of each client; the others are lost."""


class Turns:
    """Turns of an event loop: `next` does a piece of what was put off."""

    def __init__(self) -> None:
        self._works: list[Callable[[], bool]] = []

    def later(self, work: Callable[[], bool]) -> None:
        self._works.append(work)

    def next(self) -> bool:
        """Whether there was something to do."""
        works, self._works = self._works, []
        self._works += [work for work in works if work()]
        return bool(works)


class Crowd:
    """A bus on which all `CLIENTS` are away, and have subscribed."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.bus = BusRun(1, MemoryLog(), lambda: 1_000_000).bus
        self.late = self.bus._late = late_arrivals.LateArrivals(self.turns.later)
        for client in CLIENTS:
            self.bus.attach(client, MemoryLine(), resume=False)
            self.bus.subscribe(client, "news.#", "live")
            self.bus.detach(client)

    def publish(self, times: int = 1) -> None:
        feed = self.bus.member(FEED).client
        for number in range(times):
            self.bus.broker.publish(feed, "news.today", Raw(b"%d" % number))

    def finish(self) -> None:
        while self.turns.next():
            pass

    @property
    def letters(self) -> int:
        return sum(self.bus.dead_letters.counts.values())

    def come_back(self, client: ClientId) -> tuple[list[int], set[int]]:
        """The seqs that a client gets, and those that it is told are lost."""
        line = MemoryLine()
        assert self.bus.attach(client, line, resume=True)
        got, lost = [], set()
        for each in line.frames:
            frame = msgspec.json.decode(each)
            params = frame["params"]
            if frame["method"] == "bus.gap":
                lost |= set(range(params["first"], params["last"] + 1))
            else:
                got.append(params["seq"])
        return got, lost


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    monkeypatch.setattr(offline_queue, "APP_MESSAGES", APP_ROOM)
    return Crowd()


@pytest.mark.requirement("C")
def test_one_message_for_many_is_put_into_few_queues_at_once(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd.publish(PUBLISHED)
    crowd.finish()
    monkeypatch.setattr(Piece, "is_over", True)
    lost = crowd.letters
    crowd.publish()
    assert crowd.letters == lost + late_arrivals.AT_ONCE
    for number in range(late_arrivals.AT_ONCE, len(CLIENTS)):
        assert crowd.letters == lost + number
        assert crowd.turns.next()
    assert crowd.letters == lost + len(CLIENTS)


@pytest.mark.requirement("1.3")
@pytest.mark.requirement("1.4")
@pytest.mark.parametrize("is_finished", [True, False])
def test_each_client_gets_or_is_told_of_every_message_once(crowd: Crowd, is_finished: bool) -> None:
    """Also one that comes back before its turn has come."""
    crowd.publish(PUBLISHED)
    assert crowd.late.messages > len(CLIENTS)
    if is_finished:
        crowd.finish()
    lost_by_all = 0
    for client in CLIENTS:
        got, lost = crowd.come_back(client)
        assert got == sorted(got)
        assert sorted([*got, *lost]) == list(range(1, PUBLISHED + 1))
        lost_by_all += len(lost)
    crowd.finish()
    assert crowd.late.messages == crowd.late.bytes == 0
    assert crowd.letters == crowd.bus.dead_letters.counts["overflow"] == lost_by_all
    if is_finished:
        assert lost_by_all == len(CLIENTS) * PUBLISHED - APP_ROOM


@pytest.mark.requirement("C")
def test_what_is_put_off_counts_for_the_turn_of_whoever_published(crowd: Crowd) -> None:
    crowd.publish()
    put_off_s = (len(CLIENTS) - late_arrivals.AT_ONCE) * late_arrivals.PUT_S
    before = work_s._put_off_s
    crowd.finish()
    crowd.publish()
    assert work_s._put_off_s - before == pytest.approx(put_off_s)


@pytest.mark.requirement("C")
@pytest.mark.parametrize("bound", ["MAX_MESSAGES", "MAX_BYTES"])
def test_no_more_is_put_off_than_there_is_room_for(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    room = {"MAX_MESSAGES": 50, "MAX_BYTES": 10_000}[bound]
    monkeypatch.setattr(late_arrivals, bound, room)
    crowd.publish(PUBLISHED)
    assert 0 < {"MAX_MESSAGES": crowd.late.messages, "MAX_BYTES": crowd.late.bytes}[bound] <= room
    crowd.finish()
    got, lost = crowd.come_back(CLIENTS[-1])
    assert sorted([*got, *lost]) == list(range(1, PUBLISHED + 1))


@pytest.mark.requirement("1.4")
def test_what_was_put_off_for_a_client_that_leaves_for_good_is_dead(crowd: Crowd) -> None:
    crowd.publish(PUBLISHED)
    for client in CLIENTS:
        crowd.bus.leave(client)
    crowd.finish()
    assert crowd.late.messages == crowd.late.bytes == 0
    assert crowd.letters == len(CLIENTS) * PUBLISHED
