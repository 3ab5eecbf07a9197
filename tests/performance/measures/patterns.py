"""The cost of a publish beside patterns: the worst of one app, and those that come and go."""

import time
from collections.abc import Iterator
from itertools import combinations, count, cycle, islice
from statistics import median

from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient, Rank, Reader
from deskbus.rpc.compact_frames import CompactParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.topics import MAX_LEVELS
from tests.performance.servers.load import Figures
from tests.unit.security.desk import TICKER, Desk

SHAPES = (("*", 8, 32), ("#", 8, 32), ("#", 5, 11), ("*", 8, 14))
"""Kind of wildcard, how many, and among how many levels: where matching visits most."""

OFFERED = 3_000
PUBLISHED = 200

CHURNING = 500
"""Clients that subscribe to a pattern of their own and leave, one for each block of messages."""

CHURN_TOPICS = CHURN_READERS = 100
CHURN_BLOCKS = 200
CHURN_RUNS = 5


class _Sink:
    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        pass


def match() -> Figures:
    """Milliseconds for a publish to a deep topic that is new, so that no cached match serves it."""
    return {"match_ms": max(_took_ms(*shape) for shape in SHAPES)}


def worst(kind: str, wildcards: int, levels: int) -> Iterator[str]:
    """Legal patterns of `a`s with `wildcards` of them replaced, in every place."""
    apart = 2 if kind == "#" else 1
    for places in islice(combinations(range(0, levels, apart), wildcards), OFFERED):
        yield ".".join(kind if level in places else "a" for level in range(levels))


def _took_ms(kind: str, wildcards: int, levels: int) -> float:
    broker = MessageBroker("epoch", Desk(mode="allow").security.checker)
    reader = BusClient(ClientId("app.reader", "main"), "epoch")
    for pattern in worst(kind, wildcards, levels):
        try:
            broker.check_room(reader, pattern)
        except DeskbusError:
            break
        broker.subscribe(reader, pattern, Reader(reader, Rank.LIVE, _Sink()))
    publisher = BusClient(TICKER, "epoch")
    times = []
    for number in islice(count(), PUBLISHED):
        topic = ".".join(["a"] * (MAX_LEVELS - 1) + [str(number)])
        begun = time.perf_counter()
        broker.publish(publisher, topic, Raw(b"1"))
        times.append((time.perf_counter() - begun) * 1000)
    return median(times)


def churn() -> Figures:
    """How fast messages are routed while 500 clients subscribe and leave, as a share of without.

    Runs alternate, so that what else the machine does touches both.
    """
    quiet, busy = _Routing(), _Routing()
    shares = [busy.per_second(churning=True) / quiet.per_second() for _ in range(CHURN_RUNS)]
    return {"churn_share": median(shares)}


class _Routing:
    """A publisher of many topics with many readers; time counts while it publishes."""

    def __init__(self) -> None:
        self._broker = MessageBroker("epoch", Desk(mode="allow").security.checker)
        self._publisher = BusClient(TICKER, "epoch")
        for number in range(CHURN_READERS):
            reader = self._client(f"app.reader{number}")
            self._subscribe(reader, "prices.#")
        self._churning = cycle([self._client(f"app.churning{n}") for n in range(CHURNING)])
        self._block = [CompactParams(f"prices.{n}", Raw(b"1")) for n in range(CHURN_TOPICS)]

    def per_second(self, *, churning: bool = False) -> float:
        spent_s = 0.0
        for _ in range(CHURN_BLOCKS):
            if churning:
                client = next(self._churning)
                self._subscribe(client, f"{client.identity.app}.#")
                self._broker.remove(client)
            begun = time.perf_counter()
            self._broker.publish_plain(self._publisher, self._block, _refuse)
            spent_s += time.perf_counter() - begun
        return CHURN_BLOCKS * len(self._block) / spent_s

    def _client(self, app: str) -> BusClient:
        return BusClient(ClientId(app, "main"), "epoch")

    def _subscribe(self, client: BusClient, pattern: str) -> None:
        self._broker.subscribe(client, pattern, Reader(client, Rank.LIVE, _Sink()))


def _refuse(error: DeskbusError, topic: str) -> None:
    raise error
