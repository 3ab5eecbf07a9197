"""Tells the trail of refused calls, without letting anybody flood it."""

import asyncio
from collections.abc import Callable

from msgspec import structs

from deskbus.contracts.audit_sink import AuditSink
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import (
    BrowserRefused,
    ControlRefused,
    CspViolation,
    CsrfViolation,
    OriginViolation,
    SessionResumed,
    TicketRefused,
    Violation,
)

INTERVAL_S = 10.0
MAX_KINDS = 30
"""Combinations of client, rule and method recorded for one app in an interval; those beyond are
counted together, but for the first of each rule, which is always recorded.
"""

UNAUTHENTICATED = ""
"""The app of a caller that has proven no identity: all of them share one budget."""

Refused = (
    Violation
    | TicketRefused
    | OriginViolation
    | CsrfViolation
    | CspViolation
    | BrowserRefused
    | ControlRefused
)
Counted = Refused | SessionResumed
_Kind = tuple[str, ...]


class _ViolationBudget:
    """One app's violations in an interval: the first of each kind, and the number of others."""

    def __init__(self) -> None:
        self.counts: dict[_Kind, tuple[Counted, int]] = {}
        self.rules: set[_Kind] = set()


class ViolationRecorder:
    """The first of a client and kind is recorded at once; more are counted, and told together.

    Each app has a budget of its own, by the identity that its session proves; clients
    without a session share one.
    """

    def __init__(self, trail: AuditSink) -> None:
        self._trail = trail
        self._budgets: dict[str, _ViolationBudget] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def record(self, violation: Refused) -> None:
        """On disk when it returns, or counted with others like it; raises nothing."""
        first = self._first(violation)
        if first is not None:
            await self._commit(first)

    def record_then(self, violation: Refused, then: Callable[[], None]) -> None:
        """As `record`, for a caller that can't wait: `then` is called once it is recorded."""
        first = self._first(violation)
        if first is None:
            then()
            return

        async def run() -> None:
            try:
                await self._commit(first)
            finally:
                # Also after a fault, or the caller would wait for ever for its refusal.
                then()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, resumed: SessionResumed) -> None:
        """Counts events that were not refused but may be as frequent."""
        first = self._first(resumed)
        if first is not None:
            self._trail.note(first)

    def tell(self) -> None:
        """Records what was counted, before its time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        budgets, self._budgets = self._budgets, {}
        for budget in budgets.values():
            for event, count in budget.counts.values():
                if count:
                    self._trail.note(structs.replace(event, count=count))

    async def _commit(self, violation: Counted) -> None:
        try:
            await self._trail.commit(violation)
        except DeskbusError:
            # The call is refused all the same, and the record comes when the disk is back.
            self._trail.note(violation)

    def _first(self, event: Counted) -> Counted | None:
        """The event to record now; None where it was only counted."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self.tell)
        budget = self._budgets.setdefault(event.app, _ViolationBudget())
        rule, kind = _rule_of(event), _kind_of(event)
        is_known = rule in budget.rules
        budget.rules.add(rule)
        if kind not in budget.counts and is_known and len(budget.counts) >= MAX_KINDS:
            kind, event = _FLOOD, Violation(app=event.app, kind="flood")
        if kind in budget.counts:
            first, count = budget.counts[kind]
            budget.counts[kind] = (first, count + 1)
            return None
        budget.counts[kind] = (event, 0)
        return event


_FLOOD: _Kind = ("flood",)


def _rule_of(event: Counted) -> _Kind:
    """The rule of an event; there are few, whatever an app does."""
    return type(event).__name__, event.kind if isinstance(event, Violation) else ""


def _kind_of(event: Counted) -> _Kind:
    if isinstance(event, Violation):
        return *_rule_of(event), event.client, event.method
    if isinstance(event, TicketRefused):
        return *_rule_of(event), event.claimed
    if isinstance(event, CspViolation):
        return *_rule_of(event), event.client, event.directive, event.blocked
    if isinstance(event, BrowserRefused):
        return *_rule_of(event), event.site, event.origin, event.reason
    origin = event.origin if isinstance(event, OriginViolation | CsrfViolation) else ""
    return *_rule_of(event), event.client, origin
