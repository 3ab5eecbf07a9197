"""`fdc3.*`."""

from collections.abc import Awaitable, Callable, Mapping

from deskbus.fdc3.dacp.service import Fdc3Service
from deskbus.fdc3.overview import channels, contexts, intents, trace
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


def handlers(
    service: Callable[[], Fdc3Service], choose_channel: Callable[[ClientId], Awaitable[None]]
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
        return channels(service().agent)

    async def list_contexts(_: Call, params: ChannelParams) -> Fdc3Contexts:
        return contexts(service().agent, params)

    async def list_intents(_: Call, __: NoParams) -> Fdc3Intents:
        return intents(service().agent)

    async def tell_trace(_: Call, params: Fdc3TraceParams) -> Fdc3Trace:
        return trace(service().agent, params)

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
