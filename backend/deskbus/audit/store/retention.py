"""Retention of the log's files: the oldest go, never the newest. Pure."""

from collections.abc import Sequence
from typing import NamedTuple


class Kept(NamedTuple):
    """A closed file: `newest_ms` is the time of its last record (Unix milliseconds)."""

    number: int
    size_bytes: int
    newest_ms: int


class AuditRetention(NamedTuple):
    max_age_ms: int
    max_bytes: int

    def expired(self, files: Sequence[Kept], now_ms: int) -> tuple[list[int], str]:
        """The numbers of those that go, oldest first, and the rule in words."""
        total = sum(file.size_bytes for file in files)
        gone: list[int] = []
        rule = ""
        for file in files:
            if now_ms - file.newest_ms > self.max_age_ms:
                rule = f"older than {self.max_age_ms // 86_400_000} days"
            elif total > self.max_bytes:
                rule = f"more than {self.max_bytes} bytes"
            else:
                break
            gone.append(file.number)
            total -= file.size_bytes
        return gone, rule
