"""`health.*` and `rpc.*`."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from deskbus.reliability.health import HealthMonitor
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus_protocol.health import HealthResult
from deskbus_protocol.method import NoParams


@cache
def _openrpc() -> dict[str, Any]:
    # Imported at the first call: a start does not need the exporter.
    from deskbus_protocol.export import openrpc

    return openrpc()


def handlers(health: HealthMonitor) -> Mapping[str, Handler]:
    async def get(_: Call, __: NoParams) -> HealthResult:
        return health.report()

    async def discover(_: Call, __: NoParams) -> dict[str, Any]:
        return _openrpc()

    return {"health.get": get, "rpc.discover": discover}
