"""Delivery to clients that come and go, and the log of persisted topics, end to end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest

from deskbus_protocol.bus import GapParams, RefusedParams
from deskbus_protocol.client import Client, Message, connect, open_session
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.history import BusStats
from tests.integration.schema_validator import SchemaValidator
from tests.integration.shell import LIMIT_S, TestShell, start_shell

CONFIG = """
[persistence]
topics = ["orders.#"]
"""


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG, consent="allow") as shell:
        yield shell


def number(message: Message) -> int:
    return int(msgspec.json.decode(message.payload))


@asynccontextmanager
async def resumed(
    desk: TestShell, app: str, pattern: str, gaps: list[GapParams] | None = None
) -> AsyncIterator[tuple[Client, object]]:
    """A client that comes back and listens before it does."""
    ticket = await desk.ticket(app)
    async with connect(desk.hello.pipe, on_frame=SchemaValidator()) as client:
        client.on_gap = None if gaps is None else gaps.append
        async with client.listen(pattern) as messages:
            opened = await open_session(client, ticket, app, resume=True)
            assert opened.resumed
            yield client, messages


async def take(messages: object, count: int) -> list[Message]:
    with anyio.fail_after(LIMIT_S):
        return [await messages.receive() for _ in range(count)]  # type: ignore[attr-defined]


async def take_new(messages: object, count: int, *, after: int = 0) -> list[Message]:
    """The next messages of one topic, without what comes again as this machine is slow to
    acknowledge, and without those up to the seq `after`.
    """
    taken: dict[int, Message] = {}
    while len(taken) < count:
        (message,) = await take(messages, 1)
        if message.seq > after:
            taken.setdefault(message.seq, message)
    return list(taken.values())


async def gone(desk: TestShell, app: str) -> None:
    """Returns when the backend has seen that the app's client has left."""
    with anyio.fail_after(LIMIT_S):
        while True:
            queues = (await desk.client.call("bus.queued", result=dict))["queues"]
            if any(queue["app"] == app and not queue["online"] for queue in queues):
                return


@pytest.mark.requirement("1.3")
async def test_what_was_published_while_a_client_was_away_comes_when_it_is_back(
    desk: TestShell,
) -> None:
    async with desk.app("desk.feed") as feed:
        async with desk.app("desk.blotter") as blotter:
            await blotter.call("bus.subscribe", {"pattern": "prices.#"})
        await gone(desk, "desk.blotter")
        for n in range(10_000):
            await feed.publish("prices.EURUSD", n)
        await feed.publish("prices.EURUSD", 10_000, confirm=True)
        told: list[GapParams] = []
        async with resumed(desk, "desk.blotter", "prices.#", told) as (_, messages):
            await feed.publish("prices.EURUSD", 10_001, confirm=True)
            got = [number(message) for message in await take(messages, 10_001)]
    assert got == list(range(1, 10_002))
    assert [(gap.first, gap.last, gap.reason) for gap in told] == [(1, 1, "overflow")]


@pytest.mark.requirement("1.4")
async def test_dead_letters_are_listed_redriven_and_purged(desk: TestShell) -> None:
    async with desk.app("desk.feed") as feed:
        async with desk.app("desk.blotter") as blotter:
            await blotter.call("bus.subscribe", {"pattern": "prices.#"})
        await gone(desk, "desk.blotter")
        for n in range(3):
            await feed.publish("prices.EURUSD", n, ttl=1, confirm=True)
        with anyio.fail_after(LIMIT_S):
            while True:
                letters = await desk.client.call("bus.deadLetters", {}, result=dict)
                if letters["total"] == 3:
                    break
        assert {letter["reason"] for letter in letters["letters"]} == {"expired"}
        assert letters["letters"][0]["message"]["payload"] == 2
        first = letters["letters"][-1]["number"]
        async with resumed(desk, "desk.blotter", "prices.#") as (_, messages):
            driven = await desk.client.call("bus.redrive", {"numbers": [first]}, result=dict)
            assert driven == {"done": 1, "left": 0}
            assert [number(message) for message in await take(messages, 1)] == [0]
        assert await desk.client.call("bus.purge", {}, result=dict) == {"done": 2, "left": 0}
        assert (await desk.client.call("bus.deadLetters", {}, result=dict))["total"] == 0


@pytest.mark.requirement("6.1")
async def test_an_unacknowledged_message_comes_again_and_says_so(desk: TestShell) -> None:
    async with desk.app("desk.feed") as feed, desk.app("desk.blotter") as blotter:
        async with blotter.subscribe("orders.#", mode="acknowledged") as orders:
            await feed.publish("orders.new", 1, confirm=True)
            first, again = await take(orders, 2)
            assert (first.redelivery or None, again.redelivery) == (None, 1)
            await blotter.acknowledge(again)
            await feed.publish("orders.new", 2, confirm=True)
            (second,) = await take_new(orders, 1, after=again.seq)
            await blotter.acknowledge(second)
            # Acknowledgements are taken in before what comes behind them on their link.
            await blotter.call("session.ping")
            stats = await desk.client.call("bus.stats", result=dict)
    assert number(second) == 2
    assert stats["unacknowledged"] == 0


