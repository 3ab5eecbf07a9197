"""The debt to an acknowledging client after a new beginning, in a bus that is all in memory."""

import anyio
import pytest
from msgspec import UNSET

from deskbus.bus.delivery import acknowledged
from deskbus_protocol.bus import ContinueParams, Unacknowledged
from deskbus_protocol.envelope import ClientId
from tests.support.memory_bus import BusRun, MemoryLine, MemoryLog
from tests.support.messages import read

READER = ClientId("reader", "main")
pytestmark = pytest.mark.requirement("6.3")


class Desk:
    """The second run of a backend; in the first `before` messages were published."""

    def __init__(self, before: int, topics: tuple[str, ...] = ("kept.a",)) -> None:
        self.log = MemoryLog()
        first = BusRun(1, self.log, lambda: 1_000)
        for _ in range(before):
            for topic in topics:
                first.publish(topic)
        self.now = 2_000
        self.run = BusRun(2, self.log, lambda: self.now)
        self.line = MemoryLine()
        self.run.bus.attach(READER, self.line, resume=True)
        self.window = self.run.bus.member(READER).window

    async def go_on(
        self, pattern: str, seen: int, unacknowledged: list[int], since: int = 1_000
    ) -> int:
        seqs = {"e001": {"kept.a": unacknowledged}}
        params = ContinueParams(
            pattern=pattern,
            mode="acknowledged",
            since=since,
            seen={"e001": {"kept.a": seen}},
            unacknowledged=Unacknowledged(1_000, seqs) if unacknowledged else UNSET,
        )
        return (await self.run.replays.go_on(READER, params)).messages

    @property
    def came(self) -> list[tuple[int, int]]:
        """Seq and redelivery of each message."""
        found = [read(frame) for frame in self.line.frames]
        return [(m["seq"], m.get("redelivery", 0)) for m in found if "seq" in m]


async def test_what_was_not_acknowledged_comes_again_marked_before_what_is_new() -> None:
    desk = Desk(5)
    assert await desk.go_on("kept.#", seen=4, unacknowledged=[2]) == 2
    assert desk.came == [(2, 1), (5, 0)]


async def test_what_came_out_of_the_log_comes_again_until_it_is_acknowledged() -> None:
    desk = Desk(2)
    await desk.go_on("kept.#", seen=0, unacknowledged=[])
    desk.window.acknowledge("kept.a", [1], "e001")
    desk.now = 4_000
    desk.window.tick()
    assert desk.came == [(1, 0), (2, 0), (2, 1)]


async def test_patterns_that_overlap_bring_a_message_once() -> None:
    desk = Desk(3)
    await desk.go_on("kept.#", seen=1, unacknowledged=[1])
    desk.window.acknowledge("kept.a", [2], "e001")
    assert await desk.go_on("#", seen=1, unacknowledged=[1]) == 0
    assert desk.came == [(1, 1), (2, 0), (3, 0)]


async def test_what_an_earlier_pattern_does_not_reach_back_to_comes_by_the_next() -> None:
    desk = Desk(1)
    assert await desk.go_on("kept.a", seen=0, unacknowledged=[], since=1_500) == 0
    assert await desk.go_on("#", seen=0, unacknowledged=[]) == 1
    assert desk.came == [(1, 0)]


async def test_the_log_waits_for_a_client_that_acknowledges_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acknowledged, "MAX_IN_FLIGHT", 2)
    desk = Desk(5)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.go_on, "kept.#", 0, [])
        await anyio.wait_all_tasks_blocked()
        assert [seq for seq, _ in desk.came] == [1, 2]
        desk.window.acknowledge("kept.a", [1, 2], "e001")
        await anyio.wait_all_tasks_blocked()
        assert [seq for seq, _ in desk.came] == [1, 2, 3, 4]
        desk.run.publish("kept.a")
        desk.window.acknowledge("kept.a", [3, 4], "e001")
    desk.window.acknowledge("kept.a", [5], "e001")
    assert [seq for seq, _ in desk.came] == [1, 2, 3, 4, 5, 6]
