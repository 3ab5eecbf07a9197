"""Tells the audit log of wishes that were refused without a prompt, each seldom."""

from collections import OrderedDict

import structlog

from deskbus.contracts.audit_sink import AuditSink
from deskbus.security.model.effective_permissions import PermissionVerdict
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.events import PermissionDenied, Violation
from deskbus_protocol.permissions import Grant

TELL_AGAIN_AFTER_MS = 60_000
MAX_KNOWN = 4096
MAX_RECORDED = 50
"""Of one client within `TELL_AGAIN_AFTER_MS`: ever new scopes must not flood the log."""

log = structlog.get_logger()

_WORDS = {
    "policy": "a rule of the policy",
    "person": "the person has denied it",
    "identity": "the app is not what its publisher signed",
    "open": "nobody is asked about it for now",
    "unoffered": "nobody here would enforce it",
}


class _Minute:
    def __init__(self, begins_ms: int) -> None:
        self.begins_ms = begins_ms
        self.recorded = 0
        self.beyond = 0


class DenialAudit:
    """Records the same refusal at most once a minute, and `MAX_RECORDED` of one client.

    What goes beyond is a violation with a count, recorded as it begins and a minute later.
    """

    def __init__(self, trail: AuditSink, clock: ClockMs) -> None:
        self._trail = trail
        self._clock = clock
        self._recorded_at_ms: OrderedDict[tuple[ClientId, Grant, str], int] = OrderedDict()
        self._minutes: OrderedDict[ClientId, _Minute] = OrderedDict()

    def tell(self, identity: ClientId, wanted: Grant, verdict: PermissionVerdict) -> None:
        now, key = self._clock(), (identity, wanted, verdict.why)
        if now - self._recorded_at_ms.get(key, -TELL_AGAIN_AFTER_MS) < TELL_AGAIN_AFTER_MS:
            return
        self._recorded_at_ms[key] = now
        self._recorded_at_ms.move_to_end(key)
        if len(self._recorded_at_ms) > MAX_KNOWN:
            self._recorded_at_ms.popitem(last=False)
        app, client = identity.app, identity.client
        if self._is_flood(identity, now):
            return
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

    def _is_flood(self, identity: ClientId, now: int) -> bool:
        minute = self._minutes.get(identity)
        if minute is None or now - minute.begins_ms >= TELL_AGAIN_AFTER_MS:
            if minute is not None and minute.beyond > 1:
                self._tell_flood(identity, minute.beyond - 1)
            minute = self._minutes[identity] = _Minute(now)
            self._minutes.move_to_end(identity)
            if len(self._minutes) > MAX_KNOWN:
                self._minutes.popitem(last=False)
        if minute.recorded < MAX_RECORDED:
            minute.recorded += 1
            return False
        minute.beyond += 1
        if minute.beyond == 1:
            self._tell_flood(identity, 1)
        return True

    def _tell_flood(self, identity: ClientId, count: int) -> None:
        log.warning("permission.flood", app=identity.app, client=identity.client, count=count)
        self._trail.note(
            Violation(
                app=identity.app,
                client=identity.client,
                kind="flood",
                method="permissions.request",
                reason="it asks again and again for what is refused",
                count=count,
            )
        )
