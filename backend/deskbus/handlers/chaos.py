"""`chaos.*`."""

from collections.abc import Mapping

from deskbus.reliability.fault_injector import FaultInjector
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.chaos import CauseParams, CauseResult
from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError


def handlers(injector: FaultInjector | None) -> Mapping[str, Handler]:
    """Without an injector, which is without development mode, all is refused."""

    async def cause(_: Call, params: CauseParams) -> CauseResult:
        if injector is None:
            raise DeskbusError(
                PERMISSION_DENIED,
                "Faults are made in development mode alone.",
                action="Write development = true into the configuration, on a machine on which "
                "nobody works, and start the backend anew.",
            )
        before, after = await injector.cause(params.fault, params.seconds)
        return CauseResult(before=before, after=after)

    return {"chaos.cause": cause}
