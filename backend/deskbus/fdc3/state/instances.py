"""Instances: who takes part in FDC3, and what each listens to."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import inbox_topic

MAX_LISTENERS = 1_000
"""Listeners of one instance, of all kinds together."""


class ContextListener(NamedTuple):
    """Without a channel, to the user channel that the instance has joined; None is any type."""

    channel: str | None
    type: str | None


class IntentListener(NamedTuple):
    """Without `types`, for contexts of any (FDC3 3.0: addIntentListenerWithContext)."""

    intent: str
    types: frozenset[str] | None = None

    def takes(self, intent: str, context_type: str | None) -> bool:
        """Whether the listener takes this type; any, where `context_type` is None."""
        fits = self.types is None or context_type is None or context_type in self.types
        return intent == self.intent and fits

    def conflicts(self, other: "IntentListener") -> bool:
        """Whether one context could match both."""
        apart = self.types is not None and other.types is not None and not self.types & other.types
        return self.intent == other.intent and not apart


class EventListener(NamedTuple):
    """A listener to events of the agent, or of one private channel."""

    channel: str | None


class Instance:
    """One client of an app: a window, or a process. Its id is secret enough not to be guessed.

    `connected` says that its page, or program, speaks FDC3 at present.
    """

    def __init__(self, instance_id: str, app_id: str, identity: ClientId, now_s: float) -> None:
        self.id = instance_id
        self.app_id = app_id
        self.identity = identity
        self.inbox = inbox_topic(instance_id)
        self.connected = False
        self.channel: str | None = None
        self.heard_s = now_s
        self.contexts: dict[str, ContextListener] = {}
        self.intents: dict[str, IntentListener] = {}
        self.events: dict[str, EventListener] = {}

    @property
    def name(self) -> dict[str, str]:
        """FDC3 2.2, AppIdentifier."""
        return {"appId": self.app_id, "instanceId": self.id}

    @property
    def listeners(self) -> int:
        return len(self.contexts) + len(self.intents) + len(self.events)

    def hears_intent(self, intent: str, context_type: str | None = None) -> bool:
        return any(each.takes(intent, context_type) for each in self.intents.values())

    def hears_context(self, channel: str, context_type: str) -> bool:
        """Whether a listener of its own wants this; the channel's type is not looked at."""
        return any(
            (channel == wanted.channel or (wanted.channel is None and channel == self.channel))
            and wanted.type in (None, context_type)
            for wanted in self.contexts.values()
        )

    def hears_events_of(self, channel: str | None) -> bool:
        return any(wanted.channel == channel for wanted in self.events.values())

    def forget_listeners(self) -> None:
        self.contexts.clear()
        self.intents.clear()
        self.events.clear()


class InstanceTable:
    """Instances by id and by client."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._by_id: dict[str, Instance] = {}
        self._by_client: dict[ClientId, Instance] = {}

    def __iter__(self) -> Iterator[Instance]:
        return iter(list(self._by_id.values()))

    def get(self, instance_id: str) -> Instance | None:
        return self._by_id.get(instance_id)

    def of(self, identity: ClientId) -> Instance | None:
        return self._by_client.get(identity)

    def of_app(self, app_id: str) -> list[Instance]:
        return [instance for instance in self if instance.app_id == app_id]

    def find_or_make(self, identity: ClientId, app_id: str, now_s: float) -> Instance:
        known = self._by_client.get(identity)
        if known is not None:
            return known
        made = Instance(self._new_id(), app_id, identity, now_s)
        self._by_id[made.id] = self._by_client[identity] = made
        return made

    def remove(self, instance: Instance) -> None:
        self._by_id.pop(instance.id, None)
        if self._by_client.get(instance.identity) is instance:
            del self._by_client[instance.identity]
