"""ChannelLayout: FDC3's part of a layout of the desk."""

from collections.abc import Callable, Iterable

from deskbus.fdc3.agent import AgentCore
from deskbus.fdc3.overview import Overview
from deskbus.fdc3.state.channels import KeptContext
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.fdc3 import ChannelParams, LastContext, channel_topic, is_channel_id

MAX_CONTEXT_BYTES = 8 * 1024 * 1024
"""Size of all contexts in one layout; those beyond are left out."""


class ChannelLayout:
    """The user channel that each client is on, and the last contexts."""

    def __init__(self, agent: AgentCore) -> None:
        self._agent = agent

    def on_moved(self, tell: Callable[[ClientId, str | None], None]) -> None:
        """Tells of each client that is on another channel, or on none."""
        self._agent.moved.add(lambda moved: tell(*moved))

    def join(self, identity: ClientId, channel: str) -> None:
        """Puts a client on a user channel, even before it connects.

        A channel that no longer exists is skipped.
        """
        found = self._agent.channels.get(channel)
        if found is not None and found.type == "user":
            self._agent.move(self._agent.expect(identity), channel)

    def give_up(self, identity: ClientId) -> None:
        """Drops the channel of an expected client that will not come."""
        instance = self._agent.instances.of(identity)
        if instance is not None and not instance.connected:
            self._agent.client_ended(identity)

    def last_contexts(self, is_sensitive: Callable[[str], bool], limit: int) -> list[LastContext]:
        """The last contexts of user and app channels whose topics are not sensitive, a channel's
        newest first.
        """
        kept: list[LastContext] = []
        left = MAX_CONTEXT_BYTES
        for last in Overview(self._agent).contexts(ChannelParams()).contexts:
            channel = self._agent.channels.get(last.channel)
            size = len(bytes(last.context))
            if channel is None or size > left or len(kept) >= limit:
                continue
            if not is_sensitive(channel_topic(channel.type, channel.id, last.type)):
                kept.append(last)
                left -= size
        return kept

    def bring_back(self, lasts: Iterable[LastContext]) -> None:
        """Restores last contexts to channels that have none of the same type.

        Nobody is notified: a context of an earlier run is for clients that join the channel or ask.
        Entries that are no valid channel or context are skipped.
        """
        for last in lasts:
            self._bring_back(last)

    def _bring_back(self, last: LastContext) -> None:
        channels = self._agent.channels
        channel = channels.get(last.channel)
        if channel is None and is_channel_id(last.channel):
            channel = channels.make(last.channel, "app", last.source.app)
        if channel is None or channel.type == "private" or channel.context(last.type) is not None:
            return
        try:
            topic = channel_topic(channel.type, channel.id, last.type)
        except DeskbusError:
            return
        channel.topics.add(topic)
        kept = KeptContext(last.context, last.source, last.timestamp, last.trace_id)
        channel.keep_older(last.type, kept)
