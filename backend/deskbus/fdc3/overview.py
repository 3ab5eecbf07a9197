"""Overview of FDC3 for operators: channels, contexts, intents, the trace. Pure."""

from msgspec import UNSET, UnsetType

from deskbus.fdc3.agent import AgentCore
from deskbus.fdc3.state.channels import ChannelState
from deskbus.fdc3.state.instances import Instance
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.fdc3 import (
    ChannelParams,
    Fdc3Channel,
    Fdc3Channels,
    Fdc3Contexts,
    Fdc3Intent,
    Fdc3Intents,
    Fdc3Listener,
    Fdc3Trace,
    Fdc3TraceParams,
    LastContext,
)


class Overview:
    """An agent as operators see it."""

    def __init__(self, agent: AgentCore) -> None:
        self._agent = agent

    def channels(self) -> Fdc3Channels:
        return Fdc3Channels(
            channels=[_channel(self._agent, channel) for channel in self._agent.channels]
        )

    def contexts(self, params: ChannelParams) -> Fdc3Contexts:
        """Contexts of private channels stay private; raises `DeskbusError` (not_found)."""
        if isinstance(params.channel, UnsetType):
            wanted = [channel for channel in self._agent.channels if channel.type != "private"]
        else:
            found = self._agent.channels.get(params.channel)
            if found is None or found.type == "private":
                raise DeskbusError(NOT_FOUND, "There is no such user or app channel.")
            wanted = [found]
        return Fdc3Contexts(
            contexts=[
                LastContext(
                    channel=channel.id,
                    type=context_type,
                    context=kept.context,
                    source=kept.source,
                    timestamp=kept.timestamp,
                    trace_id=kept.trace_id,
                )
                for channel in wanted
                for context_type, kept in channel.newest()
            ]
        )

    def intents(self) -> Fdc3Intents:
        apps: dict[str, list[str]] = {}
        for taker in self._agent.directory.takers():
            apps.setdefault(taker.intent, []).append(taker.app_id)
        heard: dict[str, list[Fdc3Listener]] = {}
        for instance in self._agent.instances:
            for intent, _ in instance.intents.values():
                heard.setdefault(intent, []).append(
                    Fdc3Listener(app=instance.identity.app, instance_id=instance.id, intent=intent)
                )
        names = sorted(apps.keys() | heard.keys())
        return Fdc3Intents(
            intents=[
                Fdc3Intent(intent=name, apps=apps.get(name, []), listeners=heard.get(name, []))
                for name in names
            ]
        )

    def trace(self, params: Fdc3TraceParams) -> Fdc3Trace:
        wanted = None if isinstance(params.trace_id, UnsetType) else params.trace_id
        return Fdc3Trace(entries=self._agent.trace.newest(params.limit, wanted))


def _channel(agent: AgentCore, channel: ChannelState) -> Fdc3Channel:
    members = [
        instance
        for instance in agent.instances
        if instance.channel == channel.id or instance.id in channel.members
    ]
    return Fdc3Channel(
        id=channel.id,
        type=channel.type,
        name=channel.display.get("name", channel.id),
        context_types=[context_type for context_type, _ in channel.newest()],
        members=[instance.id for instance in members],
        listeners=[
            listener for instance in agent.instances for listener in _listeners(instance, channel)
        ],
    )


def _listeners(instance: Instance, channel: ChannelState) -> list[Fdc3Listener]:
    return [
        Fdc3Listener(
            app=instance.identity.app,
            instance_id=instance.id,
            channel=wanted.channel or UNSET,
            context_type=wanted.type or UNSET,
        )
        for wanted in instance.contexts.values()
        if channel.id == (wanted.channel or instance.channel)
    ]
