"""`permissions.*`."""

from collections.abc import Mapping

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus.security.manager import SecurityManager
from deskbus_protocol.permissions import (
    AskParams,
    Grant,
    PermissionResult,
    QueryPermissionParams,
)


def handlers(security: SecurityManager) -> Mapping[str, Handler]:
    async def request(call: Call, params: AskParams) -> PermissionResult:
        reason = params.reason if isinstance(params.reason, str) else None
        wanted = Grant(params.permission, params.scope)
        allowed = await security.request(call.identity, wanted, reason)
        return PermissionResult(state="granted" if allowed else "denied")

    async def query(call: Call, params: QueryPermissionParams) -> PermissionResult:
        wanted = Grant(params.permission, params.scope)
        return PermissionResult(state=security.state(call.identity, wanted))

    return {"permissions.request": request, "permissions.query": query}
