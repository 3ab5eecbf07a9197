"""A watcher of subscribers hears of each change in order, however many there are at once."""

import json
from collections.abc import Callable

import pytest

from deskbus.bus.member import Member
from deskbus.bus.presence import SubscriberPresence
from deskbus.reliability import fair_queue
from deskbus_protocol.envelope import ClientId
from tests.support.memory_bus import BusRun, MemoryLine, MemoryLog

WATCHER = ClientId("watcher", "main")
BUSY = ClientId("busy", "main")


class Desk:
    def __init__(self) -> None:
        self.bus = BusRun(1, MemoryLog(), lambda: 0).bus
        self.line = MemoryLine()
        self.bus.attach(WATCHER, self.line, resume=False)
        self.bus.attach(BUSY, MemoryLine(), resume=False)
        self.works: list[Callable[[], bool]] = []
        self.presence = SubscriberPresence(lambda *_: True, self.works.append)
        self.watcher, self.busy = self.bus.member(WATCHER), self.bus.member(BUSY)

    def watch(self, *others: Member) -> list[str]:
        found = [found for found in self.presence.watch(self.watcher, list(others)) if found]
        return [word.pattern for word in found[-1]] if found else []

    @property
    def told(self) -> list[tuple[str, str]]:
        frames = map(json.loads, self.line.frames)
        return [
            (frame["method"][len("bus.subscriber") :], frame["params"]["pattern"])
            for frame in frames
        ]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_change_is_told_at_once(desk: Desk) -> None:
    desk.watch(desk.busy)
    desk.presence.added(desk.busy, "a")
    desk.presence.removed(desk.busy, "a", away=False)
    assert desk.told == [("Added", "a"), ("Removed", "a")]
    assert desk.works == []


@pytest.mark.requirement("C")
def test_many_changes_are_told_in_pieces_and_what_is_over_again_is_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.watch(desk.busy)
    monkeypatch.setattr(fair_queue, "PIECE_S", 0.0)
    for name in ("a", "b", "c"):
        desk.presence.added(desk.busy, name)
    desk.presence.removed(desk.busy, "a", away=False)
    desk.presence.removed(desk.busy, "b", away=False)
    assert desk.told == [("Added", "a")]
    while desk.works[0]():
        pass
    assert desk.told == [("Added", "a"), ("Added", "c"), ("Removed", "a")]


@pytest.mark.requirement("C")
def test_the_first_list_is_made_in_pieces_and_tells_what_is_so_at_its_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_queue, "PIECE_S", 0.0)
    for name in ("a", "b", "c"):
        desk.bus.subscribe(BUSY, name, "live")
    steps = desk.presence.watch(desk.watcher, [desk.busy])
    assert next(steps) is None
    desk.bus.unsubscribe(BUSY, "a")
    assert [word.pattern for found in steps if found for word in found] == ["b", "c"]
