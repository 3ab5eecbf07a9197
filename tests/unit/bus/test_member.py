"""Messages that waited for a client go out piece by piece, before those that come meanwhile."""

import pytest

from deskbus.reliability import fair_queue
from deskbus_protocol.envelope import ClientId
from tests.support.memory_bus import BusRun, MemoryLine, MemoryLog
from tests.support.messages import read

READER = ClientId("reader", "main")


class Desk:
    def __init__(self) -> None:
        self.run = BusRun(1, MemoryLog(), lambda: 0)
        self.bus = self.run.bus
        self.bus.attach(READER, MemoryLine(), resume=False)
        self.bus.subscribe(READER, "#", "live")
        self.bus.detach(READER)

    def come_back(self) -> MemoryLine:
        line = MemoryLine()
        assert self.bus.attach(READER, line, resume=True, at_once=False)
        return line

    def go_on(self) -> None:
        while self.bus.member(READER).go_on():
            pass


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(fair_queue, "PIECE_S", 0.0)
    return Desk()


def seqs(line: MemoryLine) -> list[int]:
    return [read(frame)["seq"] for frame in line.frames]


@pytest.mark.requirement("C")
def test_live_messages_wait_until_all_that_waited_has_gone_out(desk: Desk) -> None:
    for _ in range(3):
        desk.run.publish("brief.a")
    line = desk.come_back()
    assert desk.bus.member(READER).go_on()
    assert seqs(line) == [1]
    desk.run.publish("brief.a")
    assert seqs(line) == [1]
    desk.go_on()
    assert seqs(line) == [1, 2, 3, 4]
    desk.run.publish("brief.a")
    assert seqs(line) == [1, 2, 3, 4, 5]


@pytest.mark.requirement("1.3")
def test_a_client_that_is_cut_off_between_two_pieces_gets_the_rest_when_it_is_back(
    desk: Desk,
) -> None:
    for _ in range(3):
        desk.run.publish("brief.a")
    line = desk.come_back()
    desk.bus.member(READER).go_on()
    desk.bus.detach(READER)
    desk.run.publish("brief.a")
    again = desk.come_back()
    desk.go_on()
    assert seqs(line) + seqs(again) == [1, 2, 3, 4]
