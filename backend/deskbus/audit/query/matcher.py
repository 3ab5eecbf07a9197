"""Whether a record is one that somebody looks for. Pure."""

import re

from msgspec import UNSET, UnsetType

from deskbus_protocol.audit import AuditFilter, AuditRecord

FAMILY = ".*"

_PLAIN = re.compile(r"[\x20-!#-\[\]-~]+")
"""Characters that stand in a line as they are."""


class Matcher:
    """A filter, prepared. Lists that are empty don't narrow."""

    def __init__(self, wanted: AuditFilter) -> None:
        self._since = _number(wanted.since)
        self._until = _number(wanted.until)
        self._types = frozenset(wanted.types)
        self._families = tuple(
            name.removesuffix("*") for name in wanted.types if name.endswith(FAMILY)
        )
        self._apps = frozenset(wanted.apps)
        self._actors = frozenset(wanted.actors)
        self._decisions = frozenset(wanted.decisions)
        self._severities = frozenset(wanted.severities)
        self._correlation = None if wanted.correlation_id is UNSET else wanted.correlation_id
        self._text = None if isinstance(wanted.text, UnsetType) else wanted.text.casefold()
        plain = self._text is not None and _PLAIN.fullmatch(self._text)
        self._bytes = self._text.encode() if self._text and plain else None

    def may_fit(self, line: bytes) -> bool:
        """Returns False where the text is surely not in this line, without decoding the record."""
        return self._bytes is None or self._bytes in line.lower()

    def fits_facets(self, kind: str, app: str, actor: str, decision: str, severity: str) -> bool:
        """The conditions that the index alone can decide."""
        return (
            (not self._types or self._fits_type(kind))
            and (not self._apps or app in self._apps)
            and (not self._actors or actor in self._actors)
            and (not self._decisions or decision in self._decisions)
            and (not self._severities or severity in self._severities)
        )

    def fits_time(self, time_ms: int) -> bool:
        return (self._since is None or time_ms >= self._since) and (
            self._until is None or time_ms < self._until
        )

    def fits(self, record: AuditRecord) -> bool:
        return (
            self.fits_time(record.time)
            and self.fits_facets(
                record.type, record.app, record.actor, record.decision or "", record.severity
            )
            and self._fits_correlation(record)
            and self._fits_text(record)
        )

    def _fits_type(self, kind: str) -> bool:
        return kind in self._types or kind.startswith(self._families)

    def _fits_correlation(self, record: AuditRecord) -> bool:
        wanted = self._correlation
        return wanted is None or wanted in (record.correlation_id, record.trace_id)

    def _fits_text(self, record: AuditRecord) -> bool:
        if self._text is None:
            return True
        words = (
            record.type, record.app, record.client, record.reason, record.correlation_id,
            record.trace_id, *(str(value) for value in record.details.values()),
        )  # fmt: skip
        return any(self._text in word.casefold() for word in words)


def _number(value: int | UnsetType) -> int | None:
    return None if isinstance(value, UnsetType) else value
