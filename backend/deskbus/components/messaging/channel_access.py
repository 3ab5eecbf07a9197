"""ChannelAccess: access to the bus, with the rules of its own that FDC3's topics have."""

from collections.abc import Iterator
from contextlib import contextmanager

from deskbus.security.permission_checker import PermissionChecker
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import (
    AGENT_APP,
    CHANNEL_TOPICS,
    INBOX_TOPICS,
    channel_of,
)
from deskbus_protocol.permissions import Grant

AGENT = ClientId(AGENT_APP, "agent")

_INBOX = f"{INBOX_TOPICS}."
_CHANNEL = f"{CHANNEL_TOPICS}."
_PRIVATE = f"{CHANNEL_TOPICS}.private."


class ChannelAccess:
    """As the permissions say, but for three kinds of topics.

    An inbox is read by its owner and written by the agent, whatever anybody was granted. Private
    channels are the agent's alone. On other channels, who may share a context by FDC3's permission
    may also publish it as a message.
    """

    def __init__(self, checker: PermissionChecker) -> None:
        self._checker = checker
        self._owners: dict[str, ClientId] = {}
        self._lent: tuple[ClientId, str] | None = None

    def give_inbox(self, inbox: str, owner: ClientId) -> None:
        self._owners[inbox] = owner

    def owns(self, identity: ClientId, pattern: str) -> bool:
        """Whether it is the client's own inbox, for which it needs no permission."""
        return self._owners.get(pattern) == identity

    def take_inbox(self, inbox: str) -> None:
        self._owners.pop(inbox, None)

    @contextmanager
    def lending(self, identity: ClientId, topic: str) -> Iterator[None]:
        """Within the block the client may publish one message there: the agent has seen to it."""
        self._lent = (identity, topic)
        try:
            yield
        finally:
            self._lent = None

    @contextmanager
    def operating(self, identity: ClientId, topic: str) -> Iterator[None]:
        """Lets a page of the control centre, which may act, publish one message within the block.

        Topics of the agent stay the agent's; an app needs its own permission.
        """
        if identity.app != CONTROL_APP or topic.startswith((_INBOX, _PRIVATE)):
            yield
            return
        with self.lending(identity, topic):
            yield

    def may_read(self, identity: ClientId, topic: str) -> bool:
        if topic.startswith(_INBOX):
            return self._owners.get(topic) == identity
        if topic.startswith(_CHANNEL):
            if identity == AGENT:
                return True
            if topic.startswith(_PRIVATE):
                return False
        return self._checker.may_read(identity, topic)

    def may_write(self, identity: ClientId, topic: str) -> bool:
        if topic.startswith(_INBOX):
            return identity == AGENT
        if topic.startswith(_PRIVATE):
            return False
        if topic.startswith(_CHANNEL):
            wanted = Grant("fdc3.context.write", _scope_of(topic))
            if self._checker.is_granted(identity, wanted):
                self._checker.note_use(identity, wanted)
                return True
        return self._checker.may_write(identity, topic)

    def may_subscribe(self, identity: ClientId, pattern: str) -> bool:
        """A pattern with wildcards never brings what is in another's inbox, or private."""
        if pattern in self._owners:
            return self._owners[pattern] == identity
        return self._checker.may_subscribe(identity, pattern)

    def may_write_all(self, identity: ClientId, pattern: str) -> bool:
        if pattern.startswith((_INBOX, _PRIVATE)):
            return identity == AGENT
        return self._checker.may_write_all(identity, pattern)

    def is_granted(self, identity: ClientId, wanted: Grant) -> bool:
        if wanted.scope.startswith((_INBOX, _PRIVATE)):
            return identity == AGENT
        return self._checker.is_granted(identity, wanted)

    def may_send(self, identity: ClientId, app: str) -> bool:
        return self._checker.may_send(identity, app)

    def may_spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        if permission == "messaging.write" and self._lent == (identity, scope):
            return True
        if scope.startswith((_INBOX, _PRIVATE)):
            return False
        return self._checker.may_spend(identity, permission, scope)

    def spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        if permission == "messaging.write" and self._lent == (identity, scope):
            return True
        return self._checker.spend(identity, permission, scope)


def _scope_of(topic: str) -> str:
    """The scope of FDC3's permissions for a channel's topic: without its type."""
    place = channel_of(topic)
    return "#" if place is None else topic.split(".", 3)[3]
