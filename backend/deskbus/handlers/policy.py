"""`policy.*`."""

from collections.abc import Mapping

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.policy.policy_service import PolicyService
from deskbus_protocol.method import NoParams
from deskbus_protocol.policy import PolicyResult


def handlers(policies: PolicyService) -> Mapping[str, Handler]:
    async def status(_: Call, __: NoParams) -> PolicyResult:
        return PolicyResult(status=policies.status())

    async def reload(_: Call, __: NoParams) -> PolicyResult:
        await policies.reload()
        return PolicyResult(status=policies.status())

    return {"policy.status": status, "policy.reload": reload}
