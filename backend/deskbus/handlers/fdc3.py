"""`fdc3.*`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import (
    ChannelParams,
    ChooseChannelParams,
    ConnectParams,
    ConnectResult,
    Fdc3Channels,
    Fdc3Contexts,
    Fdc3Intents,
    Fdc3SendParams,
    Fdc3Trace,
    Fdc3TraceParams,
)
from deskbus_protocol.method import Empty, NoParams

if TYPE_CHECKING:
    from deskbus.fdc3.dacp.service import Fdc3Service


def handlers(
    service: "Callable[[], Fdc3Service]", choose_channel: Callable[[ClientId], Awaitable[None]]
) -> Mapping[str, Handler]:
    """`service` raises `DeskbusError` (unavailable) where FDC3 is off."""

    async def connect(call: Call, _: ConnectParams) -> ConnectResult:
        agent = service().agent
        instance = agent.connect(call.identity)
        return ConnectResult(
            app_id=instance.app_id,
            instance_id=instance.id,
            inbox=instance.inbox,
            implementation=agent.implementation(instance),
        )

    async def send(call: Call, params: Fdc3SendParams) -> Empty:
        await service().send(call.identity, params.message)
        return Empty()

    async def disconnect(call: Call, _: NoParams) -> Empty:
        service().disconnect(call.identity)
        return Empty()

    async def list_channels(_: Call, __: NoParams) -> Fdc3Channels:
        return service().overview.channels()

    async def list_contexts(_: Call, params: ChannelParams) -> Fdc3Contexts:
        return service().overview.contexts(params)

    async def list_intents(_: Call, __: NoParams) -> Fdc3Intents:
        return service().overview.intents()

    async def tell_trace(_: Call, params: Fdc3TraceParams) -> Fdc3Trace:
        return service().overview.trace(params)

    async def choose(_: Call, params: ChooseChannelParams) -> Empty:
        await choose_channel(ClientId(params.app, params.client))
        return Empty()

    return {
        "fdc3.connect": connect,
        "fdc3.chooseChannel": choose,
        "fdc3.send": send,
        "fdc3.disconnect": disconnect,
        "fdc3.channels": list_channels,
        "fdc3.contexts": list_contexts,
        "fdc3.intents": list_intents,
        "fdc3.trace": tell_trace,
    }