@pytest.mark.requirement("6.1")
async def test_no_acknowledgement_is_dropped_however_many_come_at_once(desk: TestShell) -> None:
    async with desk.app("desk.feed") as feed, desk.app("desk.blotter") as blotter:
        async with blotter.subscribe("orders.#", mode="acknowledged") as orders:
            for n in range(900):
                await feed.publish("orders.new", n)
            got = await take_new(orders, 900)
            async with anyio.create_task_group() as tasks:
                for message in got:
                    tasks.start_soon(blotter.acknowledge, message)
            await blotter.call("session.ping")
            stats = await desk.client.call("bus.stats", result=dict)
    assert stats["unacknowledged"] == 0


async def test_a_notification_that_fails_is_told(desk: TestShell) -> None:
    told: list[RefusedParams] = []
    came = anyio.Event()
    async with desk.app("desk.feed") as feed:

        def on_refused(word: RefusedParams) -> None:
            told.append(word)
            came.set()

        feed.on_refused = on_refused
        await feed.notify("bus.unsubscribe", {"pattern": "never.was"})
        with anyio.fail_after(LIMIT_S):
            await came.wait()
    assert (told[0].method, told[0].code) == ("bus.unsubscribe", -32019)


@pytest.mark.requirement("1.3")
async def test_unacknowledged_messages_come_again_after_a_reconnect(desk: TestShell) -> None:
    async with desk.app("desk.feed") as feed:
        async with desk.app("desk.blotter") as blotter:
            await blotter.call("bus.subscribe", {"pattern": "orders.#", "mode": "acknowledged"})
            async with blotter.listen("orders.#") as orders:
                await feed.publish("orders.new", 1, confirm=True)
                await take(orders, 1)
        await gone(desk, "desk.blotter")
        await feed.publish("orders.new", 2, confirm=True)
        async with resumed(desk, "desk.blotter", "orders.#") as (_, messages):
            again, new = await take_new(messages, 2)
    assert (number(again), number(new)) == (1, 2)
    assert again.redelivery
    assert not new.redelivery


@pytest.mark.requirement("7.1")
async def test_statistics_count_what_happened(desk: TestShell) -> None:
    async with desk.app("desk.feed") as feed, desk.app("desk.blotter") as blotter:
        async with blotter.subscribe("prices.#") as prices:
            for n in range(10):
                await feed.publish("prices.EURUSD", n, confirm=True)
            await take(prices, 10)
            stats = await desk.client.call("bus.stats", result=dict)
    assert (stats["messagesIn"], stats["messagesOut"]) == (10, 10)
    assert (stats["subscriptions"], stats["topics"]) == (1, 1)
    assert stats["cacheHits"] == 9


@pytest.mark.requirement("7.1")
async def test_every_field_of_the_statistics_says_what_is_there(desk: TestShell) -> None:
    """The shell and two apps are here, one of which does not acknowledge; a third is away, with
    messages that wait for it; of three that expired two are still among the dead letters.
    """
    async with (
        desk.app("desk.feed") as feed,
        desk.app("desk.ticker") as ticker,
        ticker.subscribe("orders.#", mode="acknowledged") as orders,
    ):
        async with desk.app("desk.blotter") as blotter:
            await blotter.call("bus.subscribe", {"pattern": "prices.#"})
            await blotter.call("bus.subscribe", {"pattern": "news"})
        await gone(desk, "desk.blotter")
        for _ in range(3):
            await feed.publish("news", "new", ttl=1, confirm=True)
        with anyio.fail_after(LIMIT_S):
            while (await stats_of(desk)).dead_letters.get("expired") != 3:
                await anyio.sleep(0.01)
        (letter, *_) = (await desk.client.call("bus.deadLetters", {}, result=dict))["letters"]
        await desk.client.call("bus.purge", {"numbers": [letter["number"]]})
        for n in range(4):
            await feed.publish("prices.EURUSD", n, confirm=True)
        for n in range(2):
            await feed.publish("orders.new", n, confirm=True)
            await take_new(orders, 1, after=n)
        stats = await stats_of(desk)
        kept = [
            await feed.call("bus.history", {"topic": topic}, result=dict)
            for topic in ("news", "prices.EURUSD", "orders.new")
        ]
    assert sum(len(topic["messages"]) for topic in kept) == 9
    assert stats.history_bytes > 9 * 100
    assert stats.bytes_in > 9 * 20
    assert msgspec.structs.asdict(stats) == {
        "clients": 3,
        "offline_clients": 1,
        "subscriptions": 3,
        "topics": 3,
        "messages_in": 9,
        "messages_out": 9,
        "bytes_in": stats.bytes_in,
        "queued": 4,
        "unacknowledged": 2,
        "dead_letters": {**stats.dead_letters, "expired": 3},
        "cache_hits": 6,
        "cache_misses": 3,
        "slow_readers": 0,
        "history_bytes": stats.history_bytes,
        "compression": msgspec.UNSET,
    }
    assert sum(stats.dead_letters.values()) == 3


