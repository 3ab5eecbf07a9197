"""Destination: the receiver of records; one for each `[[forward]]` of the configuration."""

from collections.abc import Sequence
from typing import Protocol

from deskbus.observability.forwarding.alert import Alert
from deskbus_protocol.audit import AuditRecord


class DestinationError(Exception):
    """A batch has not arrived, as far as is known; the message is the cause."""


class Destination(Protocol):
    async def send(self, records: Sequence[AuditRecord], alerts: Sequence[Alert]) -> None:
        """Returns when they have arrived; raises `DestinationError`, also for a part of them."""

    async def close(self) -> None: ...
