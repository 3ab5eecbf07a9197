"""Tells clients who subscribes to what they may write to."""

from collections.abc import Callable, Iterator

from deskbus.bus.member import Connected, Member
from deskbus_protocol.bus import SubscriberParams, SubscriberRemovedParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.wire.rpc import notification

MayWrite = Callable[[ClientId, str], bool]
"""Whether a client may write to every topic of a pattern."""


class SubscriberPresence:
    def __init__(self, may_write: MayWrite) -> None:
        self._may_write = may_write
        self._watching: dict[ClientId, Member] = {}

    def watch(self, member: Member, others: list[Member]) -> list[SubscriberParams]:
        """Starts to tell `member`; returns what there is to tell of the others already."""
        self._watching[member.identity] = member
        return [
            word
            for other in others
            if other is not member and other.here
            for pattern in other.client.subscriptions
            if (word := self._word(member, other, pattern)) is not None
        ]

    def unwatch(self, identity: ClientId) -> None:
        self._watching.pop(identity, None)

    def added(self, subscriber: Member, pattern: str) -> None:
        for connection, word in self._words(subscriber, pattern):
            connection.put(notification("bus.subscriberAdded", word) + b"\n", None, 0)

    def removed(self, subscriber: Member, pattern: str, *, away: bool) -> None:
        """`away` says that it may come back, and take the subscription up."""
        for connection, word in self._words(subscriber, pattern):
            removed = SubscriberRemovedParams(
                pattern=pattern, app=word.app, client=word.client, away=away
            )
            connection.put(notification("bus.subscriberRemoved", removed) + b"\n", None, 0)

    def _words(
        self, subscriber: Member, pattern: str
    ) -> Iterator[tuple[Connected, SubscriberParams]]:
        """For each watcher that is here and may know."""
        for watcher in self._watching.values():
            connection = watcher.connection
            if connection is None or watcher is subscriber:
                continue
            word = self._word(watcher, subscriber, pattern)
            if word is not None:
                yield connection, word

    def _word(self, watcher: Member, subscriber: Member, pattern: str) -> SubscriberParams | None:
        if not self._may_write(watcher.identity, pattern):
            return None
        identity = subscriber.identity
        return SubscriberParams(pattern=pattern, app=identity.app, client=identity.client)
