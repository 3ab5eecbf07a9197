"""Live tails: tells watchers of new records, without letting a flood of them through."""

from collections.abc import Callable, Sequence

from deskbus.audit.query.matcher import Matcher
from deskbus_protocol.audit import AuditAppendedParams, AuditFilter, AuditRecord

MAX_RECORDS = 200
"""Records in one notification; groups come at most a few times a second."""

Send = Callable[[AuditAppendedParams], None]


class LiveTails:
    """By watcher; a second tail of the same one takes the place of the first."""

    def __init__(self) -> None:
        self._watchers: dict[object, tuple[Matcher, Send]] = {}

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def add(self, watcher: object, wanted: AuditFilter, send: Send) -> None:
        self._watchers[watcher] = (Matcher(wanted), send)

    def remove(self, watcher: object) -> None:
        self._watchers.pop(watcher, None)

    def tell(self, records: Sequence[AuditRecord]) -> None:
        """Raises nothing for a watcher that is gone."""
        for matcher, send in list(self._watchers.values()):
            fitting = [record for record in records if matcher.fits(record)]
            if fitting:
                shown = fitting[-MAX_RECORDS:]
                send(AuditAppendedParams(records=shown, skipped=len(fitting) - len(shown)))
