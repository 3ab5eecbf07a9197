"""Forwarder: follows the audit log for one destination, and sends what is new, at least once."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio
import structlog

from deskbus.languages.health_words import other, phrase, told
from deskbus.observability.forwarding.alert import Alert
from deskbus.observability.forwarding.bookmark import ForwardBookmark
from deskbus.observability.forwarding.destination import Destination, DestinationError
from deskbus.reliability.circuit_breaker import BreakerPolicy, CircuitBreaker
from deskbus.storage.newer_format import NewerFormatError
from deskbus_protocol.audit import AuditRecord
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.health import ComponentHealth

LOOK_EVERY_S = 1.0
RECORDS_AT_ONCE = 1000
MAX_ALERTS = 200
"""Alerts that wait for a destination; the oldest give way, since the audit log keeps the facts."""

POLICY = BreakerPolicy(failures=3, open_s=30.0, successes=1)

log = structlog.get_logger()


class NewRecords(NamedTuple):
    """The wanted records behind a position; `seq` is the last one examined."""

    records: list[AuditRecord]
    seq: int


class Forwarder:
    """Holds nothing up: it reads records from the disk, and keeps its position there too."""

    def __init__(
        self,
        name: str,
        destination: Destination,
        bookmark: ForwardBookmark,
        *,
        newest: Callable[[], int],
        read: Callable[[int, int], Awaitable[NewRecords]],
        with_alerts: bool,
        from_beginning: bool,
    ) -> None:
        """`newest` is the last record's seq, -1 for none; `read` takes a seq and a limit, and
        raises `DeskbusError`.
        """
        self.name = name
        self.breaker = CircuitBreaker(f"forward:{name}", policy=POLICY)
        self._destination = destination
        self._bookmark = bookmark
        self._newest = newest
        self._read = read
        self._with_alerts = with_alerts
        self._from_beginning = from_beginning
        self._alerts: deque[Alert] = deque(maxlen=MAX_ALERTS)
        self.sent = 0
        self._seq = -1
        self._problem = ""

    def alert(self, alert: Alert) -> None:
        # Alerts about its own trouble would only make more of it.
        if self._with_alerts and not alert.component.endswith(f"forward:{self.name}"):
            self._alerts.append(alert)

    async def run(self) -> None:
        try:
            found = await anyio.to_thread.run_sync(self._bookmark.load)
        except NewerFormatError as error:
            self._problem = f"nothing is sent: {error.words}"
            return
        if found is None:
            found = -1 if self._from_beginning else self._newest()
            await self._save(found)
        self._seq = found
        try:
            while True:
                if not await self.send_next():
                    await anyio.sleep(LOOK_EVERY_S)
        finally:
            with anyio.CancelScope(shield=True):
                await self._destination.close()

    async def send_next(self) -> bool:
        """Sends the next records; returns whether some arrived and more may follow at once."""
        if self._newest() < self._seq:
            # Another log has taken the place of the one that the bookmark is of.
            self._seq = -1
        if (self._newest() == self._seq and not self._alerts) or self.breaker.wait_s:
            return False
        try:
            found = await self._read(self._seq, RECORDS_AT_ONCE)
        except DeskbusError as error:
            self._failed(f"the audit log can't be read: {error.message}")
            return False
        alerts = list(self._alerts)
        if (found.records or alerts) and not await self._arrive(found.records, alerts):
            return False
        for _ in alerts:
            self._alerts.popleft()
        if found.seq != self._seq:
            await self._save(found.seq)
            self._seq = found.seq
        return bool(found.records)

    @property
    def behind(self) -> int:
        """The number of records not examined yet, wanted or not."""
        return max(self._newest() - self._seq, 0)

    def health(self) -> ComponentHealth:
        words = phrase("forwarded", sent=self.sent, behind=self.behind)
        return told("degraded", other(self._problem), words) if self._problem else told("ok", words)

    async def _arrive(self, records: list[AuditRecord], alerts: list[Alert]) -> bool:
        attempt = self.breaker.begin()
        if attempt is None:
            return False
        try:
            await self._destination.send(records, alerts)
        except DestinationError as error:
            attempt.failed()
            self._failed(str(error))
            return False
        except DeskbusError as error:
            attempt.failed()
            self._failed(error.message)
            return False
        finally:
            attempt.withdrawn()
        attempt.succeeded()
        self.sent += len(records)
        self._problem = ""
        return True

    async def _save(self, seq: int) -> None:
        try:
            await anyio.to_thread.run_sync(self._bookmark.save, seq)
        except OSError as error:
            self._failed(f"its place can't be saved: {error.strerror}")

    def _failed(self, reason: str) -> None:
        if reason != self._problem:
            log.warning("forward.failed", destination=self.name, reason=reason)
        self._problem = reason
