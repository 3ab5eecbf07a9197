"""Requests about channels, contexts and listeners."""

from typing import Any

from deskbus.fdc3.agent import CLEARED, AgentCore
from deskbus.fdc3.dacp.messages import (
    BroadcastPayload,
    ChannelPayload,
    ClearContextPayload,
    ContextListenerPayload,
    CurrentContextPayload,
    EventListenerPayload,
    NoPayload,
    PrivateListenerPayload,
    UnsubscribePayload,
)
from deskbus.fdc3.errors import DacpError
from deskbus.fdc3.state.instances import (
    MAX_LISTENERS,
    ContextListener,
    EventListener,
    Instance,
)
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.fdc3 import channel_topic, context_scope, context_type_of, is_channel_id
from deskbus_protocol.permissions import Grant

READ = "fdc3.context.read"
WRITE = "fdc3.context.write"


def room_for_listener(instance: Instance) -> None:
    """Raises `DacpError` (CreationFailed) where it has too many."""
    if instance.listeners >= MAX_LISTENERS:
        raise DacpError("CreationFailed")


# Permissions that requests need; None where one needs nothing, or has it.


def to_broadcast(agent: AgentCore, instance: Instance, payload: BroadcastPayload) -> Grant | None:
    channel = agent.channel(instance, payload.channel_id)
    if channel.type == "private":
        return None
    return Grant(WRITE, context_scope(channel.id, context_type_of(payload.context)))


def to_listen(
    agent: AgentCore, instance: Instance, payload: ContextListenerPayload
) -> Grant | None:
    """Part of what is wanted is enough: each context is looked at before it is handed out."""
    named = payload.channel_id
    if named is not None and agent.channel(instance, named).type == "private":
        return None
    channel = payload.channel_id or instance.channel
    wanted = Grant(READ, context_scope(channel, payload.context_type))
    return None if agent.around.access.may_part(instance.identity, wanted) else wanted


def to_join(agent: AgentCore, instance: Instance, payload: ChannelPayload) -> Grant | None:
    if not any(wanted.channel is None for wanted in instance.contexts.values()):
        return None
    wanted = Grant(READ, context_scope(payload.channel_id, None))
    return None if agent.around.access.may_part(instance.identity, wanted) else wanted


def to_look(agent: AgentCore, instance: Instance, payload: CurrentContextPayload) -> Grant | None:
    if agent.channel(instance, payload.channel_id).type == "private":
        return None
    wanted = Grant(READ, context_scope(payload.channel_id, payload.context_type))
    return None if agent.around.access.may_part(instance.identity, wanted) else wanted


# Handlers.


def broadcast(agent: AgentCore, instance: Instance, payload: BroadcastPayload) -> dict[str, Any]:
    channel = agent.channel(instance, payload.channel_id)
    context_type = context_type_of(payload.context)
    if context_type is None:
        raise DacpError("MalformedContext")
    try:
        topic = channel_topic(channel.type, channel.id, context_type)
        trace_id, more = agent.around.new_trace(), agent.own_metadata(payload.metadata)
        agent.around.bus.publish(instance.identity, topic, payload.context, trace_id, more)
    except DeskbusError as error:
        text = "MalformedContext" if error.kind.category == "protocol" else "AccessDenied"
        raise DacpError(text) from None  # type: ignore[arg-type]
    return {}


def to_clear(agent: AgentCore, instance: Instance, payload: ClearContextPayload) -> Grant | None:
    if agent.channel(instance, payload.channel_id).type == "private":
        return None
    return Grant(WRITE, context_scope(payload.channel_id, payload.context_type))


def clear_context(
    agent: AgentCore, instance: Instance, payload: ClearContextPayload
) -> dict[str, Any]:
    """FDC3 3.0. On the bus it is a message without a context, so it holds for everybody."""
    channel = agent.channel(instance, payload.channel_id)
    for context_type in [each for each, _ in channel.newest()]:
        if payload.context_type in (None, context_type):
            topic = channel_topic(channel.type, channel.id, context_type)
            trace_id = agent.around.new_trace()
            agent.around.bus.publish(instance.identity, topic, CLEARED, trace_id, CLEARED)
    return {}


def get_current_context(
    agent: AgentCore, instance: Instance, payload: CurrentContextPayload
) -> dict[str, Any]:
    channel = agent.channel(instance, payload.channel_id)
    for context_type, kept in channel.newest():
        is_wanted = payload.context_type in (None, context_type)
        if is_wanted and agent.may_read(instance, channel, context_type):
            return {"context": kept.context, **agent.provenance(kept)}
    return {"context": None}


