"""Access to the bus, as tests of the bus want it."""

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.permissions import Grant


class OpenAccess:
    """`BusAccess` and `TopicAccess` that permit all but the topics taken from an app by name."""

    def __init__(self) -> None:
        self.unreadable: set[tuple[str, str]] = set()
        self.unwritable: set[tuple[str, str]] = set()

    def is_granted(self, identity: ClientId, wanted: Grant) -> bool:
        return True

    def may_read(self, identity: ClientId, topic: str) -> bool:
        return (identity.app, topic) not in self.unreadable

    def may_write(self, identity: ClientId, topic: str) -> bool:
        return (identity.app, topic) not in self.unwritable

    def may_subscribe(self, identity: ClientId, pattern: str) -> bool:
        return True

    def may_spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        return False

    def spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        return False

    def may_write_all(self, identity: ClientId, pattern: str) -> bool:
        return True

    def may_send(self, identity: ClientId, app: str) -> bool:
        return True
