"""Tells the audit log of wishes that were refused without a prompt, each seldom."""

from collections import OrderedDict

import structlog

from deskbus.observability.trail import AuditTrail
from deskbus.security.clock import ClockMs
from deskbus.security.standing import Verdict
from deskbus_protocol.envelope import Sender
from deskbus_protocol.events import PermissionDenied, Violation
from deskbus_protocol.permissions import Grant

TELL_AGAIN_AFTER_MS = 60_000
MAX_KNOWN = 4096

log = structlog.get_logger()

_WORDS = {
    "policy": "a rule of the policy",
    "person": "the person has denied it",
    "identity": "the app is not what its publisher signed",
    "open": "nobody is asked about it for now",
}


class Refusals:
    """The same refusal is told at most once a minute."""

    def __init__(self, trail: AuditTrail, clock: ClockMs) -> None:
        self._trail = trail
        self._clock = clock
        self._told: OrderedDict[tuple[Sender, Grant, str], int] = OrderedDict()

    def tell(self, identity: Sender, wanted: Grant, verdict: Verdict) -> None:
        now, key = self._clock(), (identity, wanted, verdict.why)
        if now - self._told.get(key, -TELL_AGAIN_AFTER_MS) < TELL_AGAIN_AFTER_MS:
            return
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > MAX_KNOWN:
            self._told.popitem(last=False)
        app, client = identity.app, identity.client
        log.warning(
            "permission.denied",
            app=app,
            permission=wanted.permission,
            scope=wanted.scope,
            why=verdict.why,
        )
        if verdict.why == "undeclared":
            self._trail.note(
                Violation(
                    app=app,
                    client=client,
                    kind="undeclared",
                    method="permissions.request",
                    target=f"{wanted.permission} {wanted.scope}",
                    reason="the app's manifest does not declare it",
                )
            )
            return
        self._trail.note(
            PermissionDenied(
                app=app,
                client=client,
                actor="policy" if verdict.why == "policy" else "system",
                permission=wanted.permission,
                scope=wanted.scope,
                holds="once",
                reason=_WORDS.get(verdict.why, ""),
            )
        )
