"""Trace: the last contexts and intents, with who got them and what permitted it."""

from collections import deque
from collections.abc import Iterator

from deskbus_protocol.fdc3 import Fdc3TraceEntry

KEPT = 2_000
"""Entries in memory; the audit log has those of intents and of refusals for longer."""


class Trace:
    def __init__(self) -> None:
        self._entries: deque[Fdc3TraceEntry] = deque(maxlen=KEPT)

    def add(self, entry: Fdc3TraceEntry) -> None:
        self._entries.append(entry)

    def newest(self, limit: int, trace_id: str | None) -> list[Fdc3TraceEntry]:
        """Oldest first, as things happened."""
        found: list[Fdc3TraceEntry] = []
        for entry in self._backwards():
            if trace_id is None or trace_id in (entry.trace_id, entry.app_trace_id):
                found.append(entry)
            if len(found) >= limit:
                break
        return found[::-1]

    def _backwards(self) -> Iterator[Fdc3TraceEntry]:
        return reversed(self._entries)
