"""`policy.*`: the administrator's rules over what people decide."""

import msgspec
from msgspec import UNSET, UnsetType

from deskbus_protocol.method import Method, NoParams, Result


class PolicyStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`rules` is their number. With a `problem` the file as it is now does not apply.

    The policy as it was last read then applies; where none was read, everything is denied. `hash`
    is SHA-256 in hex of the policy that stands, "" where there is none.
    """

    file: str
    rules: int
    hash: str
    problem: str | UnsetType = UNSET


class PolicyResult(Result, frozen=True, kw_only=True):
    status: PolicyStatus


METHODS = (
    Method(
        name="policy.status",
        summary="Tells which policy stands.",
        params=NoParams,
        result=PolicyResult,
        callers="shell",
    ),
    Method(
        name="policy.reload",
        summary="Reads the policy's file again; it applies at once, to decisions made before too.",
        params=NoParams,
        result=PolicyResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
)
