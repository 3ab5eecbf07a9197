"""`bus.*` that looks back."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext

import anyio.lowlevel
from msgspec import UNSET, UnsetType, structs

from deskbus.bus.recovery.replay import Replays
from deskbus.bus.service import InterApplicationBus
from deskbus.reliability.fair_queue import FairQueue
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.permission_request import Permit
from deskbus.security.permission_service import PermissionService
from deskbus_protocol.bus import ContinueParams, ContinueResult
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.history import (
    BusStats,
    CompressionStats,
    DeadLetterList,
    DeadLettersParams,
    HistoryParams,
    LettersParams,
    LettersResult,
    LogStats,
    MessageList,
    QueryParams,
    QueueList,
    ReplayParams,
    ReplayResult,
)
from deskbus_protocol.method import NoParams
from deskbus_protocol.permissions import Grant

CONTINUE_MS = 10 * 60 * 1000
"""How far back a subscription continues without the permission to read older messages."""

QUERIES_AT_ONCE = 4
QUERIES_OF_APP = 1
"""Each may read much of the log, and hold an answer of megabytes."""


REPLAYS_AT_ONCE = 16
REPLAYS_OF_APP = 2
"""Each goes on for as long as its reader takes to read."""


def handlers(
    bus: InterApplicationBus,
    replays: Replays,
    permissions: PermissionService,
    log_stats: Callable[[], LogStats],
    owns: Callable[[ClientId, str], bool] = lambda *_: False,
    compression: Callable[[], CompressionStats | UnsetType] = lambda: UNSET,
) -> Mapping[str, Handler]:
    """`owns` says whether a topic is a client's own, which it reads without a permission."""
    queries = FairQueue(QUERIES_AT_ONCE, of_one=QUERIES_OF_APP)
    histories = FairQueue(1, of_one=1)
    replayed = FairQueue(REPLAYS_AT_ONCE, of_one=REPLAYS_OF_APP)

    async def permits(call: Call, pattern: str) -> tuple[Permit, Permit]:
        """To read at all, and to read what was published before."""
        return await permissions.require_both(
            call.identity, Grant("messaging.read", pattern), Grant("history", pattern)
        )

    async def history(call: Call, params: HistoryParams) -> MessageList:
        with permissions.holding(*await permits(call, params.topic)):
            async with histories.take(call.identity.app):
                # It is made in one piece, so what came meanwhile is served before the next.
                await anyio.lowlevel.cancel_shielded_checkpoint()
            return MessageList(messages=bus.history(call.identity, params.topic, params.limit))

    async def query(call: Call, params: QueryParams) -> MessageList:
        with permissions.holding(*await permits(call, params.pattern)):
            async with queries.take(call.identity.app):
                return await replays.query(call.identity, params)

    async def replay(call: Call, params: ReplayParams) -> ReplayResult:
        held = await permits(call, params.pattern)
        # A one-time grant goes on as the subscription that it leaves.
        followed = permissions.leasing(held[0]) if params.follow else nullcontext()
        with followed, permissions.holding(*held):
            async with replayed.take(call.identity.app):
                return ReplayResult(messages=await replays.replay(call.identity, params))

    async def go_on(call: Call, params: ContinueParams) -> ContinueResult:
        if owns(call.identity, params.pattern):
            return await replays.go_on(call.identity, params, recent_ms=None)
        reads = await permissions.require(call.identity, Grant("messaging.read", params.pattern))
        wanted = Grant("history", params.pattern)
        may_look_back = await permissions.state(call.identity, wanted) == "granted"
        recent_ms = None if may_look_back else CONTINUE_MS
        with permissions.leasing(reads), permissions.holding(reads):
            return await replays.go_on(call.identity, params, recent_ms=recent_ms)

    return {
        "bus.history": history,
        "bus.query": query,
        "bus.replay": replay,
        "bus.continue": go_on,
        **_for_operators(bus, log_stats, compression),
    }


def _for_operators(
    bus: InterApplicationBus,
    log_stats: Callable[[], LogStats],
    compression: Callable[[], CompressionStats | UnsetType],
) -> Mapping[str, Handler]:
    async def stats(_: Call, __: NoParams) -> BusStats:
        return structs.replace(bus.statistics(), compression=compression())

    async def log_statistics(_: Call, __: NoParams) -> LogStats:
        return log_stats()

    async def queued(_: Call, __: NoParams) -> QueueList:
        return QueueList(queues=bus.queues())

    async def dead_letters(_: Call, params: DeadLettersParams) -> DeadLetterList:
        reason = None if isinstance(params.reason, UnsetType) else params.reason
        letters = bus.dead_letters.newest(params.limit, reason)
        return DeadLetterList(letters=letters, total=len(bus.dead_letters))

    async def redrive(_: Call, params: LettersParams) -> LettersResult:
        return bus.redrive(_numbers(params))

    async def purge(_: Call, params: LettersParams) -> LettersResult:
        return bus.purge(_numbers(params))

    return {
        "bus.stats": stats,
        "bus.logStats": log_statistics,
        "bus.queued": queued,
        "bus.deadLetters": dead_letters,
        "bus.redrive": redrive,
        "bus.purge": purge,
    }


def _numbers(params: LettersParams) -> list[int] | None:
    return None if isinstance(params.numbers, UnsetType) else params.numbers
