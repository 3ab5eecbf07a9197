"""How long the bus keeps what a client that left had, and what it says when that is over."""

from functools import partial

import anyio
import pytest

from deskbus.bus.service import KEEP_ACKNOWLEDGED_MS
from deskbus_protocol.bus import ContinueParams, Mode
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.reconnection import SESSION_GRACE_MS
from tests.support.memory_bus import BusRun, MemoryLine, MemoryLog
from tests.support.messages import read

READER = ClientId("reader", "main")
pytestmark = pytest.mark.requirement("6.3")


class Desk:
    def __init__(self, mode: Mode) -> None:
        self.now = 1_000_000
        self.run = BusRun(1, MemoryLog(), lambda: self.now)
        self.bus = self.run.bus
        self.bus.attach(READER, MemoryLine(), resume=False)
        self.bus.subscribe(READER, "#", mode)
        self.run.publish("brief.a")
        self.bus.detach(READER)

    def pass_ms(self, ms: int) -> None:
        self.now += ms
        self.bus.tick()


@pytest.mark.parametrize(
    ("away_ms", "resumed"), [(SESSION_GRACE_MS - 1, True), (SESSION_GRACE_MS, False)]
)
def test_live_subscriptions_are_kept_for_the_grace_and_not_longer(
    away_ms: int, resumed: bool
) -> None:
    desk = Desk("live")
    desk.pass_ms(away_ms)
    assert desk.bus.attach(READER, MemoryLine(), resume=True) is resumed


@pytest.mark.parametrize(
    ("away_ms", "kept"), [(KEEP_ACKNOWLEDGED_MS - 1, True), (KEEP_ACKNOWLEDGED_MS, False)]
)
def test_acknowledged_subscriptions_keep_their_queue_for_a_day(away_ms: int, kept: bool) -> None:
    desk = Desk("acknowledged")
    desk.pass_ms(SESSION_GRACE_MS)
    desk.run.publish("brief.a")
    desk.pass_ms(away_ms - SESSION_GRACE_MS)
    line = MemoryLine()
    desk.bus.attach(READER, line, resume=True)
    assert [read(frame)["seq"] for frame in line.frames] == ([1, 2] if kept else [])
    assert len(desk.bus.dead_letters) == (0 if kept else 2)


@pytest.mark.parametrize(
    ("mode", "gone", "came", "from_log"),
    [("live", [(2, 2)], [3, 4], 2), ("acknowledged", [], [1, 2, 3, 4], 2)],
)
def test_what_is_too_old_to_be_sent_is_told_as_gone_unless_it_waits(
    mode: Mode, gone: list[tuple[int, int]], came: list[int], from_log: int
) -> None:
    desk = Desk(mode)
    for _ in range(2):
        desk.run.publish("kept.a")
    desk.pass_ms(SESSION_GRACE_MS)
    for _ in range(2):
        desk.run.publish("kept.a")
    line = MemoryLine()
    desk.bus.attach(READER, line, resume=True)
    line.frames.clear()
    params = ContinueParams(
        pattern="kept.#", mode=mode, since=1_000_000, seen={"e001": {"kept.a": 1}}
    )
    sent = anyio.run(partial(desk.run.replays.go_on, READER, params, recent_ms=0))
    told = [read(frame) for frame in line.frames]
    assert [(word["first"], word["last"]) for word in told if "first" in word] == gone
    assert [word["seq"] for word in told if "seq" in word] == came
    assert sent.messages == from_log


def test_after_the_grace_a_client_goes_on_and_hears_exactly_what_is_gone() -> None:
    desk = Desk("live")
    desk.pass_ms(SESSION_GRACE_MS)
    for topic in ("brief.a", "kept.a", "brief.new"):
        desk.run.publish(topic)
    line = MemoryLine()
    desk.bus.attach(READER, line, resume=True)
    params = ContinueParams(pattern="#", since=1_000_000, seen={"e001": {"brief.a": 1}})
    sent = anyio.run(desk.run.replays.go_on, READER, params)
    told = [read(frame) for frame in line.frames]
    gaps = {(word["topic"], word["first"], word["last"]) for word in told if "reason" in word}
    assert gaps == {("brief.a", 2, 2), ("brief.new", 1, 1)}
    assert told[2] == {"pattern": "#"}
    assert [word["topic"] for word in told[3:]] == ["kept.a"]
    assert sent.messages == 1
