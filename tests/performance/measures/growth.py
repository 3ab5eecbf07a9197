"""Growth curves: what more subscriptions, more receivers and larger payloads cost."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient, Rank, Reader
from deskbus.rpc.compact_frames import CompactParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from tests.performance.report.outcome import Curve, number
from tests.performance.report.rows import LOAD_LIMIT_S, SERVERS
from tests.performance.servers.load import load
from tests.performance.servers.server import started
from tests.support.bus_access import OpenAccess

SUBSCRIPTIONS = (10, 100, 1_000, 10_000, 100_000)
RECEIVERS = (1, 5, 20, 50, 100, 200, 500)
PAYLOADS = (100, 1_024, 10_240, 102_400, 1_048_576)
IN_FLIGHT_BYTES = 16 * 1024 * 1024
MAX_WINDOW = 1024
ROUTINGS = 100_000
ROUTING_RUNS = 5
READERS = 100


def measure(*, quick: bool) -> list[Curve]:
    span_s = 0.5 if quick else 1.5
    return [
        _curve("routing, exact topics", "subscriptions", "ns a message", SUBSCRIPTIONS, _exact),
        _curve("routing, wildcards", "subscriptions", "ns a message", SUBSCRIPTIONS, _wildcards),
        _curve(
            *("fan-out", "receivers", "deliveries/s"),
            RECEIVERS,
            lambda receivers: _delivered(receivers, 256, span_s),
        ),
        _curve(
            *("payload, 1 → 1", "bytes", "MB/s"),
            PAYLOADS,
            lambda size: _delivered(1, size, span_s) * size / 1e6,
        ),
    ]


def table(curves: Sequence[Curve]) -> str:
    lines = []
    for curve in curves:
        lines.append(f"{curve.name}, {curve.unit}, by {curve.of}")
        lines += [f"  {size:>10,}  {number(value):>12}" for size, value in curve.points]
    return "\n".join(lines)


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Draws to a PNG file; nothing where nothing was measured."""
    if not curves:
        return
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rows = -(-len(curves) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(11, 3.5 * rows), dpi=150, squeeze=False)
    for plot in axes.flat[len(curves) :]:
        plot.set_visible(False)
    for plot, curve in zip(axes.flat, curves, strict=False):
        sizes, values = zip(*curve.points, strict=True)
        plot.plot(sizes, values, marker="o", color="#1f6f5c")
        plot.set_xscale("symlog" if 0 in sizes else "log")
        plot.set_ylim(0, max(values) * 1.2)
        plot.set_title(curve.name, loc="left", weight="bold", color="#22303a")
        plot.yaxis.set_major_formatter("{x:,.0f}")
        plot.set_xlabel(curve.of)
        plot.set_ylabel(curve.unit)
        plot.grid(alpha=0.25)
        plot.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _curve(
    name: str, of: str, unit: str, sizes: Sequence[int], figure: Callable[[int], float]
) -> Curve:
    points = []
    for size in sizes:
        value = figure(size)
        points.append((size, value))
        print(f"{name}: {size:,} {of}: {number(value)} {unit}", file=sys.stderr, flush=True)
    return Curve(name=name, of=of, unit=unit, points=points)


def _delivered(receivers: int, payload_bytes: int, span_s: float) -> float:
    """Messages delivered in a second, by the real backend to Node clients."""
    window = max(2, min(MAX_WINDOW, IN_FLIGHT_BYTES // payload_bytes // 8 * 8))
    with started(SERVERS["deskbus"]) as running:
        task = {
            "client": running.client,
            "address": running.address,
            "topic": running.topic,
            "receivers": receivers,
            "payload_bytes": payload_bytes,
            "window": window,
            "batch": max(1, window // 16),
            "warm_s": 0.5,
            "span_s": span_s,
        }
        with load("throughput", task, LOAD_LIMIT_S) as figures:
            return figures["per_second"]


class _Counter:
    """An outlet that only counts."""

    def __init__(self) -> None:
        self.lines = 0

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        self.lines += 1


def _exact(subscriptions: int) -> float:
    return _routing([f"app{at}.topic" for at in range(subscriptions)])


def _wildcards(subscriptions: int) -> float:
    """Half with `*` and half with `#`, each of which fits some of the topics."""
    return _routing(
        [f"app{at // 2}.*" if at % 2 else f"app{at // 2}.#" for at in range(subscriptions)]
    )


def _never(error: DeskbusError, topic: str) -> None:
    raise AssertionError(f"{topic}: {error}")


def _routing(patterns: Sequence[str]) -> float:
    """Nanoseconds that the broker takes for one message, the topics taken in turn."""
    broker = MessageBroker("epoch", OpenAccess())
    clients = [BusClient(ClientId("app", f"client-{at}"), "epoch") for at in range(READERS)]
    readers = [Reader(client, Rank.LIVE, _Counter()) for client in clients]
    for at, pattern in enumerate(patterns):
        broker.subscribe(clients[at % READERS], pattern, readers[at % READERS])
    topics = [f"app{at}.topic" for at in range(min(len(patterns), READERS))]
    sender = BusClient(ClientId("app", "sender"), "epoch")
    payload = Raw(b'"' + b"x" * 256 + b'"')
    messages = [CompactParams(topic, payload) for topic in topics]
    broker.publish_plain(sender, messages, _never)
    runs = []
    for _ in range(ROUTING_RUNS):
        rounds = ROUTINGS // ROUTING_RUNS // len(topics)
        began = time.perf_counter_ns()
        for _ in range(rounds):
            broker.publish_plain(sender, messages, _never)
        runs.append((time.perf_counter_ns() - began) / (rounds * len(topics)))
    return median(runs)
