"""The rows of the benchmark: what is measured, beside whom, and with what goal."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal

import msgspec

from deskbus_protocol.methods import METHODS
from tests.performance.measures import apps, audit, pages, patterns, permissions, vault
from tests.performance.measures.pages import DESKTOPS
from tests.performance.measures.resume import resume_ms
from tests.performance.report.versions import hot_path
from tests.performance.servers.load import Figures, load
from tests.performance.servers.ours import Deskbus, DeskbusWeb, EarlierDeskbus
from tests.performance.servers.peers import PEERS
from tests.performance.servers.server import Running, Server

UNOBSERVED = "[metrics]\nlatency = false\n"
TRACED = "[tracing]\nenabled = true\nratio = {}\n"
"""Beside metrics, which are always on; no more traces a second than by default."""

UNBOUNDED = "max_per_s = 1000000\n"

COLLECTORS = ("away", "slow", "nonsense")
EARLIER = EarlierDeskbus("earlier", "bench.topic")

SERVERS: dict[str, Server] = {
    **PEERS,
    **DESKTOPS,
    "deskbus": Deskbus("deskbus", "bench.topic"),
    "deskbus-web": DeskbusWeb("deskbus-web", "bench.topic"),
    "unpersisted": Deskbus("unpersisted", "bench.topic"),
    "persisted": Deskbus("persisted", "stored.topic"),
    "unobserved": Deskbus("unobserved", "bench.topic", UNOBSERVED),
    "metrics": Deskbus("metrics", "bench.topic"),
    "traced-1": Deskbus("traced-1", "bench.topic", TRACED.format(0.01)),
    "traced-100": Deskbus("traced-100", "bench.topic", TRACED.format(1.0) + UNBOUNDED),
    **{
        f"collector-{kind}": Deskbus(
            f"collector-{kind}", "bench.topic", TRACED.format(1.0), collector=kind
        )
        for kind in ("good", *COLLECTORS)
    },
    **{
        name: Deskbus(name, "bench.topic", encoding=encoding)
        for name, encoding in (("gzip", "gzip"), ("brotli", "br"))
    },
    "earlier": EARLIER,
    "uncompiled": Deskbus("uncompiled", compiled=False),
}

REQUEST_PEERS = ("vscode-jsonrpc-10", "vscode-jsonrpc", "nats", "nats-2.15")
FAN_OUT = 100
CROWD = 500
CROWD_RATE = 10_000
DURABLE_WINDOW = 500
REQUEST_WINDOW = 64
QUEUED = 10_000
PAYLOAD_BYTES = 256
ROWS_BYTES = 4096
NATS_TIMES = 1.2 if hot_path() == "pure Python" else 1.6
TRICKLE_MS = 20
LOAD_LIMIT_S = 120.0

# How many messages a publisher may be ahead of the receivers, and how many it sends in one turn of
# its event loop: for each client where it was fastest.
PACE = (1024, 64)
PACES = {
    "deskbus": (16_384, 256),
    "deskbus-ws": (16_384, 256),
    "nats": (16_384, 256),
    "redis": (1024, 32),
    "vscode-jsonrpc": (1024, 32),
}
FAN_OUT_PACE = (512, 64)
FAN_OUT_PACES = {"vscode-jsonrpc": (64, 8)}


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often: `rounds` runs of each server, `span_s` each after `warm_s`."""

    rounds: int = 5
    warm_s: float = 0.75
    span_s: float = 1.5
    roundtrips: int = 5000
    trickled: int = 200
    crowd_s: float = 60.0
    stored: int = 200_000
    audited: int = 1_000_000


QUICK = Scale(
    rounds=1,
    warm_s=0.4,
    span_s=0.6,
    roundtrips=1000,
    trickled=50,
    crowd_s=2.0,
    stored=50_000,
    audited=100_000,
)

