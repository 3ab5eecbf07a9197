"""A session that has ended leaves nothing behind, and needs no garbage collector for that."""

import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from msgspec import Raw

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import PERMISSION_DENIED, TICKET_REFUSED
from tests.support.memory_bus import MemoryLine
from tests.unit.handlers.house import House, Visitor, house

WARM_UP = 30
TIMES = 60
SLACK = 20
"""Objects by which caches may still grow; one left behind by each visit comes to `TIMES`."""

CANCELLED_TIMERS = ("asyncio.events.TimerHandle", "_contextvars.Context")
"""asyncio keeps up to a hundred of them; they hold nothing."""

Activity = Callable[[House, Visitor], Awaitable[None]]


async def nothing(house: House, visitor: Visitor) -> None:
    """The session alone."""


async def live(house: House, visitor: Visitor) -> None:
    await visitor.call("bus.subscribe", {"pattern": "t.#"})
    await visitor.call("bus.subscribe", {"pattern": "t.exact"})
    await visitor.call("bus.publish", {"topic": "t.exact", "payload": 1})


async def acknowledged(house: House, visitor: Visitor) -> None:
    await visitor.call("bus.subscribe", {"pattern": "t.#", "mode": "acknowledged"})
    await visitor.call("bus.publish", {"topic": "t.exact", "payload": 1})


async def of_sources(house: House, visitor: Visitor) -> None:
    await visitor.call("bus.subscribe", {"pattern": "t.#", "sources": [{"app": "app.one"}]})
    await visitor.call("bus.publish", {"topic": "t.exact", "payload": 1})


async def replayed(house: House, visitor: Visitor) -> None:
    await visitor.call("bus.publish", {"topic": "kept.a", "payload": 1})
    await visitor.call("bus.replay", {"pattern": "kept.#", "since": 0, "follow": True})


async def continued(house: House, visitor: Visitor) -> None:
    params = {"pattern": "kept.#", "mode": "acknowledged", "since": 0, "seen": {}}
    await visitor.call("bus.publish", {"topic": "kept.a", "payload": 1})
    await visitor.call("bus.continue", params)


async def watched(house: House, visitor: Visitor) -> None:
    await visitor.call("bus.watchSubscribers", {"enabled": True})
    await visitor.call("bus.subscribe", {"pattern": "t.#"})


async def asked(house: House, visitor: Visitor) -> None:
    """A request that nobody answers in time, and one that is refused at once."""
    await visitor.call("bus.subscribe", {"pattern": "t.ask"})
    params = {"topic": "t.ask", "payload": 1, "timeout": 1}
    assert (await visitor.ask("bus.request", params)).error is not None
    assert (await visitor.ask("bus.request", {**params, "topic": "t.nobody"})).error is not None


async def refused(house: House, visitor: Visitor) -> None:
    answer = await visitor.ask("session.mintTicket", {"app": "a.b", "client": "main"})
    assert answer.error is not None
    assert answer.error["code"] == PERMISSION_DENIED.code
    assert (await visitor.ask("bus.subscribe", {"pattern": "a..b"})).error is not None
    assert (await visitor.ask("bus.unsubscribe", {"pattern": "never"})).error is not None
    visitor.say("bus.unsubscribe", {"pattern": "never"})
    assert (await visitor.ask("no.such", {})).error is not None


async def left_in_the_middle(house: House, visitor: Visitor) -> None:
    """The link closes while a request waits for its answer."""
    await visitor.call("bus.subscribe", {"pattern": "t.ask"})
    visitor.say("bus.request", {"topic": "t.ask", "payload": 1, "timeout": 60_000})
    await visitor.call("session.ping", {})


async def resumed(house: House, visitor: Visitor) -> None:
    await visitor.call("bus.subscribe", {"pattern": "t.#"})
    token = visitor.token
    await visitor.leave()
    again = house.link()
    await again.call(
        "session.resume", {"resumeToken": token, "protocolVersion": "1", "lastSeqs": {}}
    )
    await again.leave()


async def left_for_good(house: House, visitor: Visitor) -> None:
    await visitor.call("bus.subscribe", {"pattern": "t.#"})
    await visitor.call("session.leave", {})
    assert house.sessions.tokens == 0
    assert (await visitor.ask("bus.subscribe", {"pattern": "t.#"})).error is not None
    assert (await visitor.ask("bus.publish", {"topic": "t.a", "payload": 1})).error is not None


async def stranger(house: House, visitor: Visitor) -> None:
    link = house.link()
    wrong = {"ticket": "no", "app": "app.one", "protocolVersion": "1"}
    assert (await link.ask("session.open", wrong)).error is not None
    await link.leave()


@pytest.fixture
async def home() -> AsyncIterator[House]:
    async with house() as built:
        yield built


async def visit(home: House, number: int, does: Activity) -> None:
    visitor = await home.visit(client=f"client-{number}")
    await does(home, visitor)
    await visitor.leave()
    await home.empty()
    home.pass_the_grace()


@contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def live_objects() -> Counter[str]:
    return Counter(
        f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects()
    )


def grown(before: Counter[str]) -> dict[str, int]:
    more = live_objects() - before
    return {
        name: count
        for name, count in more.items()
        if count > (100 + SLACK if name in CANCELLED_TIMERS else SLACK)
    }


@pytest.mark.parametrize(
    "does",
    [
        *(nothing, live, acknowledged, of_sources, replayed, continued, watched, asked),
        *(refused, left_in_the_middle, resumed, stranger),
        left_for_good,
    ],
)
async def test_a_session_that_ended_leaves_no_object_behind(home: House, does: Activity) -> None:
    with without_collector():
        for number in range(WARM_UP):
            await visit(home, number, does)
        home.forget_the_past()
        before = live_objects()
        for number in range(WARM_UP, WARM_UP + TIMES):
            await visit(home, number, does)
        home.forget_the_past()
        assert grown(before) == {}
    assert not home.bus.members
    assert not home.sessions.tokens


async def test_ten_thousand_clients_come_and_go_and_leave_the_bus_as_it_was(home: House) -> None:
    bus = home.bus

    def come_and_go(number: int) -> None:
        who = ClientId("app.one", f"client-{number}")
        bus.attach(who, MemoryLine(), resume=False)
        bus.subscribe(who, "t.#", "acknowledged" if number % 2 else "live")
        bus.broker.publish(bus.member(who).client, "t.a", Raw(b"1"))
        bus.detach(who)
        home.pass_the_grace()

    with without_collector():
        for number in range(2_000):
            come_and_go(number)
        home.forget_the_past()
        before = live_objects()
        for number in range(10_000):
            come_and_go(number)
        home.forget_the_past()
        assert grown(before) == {}


async def test_a_client_that_can_not_come_back_leaves_no_token(home: House) -> None:
    visitor = await home.visit()
    token = visitor.token
    await visitor.leave()
    await home.empty()
    assert home.sessions.tokens == 1
    home.pass_the_grace()
    assert home.sessions.tokens == 0
    link = home.link()
    params = {"resumeToken": token, "protocolVersion": "1", "lastSeqs": {}}
    answer = await link.ask("session.resume", params)
    assert answer.error is not None
    assert answer.error["code"] == TICKET_REFUSED.code
