"""`control.*`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from deskbus.bus.service import InterApplicationBus
from deskbus.bus.traffic import Traffic
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.ui.shell import Shell
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.control import (
    ClientsResult,
    ControlAppParams,
    ControlAppResult,
    ControlOverview,
    ControlPublishParams,
    ControlPublishResult,
    OpenCentreParams,
    SamplesParams,
    SamplesResult,
    TopicListParams,
    TopicListResult,
    TopicParams,
    TopicResult,
    TrafficParams,
    TrafficResult,
    UsageResult,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.method import ControlPermission, Empty, NoParams

OPEN_WITHIN_S = 10.0


class CentrePort(Protocol):
    """The state of the whole, as the overview shows it; raises `DeskbusError`."""

    def permits(self, identity: ClientId, permission: ControlPermission) -> bool: ...

    def samples(self, span_ms: int) -> SamplesResult: ...

    def usage(self) -> UsageResult: ...

    def acts_until_ms(self, identity: ClientId) -> int | None: ...

    async def overview(self, *, acts: bool, acts_until: int | None) -> ControlOverview: ...

    async def app(self, name: str) -> ControlAppResult: ...


def handlers(
    centre: CentrePort,
    traffic: Traffic,
    bus: InterApplicationBus,
    shell: Shell,
    lending: Callable[[ClientId, str], AbstractContextManager[None]],
) -> Mapping[str, Handler]:
    """`lending` lets a client that acts as an operator publish a message, within its block."""

    async def open_centre(_: Call, params: OpenCentreParams) -> Empty:
        if not shell.connected:
            raise DeskbusError(
                UNAVAILABLE,
                "No shell is connected, so there is no window for the control centre.",
                action="Start the backend from Electron.",
            )
        await shell.call("ui.openControlCentre", params, Empty, timeout_s=OPEN_WITHIN_S)
        return Empty()

    async def overview(call: Call, _: NoParams) -> ControlOverview:
        connection = call.connection
        is_shell = connection.role == "shell" or connection.shell_link
        acts = is_shell or centre.permits(call.identity, "control.act")
        until = None if is_shell else centre.acts_until_ms(call.identity)
        return await centre.overview(acts=acts, acts_until=until)

    async def samples(_: Call, params: SamplesParams) -> SamplesResult:
        return centre.samples(params.span)

    async def look(_: Call, params: TrafficParams) -> TrafficResult:
        return await traffic.look(params.search, params.limit)

    async def topics(_: Call, params: TopicListParams) -> TopicListResult:
        return await traffic.topics(params.search)

    async def topic(_: Call, params: TopicParams) -> TopicResult:
        return await traffic.topic(params.topic, params.after, params.limit)

    async def clients(_: Call, __: NoParams) -> ClientsResult:
        return ClientsResult(clients=traffic.clients())

    async def usage(_: Call, __: NoParams) -> UsageResult:
        return centre.usage()

    async def app(_: Call, params: ControlAppParams) -> ControlAppResult:
        return await centre.app(params.app)

    async def publish(call: Call, params: ControlPublishParams) -> ControlPublishResult:
        client = bus.member(call.identity).client
        options = PublishParams(topic=params.topic, payload=params.payload, headers=params.headers)
        with lending(call.identity, params.topic):
            topic = bus.broker.publish(client, params.topic, params.payload, options)
        readers = len(bus.broker.targets_of(topic))
        return ControlPublishResult(id=topic.last_id.decode(), seq=topic.seq, receivers=readers)

    return {
        "control.open": open_centre,
        "control.overview": overview,
        "control.samples": samples,
        "control.traffic": look,
        "control.topics": topics,
        "control.topic": topic,
        "control.clients": clients,
        "control.usage": usage,
        "control.app": app,
        "control.publish": publish,
    }
