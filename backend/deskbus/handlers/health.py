"""`health.*` and `rpc.*`."""

from collections.abc import Mapping
from functools import cache

import anyio
import msgspec
from msgspec import Raw

from deskbus.reliability.health_monitor import HealthMonitor
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.health import HealthResult
from deskbus_protocol.method import NoParams


@cache
def _openrpc() -> Raw:
    """The OpenRPC document, encoded once for all callers."""
    # Imported at the first call: a start does not need the exporter.
    from deskbus_protocol.export.openrpc import openrpc

    return Raw(msgspec.json.encode(openrpc()))


def handlers(health: HealthMonitor) -> Mapping[str, Handler]:
    async def get(call: Call, _: NoParams) -> HealthResult:
        # The words name apps, paths and machines.
        return health.report() if call.connection.role == "shell" else await health.statuses()

    encoding = anyio.Lock()

    async def discover(_: Call, __: NoParams) -> Raw:
        if not _openrpc.cache_info().currsize:
            # It takes tens of milliseconds, so those who ask meanwhile wait for the first.
            async with encoding:
                return await anyio.to_thread.run_sync(_openrpc)
        return _openrpc()

    return {"health.get": get, "rpc.discover": discover}
