"""Tells the trail of refused calls, without letting anybody flood it."""

import asyncio
from collections.abc import Callable

from msgspec import structs

from deskbus.observability.trail import AuditTrail
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import (
    CspViolation,
    CsrfViolation,
    OriginViolation,
    TicketRefused,
    Violation,
)

INTERVAL_S = 10.0
MAX_KINDS = 100
"""Of client, rule and method within one interval; what goes beyond is counted together."""

Refused = Violation | TicketRefused | OriginViolation | CsrfViolation | CspViolation
_Key = tuple[str, str, str, str, str]

_FLOOD: _Key = ("", "", "", "flood", "")


class Violations:
    """The first of a client and kind is recorded at once; more are counted, and told together."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._counts: dict[_Key, tuple[Refused, int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def record(self, violation: Refused) -> None:
        """On disk when it returns, or counted with others like it; raises nothing."""
        if self._is_first(violation):
            await self._commit(violation)

    def record_then(self, violation: Refused, then: Callable[[], None]) -> None:
        """The same for a caller that can't wait: `then` comes when it is recorded."""
        if not self._is_first(violation):
            then()
            return

        async def run() -> None:
            await self._commit(violation)
            then()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell(self) -> None:
        """Records what was counted, before its time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, {}
        for violation, count in counts.values():
            if count:
                self._trail.note(structs.replace(violation, count=count))

    async def _commit(self, violation: Refused) -> None:
        try:
            await self._trail.commit(violation)
        except DeskbusError:
            # The call is refused all the same, and the record comes when the disk is back.
            self._trail.note(violation)

    def _is_first(self, violation: Refused) -> bool:
        key = _key_of(violation)
        if key not in self._counts and len(self._counts) >= MAX_KINDS:
            key = _FLOOD
            violation = Violation(kind="flood")
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self.tell)
        if key in self._counts:
            first, count = self._counts[key]
            self._counts[key] = (first, count + 1)
            return False
        self._counts[key] = (violation, 0)
        return True


def _key_of(refused: Refused) -> _Key:
    kind = type(refused).__name__
    if isinstance(refused, Violation):
        return kind, refused.app, refused.client, refused.kind, refused.method
    origin = "" if isinstance(refused, TicketRefused | CspViolation) else refused.origin
    return kind, refused.app, refused.client, origin, ""
