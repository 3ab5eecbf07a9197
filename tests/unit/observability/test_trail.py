"""LoggedTrail: the trail of a part that runs without an audit log."""

from structlog.testing import capture_logs

from deskbus.observability.trail import AuditTrail, LoggedTrail
from deskbus_protocol.events import TicketRefused, Violation


async def test_it_tells_the_structured_log_what_happened() -> None:
    trail: AuditTrail = LoggedTrail()
    with capture_logs() as lines:
        trail.note(TicketRefused(app="com.example.a", count=3))
        await trail.commit(Violation(app="com.example.b", kind="role", method="apps.list"))
    assert [(line["what"], line["app"]) for line in lines] == [
        ("auth.refused", "com.example.a"),
        ("violation", "com.example.b"),
    ]
    assert lines[0]["count"] == 3
