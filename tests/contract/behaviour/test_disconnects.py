"""No disconnect is felt: one set of scenarios over Python's client, Node's over pipe and WebSocket,
a page's in Electron, and a page's in a browser.

Numbered messages arrive in order and once, or a gap says what is gone.
"""

import anyio
import msgspec
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.errors import CONNECTION_LOST
from tests.contract.behaviour.desk import Desk, reconnected
from tests.contract.behaviour.record import LIMIT_S
from tests.integration.connections.faultylink import CHUNK_BYTES

pytestmark = pytest.mark.requirement("6.3")

EACH = 20
SLOW_BYTES = 16
"""In one turn of the link's loop."""


def numbered(number: int, padding: int = 0) -> dict[str, object]:
    return {"number": number, "padding": "x" * padding}


async def publish(feed: Client, topic: str, first: int, last: int, **options: object) -> None:
    for number in range(first, last + 1):
        await feed.publish(topic, numbered(number), **options, confirm=True)


@pytest.mark.parametrize("mode", ["live", "acknowledged"])
async def test_a_link_cut_in_the_middle_of_a_frame(desk: Desk, mode: str) -> None:
    topic = f"prices.frame.{mode}"
    await desk.subscribe(topic, mode)  # type: ignore[arg-type]
    async with desk.feed() as feed:
        await publish(feed, topic, 1, 3)
        await desk.reader.number(topic, 3)
        before = desk.link.connections
        desk.link.cut_after(2_000)
        await feed.publish(topic, numbered(4, padding=10_000), confirm=True)
        await publish(feed, topic, 5, 9)
        await desk.reader.number(topic, 9)
    assert desk.link.connections > before
    assert desk.reader.numbers[topic] == list(range(1, 10))
    assert [gap for gap in desk.reader.gaps if gap["topic"] == topic] == []


async def test_a_link_cut_during_a_reply(desk: Desk) -> None:
    topic = "prices.reply"
    async with desk.feed() as feed, feed.subscribe(topic) as heard:
        desk.link.cut_after(10)
        lost = await desk.call(topic, 1)
        await desk.reader.until(lambda: lost in desk.reader.outcomes)
        kept = await desk.call(topic, 2, "queue")
        await desk.reader.until(lambda: kept in desk.reader.outcomes)
        assert desk.reader.outcomes[lost] == CONNECTION_LOST.code
        assert desk.reader.outcomes[kept] is None
        # It was routed once: a call whose answer was lost is the caller's to make again.
        with anyio.fail_after(LIMIT_S):
            seqs = [(await heard.receive()).seq for _ in range(2)]
    assert seqs == [1, 2]


@pytest.mark.parametrize("mode", ["live", "acknowledged"])
@pytest.mark.requirement("2.2")
async def test_a_backend_that_is_killed_and_comes_back(desk: Desk, mode: str) -> None:
    kept, fleeting = f"orders.{mode}", f"prices.{mode}"
    await desk.subscribe(f"*.{mode}", mode)  # type: ignore[arg-type]
    states = len(desk.reader.states)
    async with desk.feed() as feed:
        await publish(feed, kept, 1, 5, durable=True)
        await publish(feed, fleeting, 1, 5)
        await desk.reader.number(fleeting, 5)
        desk.link.cut()
        await publish(feed, kept, 6, 9, durable=True)
        await publish(feed, fleeting, 6, 9)
    await desk.kill_backend()
    async with desk.feed() as feed:
        await publish(feed, kept, 10, 12, durable=True)
        await desk.reader.until(lambda: "open" in desk.reader.states[states:])
        await publish(feed, kept, 13, 15, durable=True)
        await desk.reader.number(kept, 15)
    assert desk.reader.numbers[kept] == list(range(1, 16))
    told = [gap for gap in desk.reader.gaps if gap["reason"] == "restarted"]
    gone = next(gap for gap in told if gap["topic"] == fleeting)
    assert gone["first"] == desk.reader.numbers[fleeting][-1] + 1
    assert gone["last"] >= 9
    assert [gap for gap in told if gap["topic"] == kept] == []
    assert desk.reader.states[states] == "resuming"


@pytest.mark.requirement("6.1")
async def test_what_was_not_acknowledged_comes_again_though_the_backend_was_killed(
    desk: Desk,
) -> None:
    topic = "orders.held"
    await desk.subscribe(topic, "acknowledged")
    async with desk.feed() as feed:
        await publish(feed, topic, 1, 2, durable=True)
        await feed.publish(topic, {"number": 3, "held": True}, durable=True, confirm=True)
        await publish(feed, topic, 4, 5, durable=True)
        await desk.reader.number(topic, 5)
        # Messages that left before this are acknowledged at the backend.
        answered = await desk.call("prices.done", 1)
        await desk.reader.until(lambda: answered in desk.reader.outcomes)
    before = len(desk.reader.states)
    await desk.kill_backend()
    await desk.reader.until(lambda: desk.reader.repeats.get((topic, 3), 0) > before)
    async with desk.feed() as feed:
        await publish(feed, topic, 6, 7, durable=True)
        await desk.reader.number(topic, 7)
    assert desk.reader.numbers[topic] == [1, 2, 3, 4, 5, 6, 7]
    assert {number for (_, number), at in desk.reader.repeats.items() if at > before} <= {3, 4, 5}


