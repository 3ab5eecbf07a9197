"""`health.*` and `rpc.*`."""

from collections.abc import Mapping
from functools import cache

import msgspec
from msgspec import Raw

from deskbus.reliability.health_monitor import HealthMonitor
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus_protocol.health import ComponentHealth, HealthResult
from deskbus_protocol.method import NoParams


@cache
def _openrpc() -> Raw:
    """The same bytes for everybody who asks."""
    # Imported at the first call: a start does not need the exporter.
    from deskbus_protocol.export import openrpc

    return Raw(msgspec.json.encode(openrpc()))


def _for_apps(report: HealthResult) -> HealthResult:
    """How every component is, without the words, which name apps, paths and machines."""
    components = {
        name: ComponentHealth(status=component.status)
        for name, component in report.components.items()
    }
    return msgspec.structs.replace(report, components=components)


def handlers(health: HealthMonitor) -> Mapping[str, Handler]:
    async def get(call: Call, _: NoParams) -> HealthResult:
        report = health.report()
        return report if call.connection.role == "shell" else _for_apps(report)

    async def discover(_: Call, __: NoParams) -> Raw:
        return _openrpc()

    return {"health.get": get, "rpc.discover": discover}
