"""`bus.*`."""

from collections.abc import Callable, Mapping

from msgspec import Raw

from deskbus.bus.ingress.rate_limit import RateLimits
from deskbus.bus.recovery.replay import Replays
from deskbus.bus.service import InterApplicationBus, needs
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.permission_service import PermissionService
from deskbus_protocol.bus import (
    RequestParams,
    SendParams,
    SendResult,
    SubscribeParams,
    SubscribeResult,
    UnsubscribeParams,
    WatchParams,
    WatchResult,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.method import Empty
from deskbus_protocol.permissions import Grant


def handlers(
    bus: InterApplicationBus,
    replays: Replays,
    permissions: PermissionService,
    rate_limits: RateLimits,
    owns: Callable[[ClientId, str], bool] = lambda *_: False,
) -> Mapping[str, Handler]:
    """`owns` says whether a topic is a client's own, which it reads without a permission."""

    async def subscribe(call: Call, params: SubscribeParams) -> SubscribeResult:
        if owns(call.identity, params.pattern):
            bus.subscribe(call.identity, params.pattern, params.mode)
            return SubscribeResult(mark=replays.mark())
        wanted = Grant("messaging.read", params.pattern)
        permit = await permissions.require(call.identity, wanted)
        with permissions.subscribing(permit):
            bus.subscribe(call.identity, params.pattern, params.mode, params.sources or ())
        return SubscribeResult(mark=replays.mark())

    async def unsubscribe(call: Call, params: UnsubscribeParams) -> Empty:
        bus.unsubscribe(call.identity, params.pattern)
        permissions.release(call.identity, Grant("messaging.read", params.pattern))
        return Empty()

    async def watch(call: Call, params: WatchParams) -> WatchResult:
        found = await bus.watch_subscribers(call.identity, enabled=params.enabled)
        return WatchResult(subscribers=found)

    async def send(call: Call, params: SendParams) -> SendResult:
        rate_limits.check(call.identity.app, len(params.payload))
        await permissions.reserve(call.identity, needs(params))
        return bus.send(bus.member(call.identity).client, params)

    async def request(call: Call, params: RequestParams) -> Raw:
        rate_limits.check(call.identity.app, len(params.payload))
        with permissions.holding(await permissions.reserve(call.identity, needs(params))):
            return await bus.request(bus.member(call.identity).client, params)

    return {
        "bus.subscribe": subscribe,
        "bus.unsubscribe": unsubscribe,
        "bus.watchSubscribers": watch,
        "bus.send": send,
        "bus.request": request,
    }
