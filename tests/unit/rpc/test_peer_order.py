"""Frames of a link are served in order, calls and messages, however many turns that takes."""

import anyio
import anyio.lowlevel

from deskbus_protocol.bus import MAX_ACKNOWLEDGED_SEQS
from tests.support.linked_backend import LinkClient, LinkedBackend, linked_backend

MANY = 3_000
TOPICS = [f"t.n{number}" for number in range(MANY)]


def payloads(caller: LinkClient) -> list[object]:
    return [params["payload"] for method, params in caller.told if method == "bus.message"]


async def until(caller: LinkClient, count: int) -> None:
    with anyio.fail_after(10):
        while len(payloads(caller)) < count:
            await anyio.lowlevel.checkpoint()


async def reader_of(backend: LinkedBackend, pattern: str) -> LinkClient:
    reader = await backend.connect("app.reader")
    await reader.call("bus.subscribe", {"pattern": pattern})
    return reader


async def test_a_message_does_not_overtake_the_subscription_before_it() -> None:
    async with linked_backend() as backend:
        caller = await backend.connect()
        caller.say("bus.subscribe", {"pattern": "t.a"})
        caller.say("bus.publish", {"topic": "t.a", "payload": 1})
        await until(caller, 1)


async def test_a_message_does_not_overtake_a_call_that_waits_for_its_turn() -> None:
    async with linked_backend() as backend:
        reader, caller = await reader_of(backend, "t.ask"), await backend.connect()
        expected: list[object] = []
        for number in range(40):
            method = ("bus.publish", "bus.request")[number % 3 > 0]
            options = {"timeout": 60_000} if method == "bus.request" else {}
            caller.say(method, {"topic": "t.ask", "payload": number, **options})
            expected.append(number)
        await until(reader, 40)
        assert payloads(reader) == expected


async def test_messages_on_many_new_topics_arrive_in_their_order_over_many_turns() -> None:
    async with linked_backend() as backend:
        reader, caller = await reader_of(backend, "t.#"), await backend.connect()
        for number, topic in enumerate(TOPICS):
            caller.say("bus.publish", {"topic": topic, "payload": number})
        await until(reader, MANY)
        assert payloads(reader) == list(range(MANY))


async def test_another_app_is_served_before_all_that_one_read_has_brought() -> None:
    async with linked_backend() as backend:
        caller, other = await backend.connect(), await backend.connect("app.other")
        for topic in TOPICS:
            caller.say("bus.publish", {"topic": topic, "payload": 1})
        await other.call("session.ping", {})
        assert backend.bus.broker.messages_in < MANY / 2
        caller.say_as(1000, "session.ping", {})
        await caller.call("session.ping", {})
        assert backend.bus.broker.messages_in == MANY


async def test_acknowledgements_are_shared_out_too() -> None:
    async with linked_backend() as backend:
        caller, other = await backend.connect(), await backend.connect("app.other")
        seqs = list(range(1, MAX_ACKNOWLEDGED_SEQS + 1))
        for number in range(100):
            caller.say_as(1000 + number, "bus.ack", {"topic": "t.a", "seqs": seqs})
        await other.call("session.ping", {})
        assert len(caller.unasked) < 100
        await caller.call("session.ping", {})
        assert [frame.id for frame in caller.unasked] == list(range(1000, 1100))


async def test_what_was_read_before_a_link_closed_is_served() -> None:
    async with linked_backend() as backend:
        reader, caller = await reader_of(backend, "t.#"), await backend.connect()
        for number, topic in enumerate(TOPICS):
            caller.say("bus.publish", {"topic": topic, "payload": number})
        await caller.leave()
        await until(reader, MANY)


async def test_a_link_is_not_read_from_until_what_it_sent_is_served() -> None:
    async with linked_backend() as backend:
        caller = await backend.connect()
        link = next(iter(backend.sessions._open.values())).peer._link
        for topic in TOPICS:
            caller.say("bus.publish", {"topic": topic, "payload": 1})
        with anyio.fail_after(20):
            while link._is_reading:
                await anyio.lowlevel.checkpoint()
        assert backend.bus.broker.messages_in < MANY
        await caller.call("session.ping", {})
        with anyio.fail_after(20):
            while not link._is_reading:
                await anyio.lowlevel.checkpoint()
