"""Access to the bus: reading, writing and sending."""

from typing import Protocol

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.permissions import Grant


class TopicAccess(Protocol):
    """Access to topics."""

    def may_read(self, identity: ClientId, topic: str) -> bool: ...

    def may_write(self, identity: ClientId, topic: str) -> bool: ...

    def may_spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        """Whether something that was permitted once covers this; it stays there."""

    def spend(self, identity: ClientId, permission: str, scope: str) -> bool:
        """Uses up what was permitted once, if it covers this; true if it did."""


class BusAccess(Protocol):
    """Access to the bus."""

    def is_granted(self, identity: ClientId, wanted: Grant) -> bool:
        """Whether it stands by itself, so that nobody need be asked; notes no use."""

    def may_read(self, identity: ClientId, topic: str) -> bool: ...

    def may_subscribe(self, identity: ClientId, pattern: str) -> bool: ...

    def may_send(self, identity: ClientId, app: str) -> bool: ...

    def may_spend(self, identity: ClientId, permission: str, scope: str) -> bool: ...

    def spend(self, identity: ClientId, permission: str, scope: str) -> bool: ...

    def may_write_all(self, identity: ClientId, pattern: str) -> bool: ...
