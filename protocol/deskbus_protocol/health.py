"""`health.*` and `rpc.*`: how the backend is, and what it can do."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from deskbus_protocol.method import Method, NoParams, Result

Status = Literal["ok", "degraded", "failed", "off"]


class ComponentHealth(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    status: Status
    detail: str | UnsetType = UNSET


class HealthResult(Result, frozen=True, kw_only=True):
    """`status` is the worst of the components'; `uptime` is milliseconds."""

    status: Status
    version: str
    epoch: str
    uptime: int
    components: dict[str, ComponentHealth]


METHODS = (
    Method(
        name="health.get",
        summary="Tells the state of the backend and of each of its components.",
        params=NoParams,
        result=HealthResult,
    ),
    Method(
        name="rpc.discover",
        summary="Answers with the OpenRPC document of this protocol.",
        params=NoParams,
        result=dict[str, Any],
        callers="anyone",
    ),
)