async def stats_of(desk: TestShell) -> BusStats:
    stats: BusStats = await desk.client.call("bus.stats", {}, result=BusStats)
    return stats


@pytest.mark.requirement("1.5")
async def test_the_last_messages_of_a_topic_can_be_read_back(desk: TestShell) -> None:
    async with desk.app("desk.feed") as feed:
        for n in range(150):
            await feed.publish("prices.EURUSD", n, confirm=True)
        answer = await feed.call("bus.history", {"topic": "prices.EURUSD"}, result=dict)
        few = await feed.call("bus.history", {"topic": "prices.EURUSD", "limit": 2}, result=dict)
    assert [message["payload"] for message in answer["messages"]] == list(range(50, 150))
    assert [message["payload"] for message in few["messages"]] == [148, 149]


@pytest.mark.requirement("2.1")
async def test_a_durable_publish_is_answered_after_the_message_is_on_disk(
    desk: TestShell, tmp_path: Path
) -> None:
    async with desk.app("desk.feed") as feed:
        result = await feed.publish(
            "orders.new", {"marker": "on-disk-7"}, durable=True, confirm=True
        )
        assert result.seq == 1
        segments = list((tmp_path / "data/messages").glob("*.seg"))
        assert any(b"on-disk-7" in segment.read_bytes() for segment in segments)


async def test_durable_on_a_topic_without_a_log_is_refused_with_what_to_do(
    desk: TestShell,
) -> None:
    async with desk.app("desk.feed") as feed:
        with pytest.raises(DeskbusError) as refused:
            await feed.publish("prices.EURUSD", 1, durable=True, confirm=True)
    assert refused.value.kind.name == "conflict"
    assert "[persistence] topics" in refused.value.action


@pytest.mark.requirement("2.2")
async def test_replay_hands_over_to_live_delivery_without_gap_or_repeat(desk: TestShell) -> None:
    total = 20_000
    async with desk.app("desk.feed") as feed, desk.app("desk.blotter") as blotter:
        for n in range(total // 2):
            await feed.publish("orders.new", n)
        await feed.publish("orders.other", -1, confirm=True)

        async def go_on() -> None:
            for n in range(total // 2, total):
                await feed.publish("orders.new", n)

        async with blotter.listen("orders.new") as orders, anyio.create_task_group() as tasks:
            tasks.start_soon(go_on)
            replayed = await blotter.replay("orders.new", follow=True)
            got = await take(orders, total)
    assert replayed < total, "nothing was published meanwhile"
    assert [number(message) for message in got] == list(range(total))
    assert [message.seq for message in got] == list(range(1, total + 1))
    assert total // 2 <= replayed


@pytest.mark.requirement("2.2")
@pytest.mark.requirement("2.5")
async def test_replay_query_and_seq_go_on_after_a_restart(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with start_shell(data_dir, config=CONFIG, consent="allow") as first:
        async with first.app("desk.feed") as feed:
            for n in range(500):
                await feed.publish(f"orders.{'ab'[n % 2]}", n, confirm=True)
            middle = (await feed.publish("orders.a", 500, durable=True, confirm=True)).timestamp
    async with start_shell(data_dir, config=CONFIG, consent="allow") as second:
        async with second.app("desk.feed") as feed:
            later = await feed.publish("orders.a", 501, confirm=True)
            answer = await feed.call(
                "bus.query", {"pattern": "orders.b", "limit": 100}, result=dict
            )
            recent = await feed.call(
                "bus.query", {"pattern": "#", "since": middle, "limit": 1000}, result=dict
            )
            async with feed.listen("orders.#") as orders:
                assert await feed.replay("orders.#") == 502
                got = await take(orders, 502)
    assert later.seq == 252
    assert [message["payload"] for message in answer["messages"]] == list(range(1, 200, 2))
    assert answer["more"]
    assert [message["payload"] for message in recent["messages"]][-2:] == [500, 501]
    assert [number(message) for message in got] == list(range(502))


@pytest.mark.requirement("2.4")
async def test_the_bus_works_with_persistence_switched_off(tmp_path: Path) -> None:
    config = '[persistence]\nenabled = false\ntopics = ["orders.#"]\n'
    async with start_shell(tmp_path / "data", config=config, consent="allow") as shell:
        async with shell.app("desk.feed") as feed:
            assert (await feed.publish("orders.new", 1, confirm=True)).seq == 1
            for call in (
                feed.publish("orders.new", 2, durable=True, confirm=True),
                feed.replay("orders.#"),
            ):
                with pytest.raises(DeskbusError) as refused:
                    await call
                assert refused.value.kind.name == "conflict"
            health = await feed.call("health.get", result=dict)
    assert health["components"]["persistence"]["status"] == "off"
    assert health["status"] == "ok"
