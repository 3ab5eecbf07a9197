"""DenialAudit: records requests that were refused without a prompt, and bounds how many."""

import structlog

from deskbus.contracts.audit_sink import AuditSink
from deskbus.reliability.throttle import Throttle
from deskbus.security.model.effective_permissions import PermissionVerdict
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.events import PermissionDenied, Violation
from deskbus_protocol.permissions import Grant

TELL_AGAIN_AFTER_MS = 60_000
MAX_KNOWN = 4096
MAX_RECORDED = 50
"""Records of one client within `TELL_AGAIN_AFTER_MS`, so that ever new scopes can't flood the log.
"""

log = structlog.get_logger()

_WORDS = {
    "policy": "a rule of the policy",
    "person": "the person has denied it",
    "identity": "the app is not what its publisher signed",
    "open": "nobody is asked about it for now",
    "unoffered": "nobody here would enforce it",
}


class DenialAudit:
    """Records the same refusal at most once a minute, and `MAX_RECORDED` of one client.

    Beyond that they are a violation with a count, recorded as it begins and a minute later.
    """

    def __init__(self, trail: AuditSink, clock: ClockMs) -> None:
        self._trail = trail
        self._clock = clock
        self._refusals: Throttle[tuple[ClientId, Grant, str]] = Throttle(
            1, TELL_AGAIN_AFTER_MS, MAX_KNOWN
        )
        self._clients: Throttle[ClientId] = Throttle(MAX_RECORDED, TELL_AGAIN_AFTER_MS, MAX_KNOWN)

    def tell(self, identity: ClientId, wanted: Grant, verdict: PermissionVerdict) -> None:
        now_ms, app, client = self._clock(), identity.app, identity.client
        if not self._refusals.take((identity, wanted, verdict.why), now_ms).passes:
            return
        if self._is_flood(identity, now_ms):
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

    def _is_flood(self, identity: ClientId, now_ms: int) -> bool:
        """Whether it goes beyond; tells of the first that does, and a minute later of the rest."""
        found = self._clients.take(identity, now_ms)
        if found.passes and found.left_out > 1:
            self._tell_flood(identity, found.left_out - 1)
        if not found.passes and found.left_out == 1:
            self._tell_flood(identity, 1)
        return not found.passes

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
