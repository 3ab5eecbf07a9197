"""`federation.*`: topics that are shared with other machines."""

from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.method import Method, NoParams, Result


class FederationResult(Result, frozen=True, kw_only=True):
    health: ComponentHealth


METHODS = (
    Method(
        name="federation.reconnect",
        summary="Connects to NATS at once, and tells how that went, 5 s later at the latest.",
        params=NoParams,
        result=FederationResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
)
