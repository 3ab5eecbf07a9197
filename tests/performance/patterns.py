"""What a publish costs beside the worst patterns that one app may subscribe to."""

import time
from collections.abc import Iterator
from itertools import combinations, count, islice
from statistics import median

from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient, Rank, Reader
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.topics import MAX_LEVELS
from tests.performance.load import Figures
from tests.unit.security.desk import TICKER, Desk

SHAPES = (("*", 8, 32), ("#", 8, 32), ("#", 5, 11), ("*", 8, 14))
"""Kind of wildcard, how many, and among how many levels: where matching visits most."""

OFFERED = 3_000
PUBLISHED = 200


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
