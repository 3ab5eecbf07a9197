"""Requests about apps and the agent itself."""

from typing import Any

from deskbus.fdc3.agent import AgentCore, app_trace_id
from deskbus.fdc3.dacp.intents import Accepted
from deskbus.fdc3.dacp.launches import ListenerWait, opened
from deskbus.fdc3.dacp.messages import AppPayload, NoPayload, OpenPayload, context_in
from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.state.channels import KeptContext
from deskbus.fdc3.state.deliveries import ContextDelivery
from deskbus.fdc3.state.instances import Instance
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.fdc3 import Fdc3TraceEntry, context_type_of
from deskbus_protocol.permissions import Grant


def to_open(agent: AgentCore, _: Instance, payload: OpenPayload) -> Grant | None:
    """Raises `DacpError` (AppNotFound)."""
    app = agent.directory.app_of(payload.app.app_id)
    if app is None or not agent.around.launcher.has(app):
        raise DacpError("AppNotFound")
    return Grant("process.launch", app)


async def open_app(
    agent: AgentCore, opener: Instance, payload: OpenPayload, _: str, accepted: Accepted
) -> dict[str, Any]:
    """With a context it waits for the listener that takes it: AppTimeout where none comes."""
    accepted()
    app = agent.directory.app_of(payload.app.app_id)
    if app is None:
        raise DacpError("AppNotFound")
    context, more = context_in(payload), agent.own_metadata(payload.metadata)
    context_type = None if context is None else context_type_of(context)
    if context is None or context_type is None:
        instance = await _opened(agent, app, opener, None)
        return {"appIdentifier": instance.name}
    with ListenerWait(agent, ContextDelivery(context_type)) as wait:
        instance = await _opened(agent, app, opener, wait)
        heard = any(
            wanted.channel is None and wanted.type in (None, context_type)
            for wanted in instance.contexts.values()
        )
        if not heard and not await wait.come():
            raise DacpError("AppTimeout")
    now_ms, trace_id = agent.around.clock_ms(), agent.around.new_trace()
    kept = KeptContext(context, opener.identity, now_ms, trace_id, more)
    agent.tell(
        instance,
        "broadcastEvent",
        {"channelId": None, "context": context, **agent.provenance(kept)},
    )
    agent.delivered(
        Fdc3TraceEntry(
            timestamp=now_ms,
            trace_id=trace_id,
            kind="open",
            source=opener.identity,
            to=[instance.identity],
            context_type=context_type,
            app_trace_id=app_trace_id(more),
        )
    )
    return {"appIdentifier": instance.name}


async def _opened(
    agent: AgentCore, app: str, opener: Instance, wait: ListenerWait | None
) -> Instance:
    begins = (lambda _: None) if wait is None else wait.begins
    try:
        return await opened(agent, app, begins, opener)
    except DeskbusError as error:
        raise DacpError("AppNotFound" if error.kind is NOT_FOUND else "ErrorOnLaunch") from None


async def close(
    agent: AgentCore, instance: Instance, _: NoPayload, __: str, accepted: Accepted
) -> dict[str, Any]:
    """FDC3 3.0: closes the app's own window."""
    accepted()
    if not await agent.around.launcher.close(instance.identity):
        raise DacpError("ErrorOnClose")
    return {}


def find_instances(agent: AgentCore, _: Instance, payload: AppPayload) -> dict[str, Any]:
    record = agent.directory.record(payload.app.app_id)
    app_id = payload.app.app_id if record is None else record.app_id
    return {
        "appIdentifiers": [
            agent.metadata(app_id, instance.id) for instance in agent.instances.of_app(app_id)
        ]
    }


def get_app_metadata(agent: AgentCore, _: Instance, payload: AppPayload) -> dict[str, Any]:
    wanted = payload.app
    if agent.directory.record(wanted.app_id) is None:
        raise DacpError("TargetAppUnavailable")
    instance_id = wanted.instance_id or None
    if instance_id is not None:
        instance = agent.instances.get(instance_id)
        if instance is None or instance.app_id != wanted.app_id:
            raise DacpError("TargetInstanceUnavailable")
    return {"appMetadata": agent.metadata(wanted.app_id, instance_id)}


def get_info(agent: AgentCore, instance: Instance, _: NoPayload) -> dict[str, Any]:
    return {"implementationMetadata": agent.implementation(instance)}