Measure = Callable[[Running, Scale], Figures]


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` bounds ours over the peer `against`, or ours itself where there is none."""

    limit: float
    against: str | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`figure` names the one that counts among the figures of `measure`.

    `needs` is what the protocol must have for ours to be measured: a method, or a method and one
    of its parameters, as in bus.publish:durable.
    """

    name: str
    unit: str
    figure: str
    measure: Measure
    goals: tuple[Goal, ...]
    peers: tuple[str, ...] = ()
    ours: str = "deskbus"
    max_rounds: int = 100
    min_rounds: int = 1
    needs: str = "bus.publish"

    @property
    def better(self) -> Literal["more", "less"]:
        """Rates and shares are the better the more, times and sizes the less."""
        return (
            "more" if self.unit.endswith(("/s", "fps")) or self.unit.startswith("of ") else "less"
        )

    @property
    def possible(self) -> bool:
        method, _, parameter = self.needs.partition(":")
        row = METHODS.get(method)
        return row is not None and (not parameter or parameter in row.params.__struct_fields__)

    def runs_as(self, other: "Row") -> bool:
        """Whether the runs of one row have the figures of the other too."""
        return (
            self.measure == other.measure
            and self.ours == other.ours
            and set(self.peers) >= set(other.peers)
            and self.max_rounds == other.max_rounds
        )

    @property
    def key(self) -> str:
        """The name as one types it: 1-1, round-trip-idle."""
        return re.sub(r"[^0-9a-z]+", "-", self.name.lower().replace(",", "")).strip("-")


def _task(running: Running, scale: Scale) -> dict[str, Any]:
    return {
        "client": running.client,
        "address": running.address,
        "topic": running.topic,
        "payload_bytes": PAYLOAD_BYTES,
        "warm_s": scale.warm_s,
        "span_s": scale.span_s,
    }


def _throughput(
    running: Running, scale: Scale, receivers: int, pace: tuple[int, int], **more: object
) -> Figures:
    window, batch = pace
    flow = {"receivers": receivers, "window": window, "batch": batch}
    before_s = running.processor_s()
    with load("throughput", {**_task(running, scale), **flow, **more}, LOAD_LIMIT_S) as told:
        cpu_us = (running.processor_s() - before_s) * 1e6 / told["deliveries"]
        return {"per_second": told["per_second"], "cpu_us": cpu_us}


def one_to_one(running: Running, scale: Scale) -> Figures:
    return _throughput(running, scale, 1, PACES.get(running.client, PACE))


def rows_to_one(running: Running, scale: Scale) -> Figures:
    """Messages that are long enough to be compressed, and as compressible as pages of rows."""
    return _throughput(running, scale, 1, PACE, rows=True, payload_bytes=ROWS_BYTES)


def one_to_many(running: Running, scale: Scale) -> Figures:
    return _throughput(running, scale, FAN_OUT, FAN_OUT_PACES.get(running.client, FAN_OUT_PACE))


def round_trip(running: Running, scale: Scale) -> Figures:
    task = {**_task(running, scale), "rounds": scale.roundtrips}
    with load("roundtrip", task, LOAD_LIMIT_S) as figures:
        return figures


def durable(running: Running, scale: Scale) -> Figures:
    task = {**_task(running, scale), "window": DURABLE_WINDOW}
    with load("durable", task, LOAD_LIMIT_S) as figures:
        return figures


def replay(running: Running, scale: Scale) -> Figures:
    task = {**_task(running, scale), "count": scale.stored}
    with load("replay", task, LOAD_LIMIT_S) as figures:
        return figures


def request(running: Running, scale: Scale) -> Figures:
    task = {**_task(running, scale), "window": REQUEST_WINDOW, "rounds": scale.roundtrips}
    with load("request", task, LOAD_LIMIT_S) as figures:
        return figures


def resume(running: Running, scale: Scale) -> Figures:
    took_ms = resume_ms(running, messages=QUEUED, payload_bytes=PAYLOAD_BYTES, limit_s=LOAD_LIMIT_S)
    return {"resume_ms": took_ms}


def crowd(running: Running, scale: Scale) -> Figures:
    return _crowd(running, scale, scale.crowd_s)


def start(running: Running, scale: Scale) -> Figures:
    return {"start_ms": running.start_s * 1000}


def memory_idle(running: Running, scale: Scale) -> Figures:
    return {"memory_mb": running.memory_mb()}


def memory_crowd(running: Running, scale: Scale) -> Figures:
    return _crowd(running, scale, scale.span_s)


def _crowd(running: Running, scale: Scale, span_s: float) -> Figures:
    crowd = {"clients": CROWD, "rate": CROWD_RATE, "span_s": span_s}
    with load("crowd", {**_task(running, scale), **crowd}, LOAD_LIMIT_S) as figures:
        return {**figures, "memory_mb": running.memory_mb()}


def page_rows() -> Iterator[Row]:
    """Two pages in Electron, beside what its developer has without a bus."""
    everybody = ("electron-ipc", "broadcast-channel", "ws-in-main")

    def row(
        name: str,
        unit: str,
        figure: str,
        goals: tuple[Goal, ...],
        measure: Measure,
        peers: tuple[str, ...] = everybody,
        ours: str = "pages",
    ) -> Row:
        return Row(
            name=name,
            unit=unit,
            figure=figure,
            measure=measure,
            goals=goals,
            peers=peers,
            ours=ours,
        )

    def of_ipc(limit: float) -> Goal:
        return Goal(limit=limit, against="electron-ipc")

    def idle(running: Running, scale: Scale) -> Figures:
        return pages.ask(running, "idle", count=scale.trickled, gap_ms=TRICKLE_MS)

    def flood(running: Running, scale: Scale) -> Figures:
        warm_ms, span_ms = scale.warm_s * 1000, scale.span_s * 1000
        return pages.ask(running, "flood", warm_ms=warm_ms, span_ms=span_ms)

    def burst(count: int) -> Measure:
        return lambda running, _: pages.ask(running, "burst", count=count)

    def request(running: Running, scale: Scale) -> Figures:
        rounds = scale.roundtrips // 4
        return pages.ask(running, "request", rounds=rounds, window=REQUEST_WINDOW)

    def feed(rate: int) -> Measure:
        return lambda running, scale: pages.ask(
            running, "feed", rate=rate, span_s=max(1, round(2 * scale.span_s))
        )

    def first(running: Running, _: Scale) -> Figures:
        return pages.ask(running, "first")

    broadcast = Goal(limit=2.0, against="broadcast-channel")
    whole = (Goal(limit=1.0),)
    piped = ("electron-ipc", "ws-in-main")
    yield row("page → page, idle", "ms p50", "p50_ms", (of_ipc(1.5),), idle)
    yield row("page → page", "msg/s", "per_second", (of_ipc(3.5), broadcast), flood)
    yield row("page → page, burst of 10,000", "ms", "all_ms", (of_ipc(1.0),), burst(10_000))
    yield row("page → page, burst of 100,000", "of them", "arrived", whole, burst(100_000))
    yield row("request between pages", "ms p50", "p50_ms", (of_ipc(2.0),), request)
    yield row("requests between pages", "answers/s", "per_second", (of_ipc(0.5),), request)
    for rate in (1000, 5000):
        name = f"feed → page, {rate:,} msg/s"
        yield row(name, "ms p99", "p99_ms", (of_ipc(1.5),), feed(rate), piped)
    yield row("feed → page, frames drawn", "fps", "fps", (Goal(limit=57.0),), feed(5000), piped)
    told = "app ready → first message"
    yield row(told, "ms", "first_ms", (Goal(limit=350.0),), first, piped)
    unready = "pages, uncompiled"
    yield row(f"{told}, uncompiled", "ms", "first_ms", (Goal(limit=450.0),), first, (), unready)


def own_rows() -> Iterator[Row]:
    """Figures of the vault, and of apps as processes; nothing that is measured beside has them."""
    for name, unit, figure, goal, measure in (
        ("seal 1 KiB", "µs", "seal_1_kib_us", 10.0, vault.seal_and_open),
        ("open 1 KiB", "µs", "open_1_kib_us", 10.0, vault.seal_and_open),
        ("seal 1 MiB", "µs", "seal_1_mib_us", 2000.0, vault.seal_and_open),
        ("open 1 MiB", "µs", "open_1_mib_us", 2000.0, vault.seal_and_open),
        ("vault unlock, password", "ms", "unlock_password_ms", 1000.0, vault.unlock),
        ("vault rotation, 10,000 records", "ms", "rotate_keys_ms", 5000.0, vault.rotation),
        ("10 Node apps, to ready", "s", "ready_s", 3.0, apps.few),
        ("100 Node apps, to talking", "s", "talking_s", 60.0, apps.many),
        ("memory, idle Node app", "MB", "memory_mb", 100.0, apps.few),
    ):
        yield Row(
            name=name,
            unit=unit,
            figure=figure,
            measure=lambda _, __, measure=measure: measure(),  # type: ignore[misc]
            goals=(Goal(limit=goal),),
            max_rounds=3,
        )


def permission_rows() -> Iterator[Row]:
    """The cost of permissions; nothing that is measured beside has any."""
    yield Row(
        name="permission check, cached",
        unit="µs",
        figure="check_us",
        measure=lambda _, __: permissions.check(),
        goals=(Goal(limit=1.0),),
        max_rounds=1,
        needs="permissions.request",
    )
    yield Row(
        name="publish rate with 1,000 grants",
        unit="of that with one",
        figure="share",
        measure=lambda _, __: permissions.publish(),
        goals=(Goal(limit=0.95),),
        max_rounds=1,
        needs="permissions.request",
    )


def matching_rows() -> Iterator[Row]:
    yield Row(
        name="publish past the worst patterns of one app",
        unit="ms",
        figure="match_ms",
        measure=lambda _, __: patterns.match(),
        goals=(Goal(limit=1.0),),
        max_rounds=1,
    )
    yield Row(
        name="publish rate while 500 clients subscribe and leave",
        unit="of that without",
        figure="churn_share",
        measure=lambda _, __: patterns.churn(),
        goals=(Goal(limit=0.8),),
        max_rounds=1,
    )


def audit_rows() -> Iterator[Row]:
    """The audit log's own figures. The rows that read one share the log of a run."""
    read = cache(audit.read)

    def row(name: str, unit: str, figure: str, goal: float, measure: Measure) -> Row:
        return Row(
            name=name,
            unit=unit,
            figure=figure,
            measure=measure,
            goals=(Goal(limit=goal),),
            max_rounds=1,
            needs="audit.query",
        )

    def of_log(_: Running, scale: Scale) -> Figures:
        return read(scale.audited)

    yield row(
        "audit append", "records/s", "append_per_second", 50_000.0, lambda _, __: audit.append()
    )
    yield row("audit verify", "records/s", "verify_per_second", 70_000.0, of_log)
    yield row("audit index", "records/s", "index_per_second", 50_000.0, of_log)
    for by in ("type", "app", "time", "combined", "correlation"):
        yield row(f"audit query by {by}", "ms", f"query_{by}_ms", 100.0, of_log)
    yield row(
        "audit, cost of a publish", "%", "hot_path_percent", 2.0, lambda _, __: audit.hot_path()
    )


def compression_rows() -> Iterator[Row]:
    """The cost of compression on a local pipe, where nothing is slow and it is off by default."""
    for name in ("gzip", "brotli"):
        yield Row(
            name=f"1 → 1 of 4 KiB, {name}",
            unit="msg/s",
            figure="per_second",
            measure=rows_to_one,
            ours=name,
            peers=("deskbus",),
            goals=(Goal(limit=0.05, against="deskbus"),),
            needs="session.open:encodings",
        )


def observability_rows() -> Iterator[Row]:
    """The cost of seeing inside, beside the same backend that nobody looks into.

    A rate has the noise of all that runs meanwhile; processor time has less of it.
    """

    def rows(what: str, ours: str, peer: str, limit: float) -> Iterator[Row]:
        for name, unit, figure, bound in (
            (f"1 → 1, {what}", "msg/s", "per_second", limit),
            (f"1 → 1, {what}, a message", "µs of processor", "cpu_us", 1 / limit),
        ):
            yield Row(
                name=name,
                unit=unit,
                figure=figure,
                measure=one_to_one,
                ours=ours,
                peers=(peer,),
                goals=(Goal(limit=bound, against=peer),),
                min_rounds=10,
                needs="traces.query",
            )

    yield from rows("metrics on, tracing off", "metrics", "unobserved", 0.97)
    yield from rows("tracing at 1 %", "traced-1", "unobserved", 0.95)
    yield from rows("tracing at 100 %", "traced-100", "unobserved", 0.02)
    for kind in COLLECTORS:
        words = "answers nonsense" if kind == "nonsense" else f"is {kind}"
        yield from rows(f"a collector that {words}", f"collector-{kind}", "collector-good", 0.97)
    yield from rows("nothing observed, and an earlier commit", "unobserved", "earlier", 0.97)


ROWS = (
    Row(
        name="1 → 1",
        unit="msg/s",
        figure="per_second",
        measure=one_to_one,
        peers=(
            *("nats", "nats-2.15", "nats-iterator", "mosquitto", "redis"),
            *("aedes", "vscode-jsonrpc", "vscode-jsonrpc-10", "byte-copier"),
        ),
        goals=(
            Goal(limit=NATS_TIMES, against="nats"),
            Goal(limit=NATS_TIMES, against="nats-2.15"),
            Goal(limit=5.0, against="vscode-jsonrpc"),
            Goal(limit=0.8, against="byte-copier"),
        ),
    ),
    Row(
        name="1 → 100",
        unit="deliveries/s",
        figure="per_second",
        measure=one_to_many,
        peers=(
            *("redis", "nats", "nats-2.15", "nats-iterator", "mosquitto"),
            *("aedes", "vscode-jsonrpc", "byte-copier"),
        ),
        goals=(
            Goal(limit=1.2, against="redis"),
            Goal(limit=1.5, against="nats"),
            Goal(limit=1.5, against="nats-2.15"),
        ),
    ),
    Row(
        name="round trip, idle",
        unit="µs p50",
        figure="p50_us",
        measure=round_trip,
        peers=("mosquitto", "aedes", "nats", "redis", "vscode-jsonrpc", "vscode-jsonrpc-10"),
        goals=(Goal(limit=1.0, against="mosquitto"),),
    ),
    Row(
        name="1 → 1 over WebSocket",
        unit="msg/s",
        figure="per_second",
        measure=one_to_one,
        ours="deskbus-web",
        peers=("ws", "deskbus"),
        goals=(Goal(limit=1.0, against="ws"),),
        needs="web.pair",
    ),
    Row(
        name="round trip over WebSocket, idle",
        unit="µs p50",
        figure="p50_us",
        measure=round_trip,
        ours="deskbus-web",
        peers=("ws", "deskbus"),
        goals=(Goal(limit=1.3, against="ws"),),
        needs="web.pair",
    ),
    Row(
        name="1 → 1 on a persisted topic",
        unit="msg/s",
        figure="per_second",
        measure=one_to_one,
        ours="persisted",
        needs="bus.publish:durable",
        peers=("unpersisted",),
        goals=(Goal(limit=0.8, against="unpersisted"),),
    ),
    Row(
        name="durable publish",
        unit="answers/s",
        figure="per_second",
        measure=durable,
        ours="persisted",
        needs="bus.publish:durable",
        peers=("jetstream",),
        goals=(Goal(limit=2.0, against="jetstream"),),
    ),
    Row(
        name="replay",
        unit="msg/s",
        figure="per_second",
        measure=replay,
        ours="persisted",
        needs="bus.replay",
        peers=("jetstream",),
        goals=(Goal(limit=1.5, against="jetstream"),),
    ),
    Row(
        name="request and response",
        unit="answers/s",
        figure="per_second",
        measure=request,
        needs="bus.request",
        peers=REQUEST_PEERS,
        goals=(
            Goal(limit=1.2, against="vscode-jsonrpc-10"),
            Goal(limit=1.2, against="vscode-jsonrpc"),
            Goal(limit=1.0, against="nats"),
            Goal(limit=1.0, against="nats-2.15"),
        ),
    ),
    Row(
        name="request and response, alone",
        unit="µs p50",
        figure="p50_us",
        measure=request,
        needs="bus.request",
        peers=REQUEST_PEERS,
        goals=(
            Goal(limit=1.0, against="vscode-jsonrpc-10"),
            Goal(limit=1.0, against="vscode-jsonrpc"),
        ),
    ),
    Row(
        name="resume, 10,000 queued",
        unit="ms",
        figure="resume_ms",
        measure=resume,
        needs="session.resume",
        goals=(Goal(limit=500.0),),
    ),
    Row(
        name="500 clients, 10,000 msg/s",
        unit="ms p99",
        figure="p99_ms",
        measure=crowd,
        peers=("nats", "mosquitto", "redis"),
        goals=(Goal(limit=5.0),),
        max_rounds=1,
    ),
    Row(
        name="start to first answer",
        unit="ms",
        figure="start_ms",
        measure=start,
        peers=("nats", "mosquitto", "redis"),
        goals=(Goal(limit=300.0),),
    ),
    Row(
        name="start to first answer, nothing compiled",
        unit="ms",
        figure="start_ms",
        measure=start,
        ours="uncompiled",
        goals=(Goal(limit=400.0),),
    ),
    Row(
        name="memory, idle",
        unit="MB",
        figure="memory_mb",
        measure=memory_idle,
        peers=("nats", "mosquitto", "redis"),
        goals=(Goal(limit=60.0),),
        max_rounds=3,
    ),
    Row(
        name="memory, 500 clients",
        unit="MB",
        figure="memory_mb",
        measure=memory_crowd,
        peers=("nats", "mosquitto", "redis"),
        goals=(Goal(limit=200.0),),
        max_rounds=3,
    ),
    *page_rows(),
    *compression_rows(),
    *observability_rows(),
    *permission_rows(),
    *matching_rows(),
    *own_rows(),
    *audit_rows(),
)
