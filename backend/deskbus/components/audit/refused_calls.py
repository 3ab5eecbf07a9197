"""RefusedCalls: records in the audit log of calls and messages that were refused."""

from collections.abc import Callable

from msgspec import UNSET, UnsetType

from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.observability.tracing.call_trace import trace_id_of, traced
from deskbus.rpc.connection import Call
from deskbus.rpc.fastpath import Denied
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import SESSION_REQUIRED, DeskbusError
from deskbus_protocol.events import Violation
from deskbus_protocol.methods import METHODS


class RefusedCalls:
    """Turns a refused call into a record of it, without its parameters."""

    def __init__(self, violations: ViolationRecorder) -> None:
        self._violations = violations

    async def by_dispatcher(self, call: Call, method: str, error: DeskbusError) -> None:
        """Records a refused call, but for a refused ticket, which is an event of its own."""
        if method in ("session.open", "session.resume"):
            return
        connection = call.connection
        identity = connection.identity if connection.has_session else ClientId("", "")
        kind = "permission"
        if error.kind is SESSION_REQUIRED:
            kind = "no session"
        elif METHODS[method].callers == "shell":
            kind = "role"
        await self._violations.record(
            traced(
                Violation(
                    app=identity.app,
                    client=identity.client,
                    kind=kind,
                    method=method,
                    reason=error.message,
                )
            )
        )

    def on_fastpath(self, identity: ClientId) -> Denied:
        """Records the refused messages of one client."""

        def denied(
            method: str, topic: str, options: PublishParams | None, then: Callable[[], None]
        ) -> None:
            correlation_id = options.correlation_id if options is not None else UNSET
            meta = options.meta if options is not None else UNSET
            violation = Violation(
                app=identity.app,
                client=identity.client,
                kind="acl",
                method=method,
                target=topic,
                correlation_id="" if isinstance(correlation_id, UnsetType) else correlation_id,
                trace_id=trace_id_of(meta),
            )
            self._violations.record_then(violation, then)

        return denied
