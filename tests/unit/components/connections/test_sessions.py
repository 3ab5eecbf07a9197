"""A session that has ended leaves nothing behind, and needs no garbage collector for that."""

import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio
import pytest
from msgspec import Raw

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import PERMISSION_DENIED, TICKET_REFUSED
from tests.support.linked_backend import LinkClient, LinkedBackend, linked_backend
from tests.support.memory_bus import MemoryLine

WARM_UP = 30
TIMES = 60
SLACK = 20
"""Objects by which caches may still grow; one left behind by each visit comes to `TIMES`."""

CANCELLED_TIMERS = ("asyncio.events.TimerHandle", "_contextvars.Context")
"""asyncio keeps up to a hundred of them; they hold nothing."""

Activity = Callable[[LinkedBackend, LinkClient], Awaitable[None]]


async def nothing(backend: LinkedBackend, caller: LinkClient) -> None:
    """The session alone."""


async def live(backend: LinkedBackend, caller: LinkClient) -> None:
    await caller.call("bus.subscribe", {"pattern": "t.#"})
    await caller.call("bus.subscribe", {"pattern": "t.exact"})
    await caller.call("bus.publish", {"topic": "t.exact", "payload": 1})


async def acknowledged(backend: LinkedBackend, caller: LinkClient) -> None:
    await caller.call("bus.subscribe", {"pattern": "t.#", "mode": "acknowledged"})
    await caller.call("bus.publish", {"topic": "t.exact", "payload": 1})


async def of_sources(backend: LinkedBackend, caller: LinkClient) -> None:
    await caller.call("bus.subscribe", {"pattern": "t.#", "sources": [{"app": "app.one"}]})
    await caller.call("bus.publish", {"topic": "t.exact", "payload": 1})


async def replayed(backend: LinkedBackend, caller: LinkClient) -> None:
    await caller.call("bus.publish", {"topic": "kept.a", "payload": 1})
    await caller.call("bus.replay", {"pattern": "kept.#", "since": 0, "follow": True})


async def continued(backend: LinkedBackend, caller: LinkClient) -> None:
    params = {"pattern": "kept.#", "mode": "acknowledged", "since": 0, "seen": {}}
    await caller.call("bus.publish", {"topic": "kept.a", "payload": 1})
    await caller.call("bus.continue", params)


async def watched(backend: LinkedBackend, caller: LinkClient) -> None:
    await caller.call("bus.watchSubscribers", {"enabled": True})
    await caller.call("bus.subscribe", {"pattern": "t.#"})


async def asked(backend: LinkedBackend, caller: LinkClient) -> None:
    """A request that nobody answers in time, and one that is refused at once."""
    await caller.call("bus.subscribe", {"pattern": "t.ask"})
    params = {"topic": "t.ask", "payload": 1, "timeout": 1}
    assert (await caller.ask("bus.request", params)).error is not None
    assert (await caller.ask("bus.request", {**params, "topic": "t.nobody"})).error is not None


async def refused(backend: LinkedBackend, caller: LinkClient) -> None:
    answer = await caller.ask("session.mintTicket", {"app": "a.b", "client": "main"})
    assert answer.error is not None
    assert answer.error["code"] == PERMISSION_DENIED.code
    assert (await caller.ask("bus.subscribe", {"pattern": "a..b"})).error is not None
    assert (await caller.ask("bus.unsubscribe", {"pattern": "never"})).error is not None
    caller.say("bus.unsubscribe", {"pattern": "never"})
    assert (await caller.ask("no.such", {})).error is not None


async def left_in_the_middle(backend: LinkedBackend, caller: LinkClient) -> None:
    """The link closes while a request waits for its answer."""
    await caller.call("bus.subscribe", {"pattern": "t.ask"})
    caller.say("bus.request", {"topic": "t.ask", "payload": 1, "timeout": 60_000})
    await caller.call("session.ping", {})


async def resumed(backend: LinkedBackend, caller: LinkClient) -> None:
    await caller.call("bus.subscribe", {"pattern": "t.#"})
    token = caller.token
    await caller.leave()
    again = backend.link()
    await again.call(
        "session.resume", {"resumeToken": token, "protocolVersion": "1", "lastSeqs": {}}
    )
    await again.leave()


async def left_for_good(backend: LinkedBackend, caller: LinkClient) -> None:
    await caller.call("bus.subscribe", {"pattern": "t.#"})
    await caller.call("session.leave", {})
    assert backend.sessions.tokens == 0
    assert (await caller.ask("bus.subscribe", {"pattern": "t.#"})).error is not None
    assert (await caller.ask("bus.publish", {"topic": "t.a", "payload": 1})).error is not None


