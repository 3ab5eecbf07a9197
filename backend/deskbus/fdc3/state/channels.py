"""Channels: user, app and private ones, with the last context of each type."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec import Raw

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import ChannelType

MAX_CHANNELS = 10_000
MAX_CHANNELS_OF_APP = 1_000
"""Channels that one app may make, app and private ones together."""

MAX_TYPES = 1_000
"""Types of contexts that a channel remembers; beyond, the oldest context is forgotten."""


class UserChannel(NamedTuple):
    id: str
    name: str
    color: str
    glyph: str


RECOMMENDED = (
    UserChannel("fdc3.channel.1", "Channel 1", "red", "1"),
    UserChannel("fdc3.channel.2", "Channel 2", "orange", "2"),
    UserChannel("fdc3.channel.3", "Channel 3", "yellow", "3"),
    UserChannel("fdc3.channel.4", "Channel 4", "green", "4"),
    UserChannel("fdc3.channel.5", "Channel 5", "cyan", "5"),
    UserChannel("fdc3.channel.6", "Channel 6", "blue", "6"),
    UserChannel("fdc3.channel.7", "Channel 7", "magenta", "7"),
    UserChannel("fdc3.channel.8", "Channel 8", "purple", "8"),
)
"""FDC3 2.2, Recommended User ChannelState Set."""


class KeptContext(NamedTuple):
    """A context as it was broadcast; `timestamp` is Unix milliseconds."""

    context: Raw
    source: ClientId
    timestamp: int
    trace_id: str
    more: Raw = Raw(b"null")
    """Metadata of its sender's own (FDC3 3.0), as JSON."""


class ChannelState:
    """`members` are the instances that may use a private channel; others are open to all."""

    def __init__(
        self, channel_id: str, kind: ChannelType, display: dict[str, str], owner: str = ""
    ) -> None:
        self.id = channel_id
        self.type: ChannelType = kind
        self.display = display
        self.owner = owner
        self.members: set[str] = set()
        self.topics: set[str] = set()
        self._contexts: dict[str, KeptContext] = {}

    def keep(self, context_type: str, kept: KeptContext) -> None:
        """Keeps a context as the newest, at the end of the table."""
        self._contexts.pop(context_type, None)
        self._contexts[context_type] = kept
        if len(self._contexts) > MAX_TYPES:
            del self._contexts[next(iter(self._contexts))]

    def keep_older(self, context_type: str, kept: KeptContext) -> None:
        """Keeps a context as older than all that the channel has."""
        if len(self._contexts) < MAX_TYPES:
            self._contexts = {context_type: kept, **self._contexts}

    def context(self, context_type: str) -> KeptContext | None:
        return self._contexts.get(context_type)

    def newest(self) -> Iterator[tuple[str, KeptContext]]:
        """Types with their last contexts, the newest first."""
        return reversed(self._contexts.items())

    def clear(self, context_type: str | None) -> None:
        if context_type is None:
            self._contexts.clear()
        else:
            self._contexts.pop(context_type, None)

    def describe(self) -> dict[str, Any]:
        """FDC3 2.2, ChannelState, as DACP has it."""
        return {"id": self.id, "type": self.type, "displayMetadata": self.display}


class ChannelTable:
    """Channels by id, which is one of all types."""

    def __init__(self, user_channels: Iterable[UserChannel] = RECOMMENDED) -> None:
        self._channels: dict[str, ChannelState] = {}
        self._made = Counter[str]()
        for user in user_channels:
            display = {"name": user.name, "color": user.color, "glyph": user.glyph}
            self._channels[user.id] = ChannelState(user.id, "user", display)

    def __iter__(self) -> Iterator[ChannelState]:
        return iter(list(self._channels.values()))

    def get(self, channel_id: str) -> ChannelState | None:
        return self._channels.get(channel_id)

    def user_channels(self) -> list[ChannelState]:
        return [channel for channel in self if channel.type == "user"]

    def make(self, channel_id: str, kind: ChannelType, owner: str) -> ChannelState | None:
        """Makes a channel; None where there are too many, in all or of this owner."""
        if len(self._channels) >= MAX_CHANNELS or self._made[owner] >= MAX_CHANNELS_OF_APP:
            return None
        self._made[owner] += 1
        made = self._channels[channel_id] = ChannelState(channel_id, kind, {}, owner)
        return made

    def remove(self, channel: ChannelState) -> None:
        if self._channels.pop(channel.id, None) is not None:
            self._made[channel.owner] -= 1