def add_context_listener(
    agent: AgentCore, instance: Instance, payload: ContextListenerPayload
) -> dict[str, Any]:
    room_for_listener(instance)
    wanted = ContextListener(payload.channel_id, payload.context_type)
    channel = None
    if wanted.channel is not None:
        channel = agent.channel(instance, wanted.channel)
    listener = agent.around.new_id()
    instance.contexts[listener] = wanted
    agent.listeners_changed()
    if channel is not None and channel.type == "private":
        agent.tell_private(channel, "privateChannelOnAddContextListenerEvent", wanted.type)
    return {"listenerUUID": listener}


def listens_now(agent: AgentCore, instance: Instance, payload: ContextListenerPayload) -> None:
    """The app knows its listener by now: what it was opened with can come."""
    if payload.channel_id is None:
        agent.deliveries.context_listener_came(instance.id, payload.context_type)


def remove_context_listener(
    agent: AgentCore, instance: Instance, payload: UnsubscribePayload
) -> dict[str, Any]:
    wanted = instance.contexts.pop(payload.listener_uuid, None)
    if wanted is None:
        raise DacpError("InvalidArguments")
    agent.listeners_changed()
    channel = None if wanted.channel is None else agent.channels.get(wanted.channel)
    if channel is not None and channel.type == "private":
        agent.tell_private(channel, "privateChannelOnUnsubscribeEvent", wanted.type)
    return {}


def get_user_channels(agent: AgentCore, _: Instance, __: NoPayload) -> dict[str, Any]:
    return {"userChannels": [channel.describe() for channel in agent.channels.user_channels()]}


def get_current_channel(agent: AgentCore, instance: Instance, _: NoPayload) -> dict[str, Any]:
    channel = None if instance.channel is None else agent.channels.get(instance.channel)
    return {"channel": None if channel is None else channel.describe()}


def join_user_channel(
    agent: AgentCore, instance: Instance, payload: ChannelPayload
) -> dict[str, Any]:
    channel = agent.channels.get(payload.channel_id)
    if channel is None or channel.type != "user":
        raise DacpError("NoChannelFound")
    agent.move(instance, channel.id)
    return {}


def leave_current_channel(agent: AgentCore, instance: Instance, _: NoPayload) -> dict[str, Any]:
    agent.move(instance, None)
    return {}


def get_or_create_channel(
    agent: AgentCore, instance: Instance, payload: ChannelPayload
) -> dict[str, Any]:
    channel = agent.channels.get(payload.channel_id)
    if channel is None and is_channel_id(payload.channel_id):
        channel = agent.channels.make(payload.channel_id, "app", instance.identity.app)
    if channel is None:
        raise DacpError("CreationFailed")
    if channel.type == "private":
        raise DacpError("AccessDenied")
    return {"channel": channel.describe()}


def create_private_channel(agent: AgentCore, instance: Instance, _: NoPayload) -> dict[str, Any]:
    channel = agent.channels.make(agent.around.new_id(), "private", instance.identity.app)
    if channel is None:
        raise DacpError("CreationFailed")
    channel.members.add(instance.id)
    return {"privateChannel": channel.describe()}


def disconnect_private_channel(
    agent: AgentCore, instance: Instance, payload: ChannelPayload
) -> dict[str, Any]:
    channel = agent.channel(instance, payload.channel_id)
    if channel.type != "private":
        raise DacpError("NoChannelFound")
    agent.left_private(instance, channel.id)
    return {}


def add_private_listener(
    agent: AgentCore, instance: Instance, payload: PrivateListenerPayload
) -> dict[str, Any]:
    """Whichever of the channel's events it is for: the app's side tells them apart."""
    room_for_listener(instance)
    channel = agent.channel(instance, payload.private_channel_id)
    if channel.type != "private":
        raise DacpError("NoChannelFound")
    listener = agent.around.new_id()
    instance.events[listener] = EventListener(channel.id)
    return {"listenerUUID": listener}


def add_event_listener(
    agent: AgentCore, instance: Instance, _: EventListenerPayload
) -> dict[str, Any]:
    room_for_listener(instance)
    listener = agent.around.new_id()
    instance.events[listener] = EventListener(None)
    return {"listenerUUID": listener}


def remove_event_listener(
    _: AgentCore, instance: Instance, payload: UnsubscribePayload
) -> dict[str, Any]:
    if instance.events.pop(payload.listener_uuid, None) is None:
        raise DacpError("InvalidArguments")
    return {}
