"""Tells clients who subscribes to what they may write to."""

from collections.abc import Callable, Iterator
from typing import Literal

from deskbus.bus.member import Member
from deskbus.reliability.fair_queue import Later, Piece
from deskbus_protocol.bus import SubscriberParams, SubscriberRemovedParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.wire.rpc import notification

Removed = Literal["away", "gone"]

MayWrite = Callable[[ClientId, str], bool]
"""Whether a client may write to every topic of a pattern."""


class SubscriberPresence:
    """Changes are told in order: at once where that is quick, else by `later`, piece by piece."""

    def __init__(self, may_write: MayWrite, later: Later) -> None:
        self._may_write = may_write
        self._later = later
        self._watching: dict[ClientId, Member] = {}
        self._untold: dict[tuple[ClientId, str], Removed | None] = {}
        """None where the client has subscribed."""
        self._telling: Iterator[None] | None = None

    def watch(
        self, member: Member, others: list[Member]
    ) -> Iterator[list[SubscriberParams] | None]:
        """Starts to tell `member`; gives what there is to tell of the others already, and None
        after each piece of the work before.
        """
        self._watching[member.identity] = member
        found: list[tuple[Member, SubscriberParams]] = []
        piece = Piece()
        for other in others:
            for pattern in list(other.client.subscriptions) if other is not member else ():
                word = self._word(member.identity, other.identity, pattern)
                if word is not None:
                    found.append((other, word))
                if piece.is_over:
                    yield None
                    piece.begin()
        yield [
            word
            for other, word in found
            if other.here and word.pattern in other.client.subscriptions
        ]

    def unwatch(self, identity: ClientId) -> None:
        self._watching.pop(identity, None)

    def added(self, subscriber: Member, pattern: str) -> None:
        self._tell(subscriber.identity, pattern, None)

    def removed(self, subscriber: Member, pattern: str, *, away: bool) -> None:
        """`away` says that it may come back, and take the subscription up."""
        self._tell(subscriber.identity, pattern, "away" if away else "gone")

    def _tell(self, subscriber: ClientId, pattern: str, removed: Removed | None) -> None:
        if not self._watching:
            return
        key = (subscriber, pattern)
        if key in self._untold and (self._untold[key] is None) != (removed is None):
            # Nobody was told yet of what is over again.
            del self._untold[key]
        else:
            self._untold[key] = removed
        if self._telling is None:
            self._telling = self._tell_all()
            if self._go_on():
                self._later(self._go_on)

    def _go_on(self) -> bool:
        is_left = self._telling is not None and next(self._telling, _DONE) is not _DONE
        if not is_left:
            self._telling = None
        return is_left

    def _tell_all(self) -> Iterator[None]:
        piece = Piece()
        while self._untold:
            subscriber, pattern = key = next(iter(self._untold))
            removed = self._untold.pop(key)
            for watcher in list(self._watching.values()):
                self._tell_one(watcher, subscriber, pattern, removed)
                if piece.is_over:
                    yield
                    piece.begin()

    def _tell_one(
        self, watcher: Member, subscriber: ClientId, pattern: str, removed: Removed | None
    ) -> None:
        if watcher.connection is None or watcher.identity == subscriber:
            return
        word = self._word(watcher.identity, subscriber, pattern)
        if word is None:
            return
        if removed is None:
            line = notification("bus.subscriberAdded", word)
        else:
            gone = SubscriberRemovedParams(
                pattern=pattern, app=word.app, client=word.client, away=removed == "away"
            )
            line = notification("bus.subscriberRemoved", gone)
        watcher.connection.put(line + b"\n", None, 0)

    def _word(
        self, watcher: ClientId, subscriber: ClientId, pattern: str
    ) -> SubscriberParams | None:
        if not self._may_write(watcher, pattern):
            return None
        return SubscriberParams(pattern=pattern, app=subscriber.app, client=subscriber.client)


_DONE = object()