async def stranger(backend: LinkedBackend, caller: LinkClient) -> None:
    link = backend.link()
    wrong = {"ticket": "no", "app": "app.one", "protocolVersion": "1"}
    assert (await link.ask("session.open", wrong)).error is not None
    await link.leave()


@pytest.fixture
async def backend() -> AsyncIterator[LinkedBackend]:
    async with linked_backend() as built:
        yield built


async def visit(backend: LinkedBackend, number: int, does: Activity) -> None:
    caller = await backend.connect(client=f"client-{number}")
    await does(backend, caller)
    await caller.leave()
    await backend.empty()
    backend.pass_the_grace()


@contextmanager
def without_collector() -> Iterator[None]:
    """Neither the collector nor `live_objects` looks at objects of before."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


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
async def test_a_session_that_ended_leaves_no_object_behind(
    backend: LinkedBackend, does: Activity, leak_rounds: Callable[[int], int]
) -> None:
    times = leak_rounds(TIMES)
    with without_collector():
        for number in range(WARM_UP):
            await visit(backend, number, does)
        backend.forget_the_past()
        before = live_objects()
        for number in range(WARM_UP, WARM_UP + times):
            await visit(backend, number, does)
        backend.forget_the_past()
        assert grown(before) == {}
    assert not backend.bus.members
    assert not backend.sessions.tokens


async def test_ten_thousand_clients_come_and_go_and_leave_the_bus_as_it_was(
    backend: LinkedBackend,
) -> None:
    bus = backend.bus

    def come_and_go(number: int) -> None:
        who = ClientId("app.one", f"client-{number}")
        bus.attach(who, MemoryLine(), resume=False)
        bus.subscribe(who, "t.#", "acknowledged" if number % 2 else "live")
        bus.broker.publish(bus.member(who).client, "t.a", Raw(b"1"))
        bus.detach(who)
        backend.pass_the_grace()

    with without_collector():
        for number in range(2_000):
            come_and_go(number)
        backend.forget_the_past()
        before = live_objects()
        for number in range(10_000):
            come_and_go(number)
        backend.forget_the_past()
        assert grown(before) == {}


async def test_a_client_that_can_not_come_back_leaves_no_token(backend: LinkedBackend) -> None:
    caller = await backend.connect()
    token = caller.token
    await caller.leave()
    await backend.empty()
    assert backend.sessions.tokens == 1
    backend.pass_the_grace()
    assert backend.sessions.tokens == 0
    link = backend.link()
    params = {"resumeToken": token, "protocolVersion": "1", "lastSeqs": {}}
    answer = await link.ask("session.resume", params)
    assert answer.error is not None
    assert answer.error["code"] == TICKET_REFUSED.code


async def test_a_ticket_of_a_client_that_was_ended_opens_no_session(
    backend: LinkedBackend,
) -> None:
    ticket = backend.sessions.mint(ClientId("app.one", "tab-1"))
    backend.sessions.end_clients("app.one", lambda client: client == "tab-1")
    params = {"ticket": ticket, "app": "app.one", "protocolVersion": "1"}
    answer = await backend.link().ask("session.open", params)
    assert answer.error is not None
    assert answer.error["code"] == TICKET_REFUSED.code


@pytest.mark.parametrize("way", ["session.open", "session.resume"])
async def test_a_session_that_was_about_to_open_as_its_client_was_ended_does_not(
    backend: LinkedBackend, way: str
) -> None:
    caller = await backend.connect(client="tab-1")
    await caller.leave()
    await backend.empty()
    params: dict[str, object] = {"protocolVersion": "1", "lastSeqs": {}}
    if way == "session.open":
        ticket = backend.sessions.mint(ClientId("app.one", "tab-1"))
        params |= {"ticket": ticket, "app": "app.one", "resume": True}
    else:
        params["resumeToken"] = caller.token
    codes: list[int] = []

    async def comes_back() -> None:
        answer = await backend.link().ask(way, params)
        assert answer.error is not None
        codes.append(answer.error["code"])

    async with anyio.create_task_group() as tasks:
        async with backend.bus.scans.take("app.one"):
            tasks.start_soon(comes_back)
            await anyio.wait_all_tasks_blocked()
            backend.sessions.end_clients("app.one", lambda client: client == "tab-1")
    assert codes == [TICKET_REFUSED.code]
    assert backend.sessions.open_sessions == 0
    assert backend.sessions.tokens == 0

    await backend.connect(client="tab-1")
    assert backend.sessions.open_sessions == 1
