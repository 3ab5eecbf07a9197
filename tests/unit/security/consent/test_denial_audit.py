"""Refusals without a prompt are told, and no client floods the audit log with them."""

from deskbus.security.consent.denial_audit import MAX_RECORDED, TELL_AGAIN_AFTER_MS, DenialAudit
from deskbus.security.model.effective_permissions import PermissionVerdict
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.events import Violation
from deskbus_protocol.permissions import Grant
from tests.support.audit_trail import FakeTrail

APP = ClientId("com.example.app", "main")
OTHER = ClientId("com.example.other", "main")


def test_ever_new_scopes_can_not_flood_the_log() -> None:
    trail, now = FakeTrail(), 0
    refusals = DenialAudit(trail, lambda: now)
    verdict = PermissionVerdict("denied", "undeclared")
    for number in range(10_000):
        refusals.tell(APP, Grant("messaging.write", f"t.{number}"), verdict)
    refusals.tell(OTHER, Grant("messaging.write", "t"), verdict)
    assert len(trail.noted) == MAX_RECORDED + 2
    floods = [
        event for event in trail.noted if isinstance(event, Violation) and event.kind == "flood"
    ]
    assert [(event.app, event.count) for event in floods] == [("com.example.app", 1)]
    now = TELL_AGAIN_AFTER_MS
    refusals.tell(APP, Grant("messaging.write", "again"), verdict)
    counted, told = trail.noted[-2:]
    assert isinstance(counted, Violation)
    assert isinstance(told, Violation)
    assert (counted.kind, counted.count) == ("flood", 10_000 - MAX_RECORDED - 1)
    assert (told.kind, told.target) == ("undeclared", "messaging.write again")


def test_the_same_refusal_is_told_once_a_minute() -> None:
    trail, now = FakeTrail(), 0
    refusals = DenialAudit(trail, lambda: now)
    for _ in range(100):
        refusals.tell(APP, Grant("audit", "all"), PermissionVerdict("denied", "policy"))
    assert len(trail.noted) == 1
