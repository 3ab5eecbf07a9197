"""Cached routes: as right as if there were none, and kept while others subscribe and leave."""

import gc
import sys
from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Raw

from deskbus.bus import broker as broker_module
from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient, Rank, Reader
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.topics import matches
from tests.support.bus_access import OpenAccess

CHURNING = 500
PATTERNS = ("a.b", "a.*", "a.#", "*.b", "#", "a.b.#", "c.*", "a.*.d")
TOPICS = ("a", "a.b", "a.b.d", "c.b", "d")
APPS = ("one", "two")


class Inbox:
    def __init__(self) -> None:
        self.got = 0

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        self.got += 1


def test_a_client_that_has_ended_is_kept_by_nothing() -> None:
    broker = MessageBroker("e1", OpenAccess(), clock_ms=lambda: 0)
    feed = BusClient(ClientId("feed", "main"), "e1")
    broker.subscribe(feed, "a.#", Reader(feed, Rank.LIVE, Inbox()))
    broker.publish(feed, "a.b", Raw(b"1"))
    broker.remove(feed)
    gc.collect()
    holders = [each for each in gc.get_referrers(feed) if each is not sys._getframe().f_locals]
    assert [each for each in holders if isinstance(each, (set, dict, list, Reader))] == []


def test_clients_that_subscribe_and_leave_cost_others_no_route() -> None:
    broker = MessageBroker("e1", OpenAccess(), clock_ms=lambda: 0)
    feed = BusClient(ClientId("feed", "main"), "e1")
    blotter = BusClient(ClientId("blotter", "main"), "e1")
    broker.subscribe(blotter, "prices.#", Reader(blotter, Rank.LIVE, Inbox()))
    topics = [f"prices.{number}" for number in range(100)]
    for topic in topics:
        broker.publish(feed, topic, Raw(b"1"))
    known = broker.cache_misses
    assert known == len(topics)
    for number in range(CHURNING):
        client = BusClient(ClientId(f"app.{number}", "main"), "e1")
        broker.subscribe(client, f"own.{number}.#", Reader(client, Rank.LIVE, Inbox()))
        broker.publish(feed, topics[number % len(topics)], Raw(b"1"))
        broker.remove(client)
    assert broker.cache_misses == known


class Routes(RuleBasedStateMachine):
    """Subscriptions, permissions and messages in any order, beside a matcher without a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.access = OpenAccess()
        self.broker = MessageBroker("e1", self.access, clock_ms=lambda: 0)
        self.feed = BusClient(ClientId("feed", "main"), "e1")
        self.clients = {app: BusClient(ClientId(app, "main"), "e1") for app in APPS}
        self.inboxes = {app: Inbox() for app in APPS}
        self.readers = {
            app: Reader(client, Rank.LIVE, self.inboxes[app])
            for app, client in self.clients.items()
        }
        self.expected: dict[str, int] = defaultdict(int)
        self.limit = broker_module.MAX_ROUTED

    @initialize(routed=st.sampled_from((0, 1, 1_000)))
    def bound(self, routed: int) -> None:
        broker_module.MAX_ROUTED = routed

    def teardown(self) -> None:
        broker_module.MAX_ROUTED = self.limit

    @rule(app=st.sampled_from(APPS), pattern=st.sampled_from(PATTERNS))
    def subscribe(self, app: str, pattern: str) -> None:
        self.broker.subscribe(self.clients[app], pattern, self.readers[app])

    @rule(app=st.sampled_from(APPS), pattern=st.sampled_from(PATTERNS))
    def leave(self, app: str, pattern: str) -> None:
        if pattern in self.clients[app].subscriptions:
            self.broker.unsubscribe(self.clients[app], pattern)

    @rule(app=st.sampled_from(APPS), topic=st.sampled_from(TOPICS))
    def change_a_permission(self, app: str, topic: str) -> None:
        self.access.unreadable ^= {(app, topic)}
        self.broker.grants_changed([self.feed])

    @rule()
    def forget_topics(self) -> None:
        self.broker._topics_forgotten()

    @invariant()
    def messages_reach_those_that_a_matcher_without_a_cache_finds(self) -> None:
        for topic in TOPICS:
            self.broker.publish(self.feed, topic, Raw(b"1"))
            for app, client in self.clients.items():
                subscribed = any(matches(pattern, topic) for pattern in client.subscriptions)
                self.expected[app] += subscribed and (app, topic) not in self.access.unreadable
        assert {app: inbox.got for app, inbox in self.inboxes.items()} == {
            app: self.expected[app] for app in APPS
        }


Routes.TestCase.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
TestRoutes = pytest.mark.requirement("1.2")(Routes.TestCase)
