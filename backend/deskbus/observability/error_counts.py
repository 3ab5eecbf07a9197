"""ErrorCounts: how many errors callers and senders were told, by category."""

from collections import Counter

from msgspec import Raw

from deskbus_protocol.errors import CATEGORIES, DeskbusError
from deskbus_protocol.wire import rpc


class ErrorCounts:
    def __init__(self) -> None:
        self.by_category: Counter[str] = Counter(dict.fromkeys(CATEGORIES, 0))

    def count(self, error: DeskbusError) -> None:
        self.by_category[error.kind.category] += 1

    def failure(self, request_id: bytes | Raw, error: DeskbusError) -> bytes:
        """The response frame with the error, which is counted where a frame is sent."""
        if request_id:
            self.count(error)
        return rpc.failure(request_id, error)