@pytest.mark.requirement("6.4")
async def test_a_machine_that_sleeps(desk: Desk) -> None:
    topic = "prices.sleep"
    await desk.subscribe(topic)
    async with desk.feed() as feed:
        await publish(feed, topic, 1, 5)
        await desk.reader.number(topic, 5)
        desk.freeze()
        try:
            await publish(feed, topic, 6, 9)
            with anyio.fail_after(LIMIT_S):
                await desk.link.quiet()
            await publish(feed, topic, 10, 12)
        finally:
            desk.thaw()
        await publish(feed, topic, 13, 15)
        await desk.reader.number(topic, 15)
    assert desk.reader.numbers[topic] == list(range(1, 16))


@pytest.mark.requirement("6.4")
async def test_a_link_that_goes_silent_without_a_word(desk: Desk) -> None:
    topic = "prices.silent"
    await desk.subscribe(topic)
    async with desk.feed() as feed:
        await publish(feed, topic, 1, 5)
        await desk.reader.number(topic, 5)
        desk.link.swallow()
        await publish(feed, topic, 6, 9)
        await desk.reader.number(topic, 9)
        await publish(feed, topic, 10, 12)
        await desk.reader.number(topic, 12)
    assert desk.reader.numbers[topic] == list(range(1, 13))


async def test_a_link_that_is_slow(desk: Desk) -> None:
    topic = "prices.slow"
    await desk.subscribe(topic)
    desk.link.chunk_bytes = SLOW_BYTES
    async with desk.feed() as feed:
        await publish(feed, topic, 1, 50)
        await desk.reader.number(topic, 50)
    desk.link.chunk_bytes = CHUNK_BYTES
    assert desk.reader.numbers[topic] == list(range(1, 51))


async def test_a_hundred_reconnects_under_load(desk: Desk) -> None:
    live, sure, last = "prices.load", "jobs.load", desk.cuts * EACH
    await desk.subscribe(live)
    await desk.subscribe(sure, "acknowledged")
    connections = desk.link.connections
    async with desk.feed() as feed:
        for round_ in range(desk.cuts):
            for number in range(round_ * EACH + 1, (round_ + 1) * EACH + 1):
                await feed.publish(live, numbered(number))
                await feed.publish(sure, numbered(number))
            await feed.call("session.ping")
            await reconnected(desk)
        for topic in (live, sure):
            await desk.reader.number(topic, last)
    told = sum(g["last"] - g["first"] + 1 for g in desk.reader.gaps if g["topic"] == live)
    got = desk.reader.numbers[live]
    assert got == sorted(set(got)), "out of order, or twice"
    assert len(got) + told >= last
    assert desk.reader.numbers[sure] == list(range(1, last + 1))
    assert desk.link.connections - connections >= desk.cuts


@pytest.mark.requirement("6.1")
async def test_a_call_meanwhile_is_refused_or_waits_as_the_caller_chose(desk: Desk) -> None:
    topic = "prices.meanwhile"
    await desk.reader.until(lambda: desk.reader.state == "open")
    target, desk.link.target = desk.link.target, "/nowhere"
    states = len(desk.reader.states)
    desk.link.cut()
    await desk.reader.until(lambda: desk.reader.state == "resuming")
    refused = await desk.call(topic, 1)
    await desk.reader.until(lambda: refused in desk.reader.outcomes)
    waits = await desk.call(topic, 2, "queue")
    assert desk.reader.outcomes[refused] == CONNECTION_LOST.code
    assert waits not in desk.reader.outcomes
    desk.link.target = target
    await desk.reader.until(lambda: waits in desk.reader.outcomes)
    assert desk.reader.outcomes[waits] is None
    await desk.reader.until(lambda: desk.reader.state == "open")
    assert desk.reader.states[states:] == ["resuming", "open"]


@pytest.mark.requirement("6.1")
async def test_a_publish_meanwhile_is_refused_or_waits_its_turn_as_the_sender_chose(
    desk: Desk,
) -> None:
    topic = "prices.posted"
    target = desk.link.target
    async with desk.feed() as feed, feed.subscribe(topic) as heard:
        desk.link.target = "/nowhere"
        desk.link.cut()
        await desk.reader.until(lambda: desk.reader.state == "resuming")
        refused = await desk.post(topic, 1)
        await desk.reader.until(lambda: refused in desk.reader.outcomes)
        assert desk.reader.outcomes[refused] == CONNECTION_LOST.code
        for number in range(2, 12, 2):
            await desk.post(topic, number, "queue")
            await desk.call(topic, number + 1, "queue")
        desk.link.target = target
        await desk.reader.until(lambda: desk.reader.state == "open")
        last = await desk.post(topic, 12)
        await desk.reader.until(lambda: last in desk.reader.outcomes)
        assert desk.reader.outcomes[last] is None
        with anyio.fail_after(LIMIT_S):
            payloads = [msgspec.json.decode((await heard.receive()).payload) for _ in range(11)]
        with pytest.raises(anyio.WouldBlock):
            heard.receive_nowait()
    assert [payload["number"] for payload in payloads] == list(range(2, 13))
