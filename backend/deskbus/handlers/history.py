"""`bus.*` that looks back."""

from collections.abc import Callable, Mapping

from msgspec import UnsetType

from deskbus.bus.interapplication import InterApplicationBus
from deskbus.bus.replay import Replays
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus.security.manager import SecurityManager
from deskbus_protocol.bus import ContinueParams, ContinueResult
from deskbus_protocol.history import (
    BusStats,
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


def handlers(
    bus: InterApplicationBus,
    replays: Replays,
    security: SecurityManager,
    log_stats: Callable[[], LogStats],
) -> Mapping[str, Handler]:
    async def history(call: Call, params: HistoryParams) -> MessageList:
        await security.require(call.identity, Grant("messaging.read", params.topic))
        return MessageList(messages=bus.history(call.identity, params.topic, params.limit))

    async def query(call: Call, params: QueryParams) -> MessageList:
        await security.require(call.identity, Grant("messaging.read", params.pattern))
        return await replays.query(call.identity, params)

    async def replay(call: Call, params: ReplayParams) -> ReplayResult:
        await security.require(call.identity, Grant("messaging.read", params.pattern))
        return ReplayResult(messages=await replays.replay(call.identity, params))

    async def go_on(call: Call, params: ContinueParams) -> ContinueResult:
        await security.require(call.identity, Grant("messaging.read", params.pattern))
        return ContinueResult(messages=await replays.go_on(call.identity, params))

    async def stats(_: Call, __: NoParams) -> BusStats:
        return bus.statistics()

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
        "bus.history": history,
        "bus.query": query,
        "bus.replay": replay,
        "bus.continue": go_on,
        "bus.stats": stats,
        "bus.logStats": log_statistics,
        "bus.queued": queued,
        "bus.deadLetters": dead_letters,
        "bus.redrive": redrive,
        "bus.purge": purge,
    }


def _numbers(params: LettersParams) -> list[int] | None:
    return None if isinstance(params.numbers, UnsetType) else params.numbers
