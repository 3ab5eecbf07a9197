"""`federation.*`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.federation import FederationResult
from deskbus_protocol.method import NoParams

if TYPE_CHECKING:
    from deskbus.federation.service import Federation


def handlers(federation: "Federation | None") -> Mapping[str, Handler]:
    async def reconnect(_: Call, __: NoParams) -> FederationResult:
        if federation is None:
            raise DeskbusError(
                UNAVAILABLE,
                "This backend is not federated.",
                action="Add [federation] to the configuration.",
            )
        return FederationResult(health=await federation.reconnect())

    return {"federation.reconnect": reconnect}
