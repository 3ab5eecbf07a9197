"""A topic's readers are found at the same cost, whether there are ten subscriptions or 100,000."""

import sys
import time
from types import FrameType
from typing import Any

import pytest
from msgspec import Raw

from deskbus.bus import broker as broker_module
from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient, Rank, Reader
from deskbus_protocol.envelope import ClientId
from tests.support.bus_access import OpenAccess

FEW, MANY = 10, 100_000
CLIENTS = 100
PUBLISHED = 200
ROUNDS = 15
GOAL = 1.2
LOUDEST = 3.0
"""The bound on the ratio of times: a list that is looked through has a ratio of hundreds, and the
caches of a processor that others use too have a little."""


class Counting:
    """An outlet that only counts."""

    def __init__(self) -> None:
        self.lines = 0

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        self.lines += 1


class LoadedBroker:
    """A broker with so many subscriptions to exact topics, one topic each."""

    def __init__(self, subscriptions: int) -> None:
        self.broker = MessageBroker("e1", OpenAccess())
        self.outlet = Counting()
        clients = [BusClient(ClientId("app", f"c{at}"), "e1") for at in range(CLIENTS)]
        readers = [Reader(client, Rank.LIVE, self.outlet) for client in clients]
        for at in range(subscriptions):
            self.broker.subscribe(clients[at % CLIENTS], f"a.t{at}", readers[at % CLIENTS])
        self.sender = BusClient(ClientId("app", "sender"), "e1")
        self.payload = Raw(b"1")
        self.topics = [f"a.t{at}" for at in range(FEW)]
        self.publish()

    def publish(self) -> None:
        for at in range(PUBLISHED):
            self.broker.publish(self.sender, self.topics[at % FEW], self.payload)

    def publish_anew(self) -> None:
        """Each to a topic whose readers have to be looked up, for the routes were thrown away."""
        for topic in self.topics:
            self.broker._expire_all()
            self.broker.publish(self.sender, topic, self.payload)

    def took_s(self) -> float:
        began = time.perf_counter()
        self.publish()
        return time.perf_counter() - began


def steps(loaded: LoadedBroker, *, anew: bool) -> int:
    """How many instructions the interpreter executes."""
    counted = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        loaded.publish_anew() if anew else loaded.publish()
    finally:
        sys.settrace(before)
    return counted


@pytest.fixture(scope="module")
def few() -> LoadedBroker:
    return LoadedBroker(FEW)


@pytest.fixture(scope="module")
def many() -> LoadedBroker:
    return LoadedBroker(MANY)


@pytest.mark.skipif(
    str(broker_module.__file__).endswith(("so", "pyd")), reason="compiled code has no steps"
)
@pytest.mark.requirement("1.1")
@pytest.mark.parametrize("anew", [False, True], ids=["known", "looked up anew"])
def test_a_lookup_takes_as_many_steps_among_100_000_subscriptions_as_among_ten(
    few: LoadedBroker, many: LoadedBroker, *, anew: bool
) -> None:
    assert 0 < steps(many, anew=anew) <= GOAL * steps(few, anew=anew)


@pytest.mark.serial
@pytest.mark.requirement("1.1")
def test_a_lookup_takes_as_long_among_100_000_subscriptions_as_among_ten(
    few: LoadedBroker, many: LoadedBroker
) -> None:
    """The least of many times, taken in turn: what others do on this machine only adds to some."""
    times = [(few.took_s(), many.took_s()) for _ in range(ROUNDS)]
    least_few, least_many = (min(each) for each in zip(*times, strict=True))
    assert least_many <= LOUDEST * least_few


def test_each_message_reached_the_one_reader_of_its_topic(many: LoadedBroker) -> None:
    before = many.outlet.lines
    many.publish()
    assert many.outlet.lines - before == PUBLISHED
