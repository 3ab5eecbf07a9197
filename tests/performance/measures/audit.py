"""The audit log's speed: appending, verifying, querying, and what it costs the bus."""

import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import anyio
from msgspec import UNSET, Raw

from deskbus.audit.format.record import Stamped
from deskbus.audit.logger import AuditLogger, SystemClock
from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.store.audit_folder import AuditFolder
from deskbus.audit.store.key_file import KeyFile
from deskbus.audit.store.maintenance import compress_closed
from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.audit.write.chain_writer import ChainWriter
from deskbus.audit.write.recovery import open_log
from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient
from deskbus.components.audit.refused_calls import RefusedCalls
from deskbus.rpc.dispatch.calls_in_progress import CallsInProgress
from deskbus.rpc.fastpath import Answer, FastPath
from deskbus.rpc.rejection_notices import RejectionNotices
from deskbus.transport.outbox import Flusher, Outbox
from deskbus_protocol.audit import AuditFilter
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.events import AuditEvent, PermissionGranted, TicketUsed, Violation
from tests.performance.servers.load import Figures
from tests.support.audit_trail import FakeTrail
from tests.support.bus_access import OpenAccess

GROUP = 8192
APPENDED = 200_000
CHUNK = 50_000
APPS = 40
FILE_BYTES = 16_000_000
DAY_MS = 86_400_000
QUERIES = 40
BLOCK_FRAMES = 256
BLOCKS = 40
TURNS = 21


def event(number: int) -> AuditEvent:
    """A mix in which everything that is looked for is rare enough to be worth finding."""
    app = f"com.example.app{number % APPS}"
    if number % 50 == 0:
        return PermissionGranted(
            app=app, client="main", permission="messaging.read", scope="prices.#", holds="always",
            actor="person", correlation_id=f"c-{number}",
        )  # fmt: skip
    if number % 7 == 0:
        return Violation(
            app=app, client="main", kind="acl", method="bus.publish", target=f"t.{number}"
        )
    return TicketUsed(app=app, client=f"window-{number % 9}")


def append() -> Figures:
    """From the first note to the last record on the disk, group commit and signatures included."""
    with tempfile.TemporaryDirectory() as folder:
        return {"append_per_second": anyio.run(_append, Path(folder) / "audit")}


