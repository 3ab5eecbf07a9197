"""The cost of permissions: one check, and a publish by an app that has many grants."""

import time
from statistics import median

from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient, Rank, Reader
from deskbus.rpc.compact_frames import CompactParams
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.permissions import Grant
from tests.performance.servers.load import Figures
from tests.unit.security.desk import ITSELF, TICKER, Desk

GRANTS = 1_000
CHECKS = 200_000
RUNS = 9
BLOCKS = 400
BLOCK = 64
TOPIC = "orders.new"


class _Sink:
    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        pass


def check() -> Figures:
    """Microseconds for a check that was made before, of an app with many grants."""
    security = _desk(GRANTS).security
    may_write = security.checker.may_write
    may_write(TICKER, TOPIC)
    times = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        for _ in range(CHECKS):
            may_write(TICKER, TOPIC)
        times.append((time.perf_counter() - begun) / CHECKS)
    return {"check_us": median(times) * 1e6}


def publish() -> Figures:
    """How fast messages are routed with many grants, as a share of how fast with one.

    Runs alternate, so that what else the machine does touches both.
    """
    few, many = _Publisher(_desk(1)), _Publisher(_desk(GRANTS))
    shares = [many.per_second() / few.per_second() for _ in range(RUNS)]
    return {"share": median(shares)}


class _Publisher:
    def __init__(self, desk: Desk) -> None:
        self._broker = MessageBroker("epoch", desk.security.checker)
        self._client = BusClient(TICKER, "epoch")
        self._broker.subscribe(self._client, TOPIC, Reader(self._client, Rank.LIVE, _Sink()))
        self._messages = [CompactParams(TOPIC, Raw(b'"' + b"x" * 256 + b'"'))] * BLOCK

    def per_second(self) -> float:
        begun = time.perf_counter()
        for _ in range(BLOCKS):
            self._broker.publish_plain(self._client, self._messages, _refuse)
        return BLOCKS * BLOCK / (time.perf_counter() - begun)


def _refuse(error: DeskbusError, topic: str) -> None:
    raise AssertionError(f"{topic} was refused: {error}")


def _desk(grants: int) -> Desk:
    """An app with so many grants, the one that counts behind all others."""
    others = [Grant("messaging.write", f"other{number}.#") for number in range(grants - 1)]
    desk = Desk(
        grants=(*others, Grant("messaging.write", "orders.#"), Grant("messaging.read", "orders.#"))
    )
    desk.security.apps.register(TICKER.app, desk.rules, ITSELF)
    return desk
