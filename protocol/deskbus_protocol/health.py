"""`health.*` and `rpc.*`: how the backend is, and what it can do."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from deskbus_protocol.method import Method, NoParams, Params, Result

Status = Literal["ok", "degraded", "failed", "off"]


class Phrase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A statement, by its key in the catalogues of languages, and the values in it."""

    key: str
    values: dict[str, str | int | float] = {}


class ComponentHealth(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """`detail` is in English; `phrases` are the same, for whoever shows it in another language."""

    status: Status
    detail: str | UnsetType = UNSET
    phrases: list[Phrase] = []


class BreakerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A circuit breaker: while it is open its component is not tried, for `wait` milliseconds yet.

    `failures` are those in a row, `openings` all since the start.
    """

    state: Literal["closed", "open", "half-open"]
    failures: int
    openings: int
    wait: int


class HealthResult(Result, frozen=True, kw_only=True):
    """`status` is the worst of the components'; `uptime` is milliseconds.

    The components' `detail` is for the shell and tools; apps get their `status` alone.
    """

    status: Status
    version: str
    epoch: str
    uptime: int
    components: dict[str, ComponentHealth]
    breakers: dict[str, BreakerStatus]


class HealthChangedParams(Params, frozen=True, kw_only=True):
    """Sent to the shell when a component changes its status, or a breaker (`breaker:NAME`)."""

    component: str
    health: ComponentHealth


METHODS = (
    Method(
        name="health.get",
        summary="Tells the state of the backend and of each of its components.",
        params=NoParams,
        result=HealthResult,
    ),
    Method(
        name="health.changed",
        summary="Tells the shell that a component's status changed.",
        params=HealthChangedParams,
        handled_by="shell",
    ),
    Method(
        name="rpc.discover",
        summary="Answers with the OpenRPC document of this protocol.",
        params=NoParams,
        result=dict[str, Any],
    ),
)