async def _append(folder: Path) -> float:
    logger = AuditLogger(folder, _NoSafe(), boot="bench", has_keychain=lambda: False)
    events = [event(number) for number in range(CHUNK)]
    async with logger.running():
        await logger.commit(TicketUsed(app="ready"))
        started = time.perf_counter()
        for _ in range(APPENDED // CHUNK):
            for one in events:
                logger.note(one)
            await logger.commit(TicketUsed(app="done"))
        return APPENDED / (time.perf_counter() - started)


class _NoSafe:
    exists = False

    async def load(self) -> bytes | None:
        return None

    async def save(self, content: bytes) -> bool:
        return False


@contextmanager
def _log(records: int) -> Iterator[Path]:
    """A log of so many records over thirty days, its closed files compressed."""
    with tempfile.TemporaryDirectory() as place:
        folder = AuditFolder(Path(place) / "audit")
        folder.claim()
        chain_writer = open_log(
            folder,
            KeyFile(folder.path / "keys", None),
            SystemClock(),
            boot="bench",
            max_bytes=FILE_BYTES,
        ).chain_writer
        now_ms = time.time_ns() // 1_000_000
        step_ms = 30 * DAY_MS / records
        for start in range(0, records, GROUP):
            _append_group(chain_writer, start, min(start + GROUP, records), now_ms, step_ms)
        compress_closed(folder, chain_writer.file)
        chain_writer.close()
        folder.release()
        yield folder.path


def _append_group(
    chain_writer: ChainWriter, start: int, end: int, now_ms: int, step_ms: float
) -> None:
    group = []
    for number in range(start, end):
        at_ms = now_ms - 30 * DAY_MS + int(number * step_ms)
        group.append(Stamped(event(number), at_ms, number * int(step_ms * 1000)))
    chain_writer.append(group)


def read(records: int) -> Figures:
    """Verification, the making of the index, and the median of each kind of query."""
    with _log(records) as folder:
        started = time.perf_counter()
        verdict = Verifier(folder, own_key(folder)).run()
        verify_s = time.perf_counter() - started
        assert (verdict.verdict, verdict.records) == ("OK", records)
        index = AuditIndex(folder)
        started = time.perf_counter()
        assert index.catch_up() == records
        index_s = time.perf_counter() - started
        search = AuditSearch(folder, index)
        figures = {
            "verify_per_second": records / verify_s,
            "index_per_second": records / index_s,
            **{
                f"query_{name}_ms": _median_ms(search, wanted) for name, wanted in _filters(records)
            },
        }
        index.close()
        return figures


def _filters(records: int) -> Iterator[tuple[str, list[AuditFilter]]]:
    now_ms = time.time_ns() // 1_000_000
    days = [now_ms - day * DAY_MS for day in range(1, 28)]
    apps = [f"com.example.app{number}" for number in range(APPS)]
    yield "type", [AuditFilter(types=["permission.granted"]), AuditFilter(types=["violation"])]
    yield "app", [AuditFilter(apps=[app]) for app in apps]
    yield "time", [AuditFilter(since=day, until=day + DAY_MS // 24) for day in days]
    yield (
        "combined",
        [AuditFilter(apps=[app], decisions=["denied"], until=days[9]) for app in apps],
    )
    rare = [number - number % 50 for number in range(0, records, records // 30)]
    yield "correlation", [AuditFilter(correlation_id=f"c-{number}") for number in rare]


def _median_ms(search: AuditSearch, filters: list[AuditFilter]) -> float:
    taken = []
    for turn in range(QUERIES):
        wanted = filters[turn % len(filters)]
        started = time.perf_counter()
        found = search.find(wanted, order="newest", limit=100, cursor=None)
        taken.append(time.perf_counter() - started)
        assert found.records or wanted.since is not UNSET
    return median(taken) * 1000


class _Publisher:
    """A client's place on a real broker."""

    def __init__(self, broker: MessageBroker, client: BusClient) -> None:
        self._broker = broker
        self._client = client

    def publish_plain(self, messages: object, refuse: object) -> object:
        return self._broker.publish_plain(self._client, messages, refuse)  # type: ignore[arg-type]

    def publish(self, topic: str, payload: Raw, options: PublishParams) -> object:
        return self._broker.publish(self._client, topic, payload, options)


def hot_path() -> Figures:
    """How much longer a publish takes with the audit of refusals in place, in per cent."""
    identity = ClientId("bench.app", "main")
    broker = MessageBroker("bench", OpenAccess())
    publisher = _Publisher(broker, BusClient(identity, "bench"))
    frame = (
        b'{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"bench.topic","payload":"%b"}}\n'
        % (b"x" * 256)
    )
    block = frame * BLOCK_FRAMES
    lanes = [
        FastPath(Outbox(Flusher(), _close), RejectionNotices(_drop), CallsInProgress())
        for _ in range(2)
    ]
    lanes[0].open(publisher)  # type: ignore[arg-type]
    audited = RefusedCalls(ViolationRecorder(FakeTrail())).on_fastpath(identity)
    lanes[1].open(publisher, audited)  # type: ignore[arg-type]
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * TURNS):
        which = turn % 2
        started = time.perf_counter()
        for _ in range(BLOCKS):
            steps = lanes[which].take(block, _dispatch)
            assert steps is not None
            deque(steps, maxlen=0)
        taken[which].append(time.perf_counter() - started)
    without, with_audit = median(taken[0]), median(taken[1])
    return {"hot_path_percent": 100 * (with_audit - without) / without}


def _drop(_: bytes) -> None:
    """The bench reads nothing back."""


def _close() -> None:
    """No link is behind the outbox."""


def _dispatch(method: str, params: Raw, request_id: bytes, answer: Answer) -> None:
    raise AssertionError(f"{method} is no publish")
