"""A permission request, a person's answer to it, and the permit that may come of it."""

from typing import Literal, NamedTuple

from deskbus.observability.tracing.call_trace import CallTrace
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.permissions import Grant, Holds


class PermissionRequest(NamedTuple):
    """An app's request, with its own reason, and the origin of the page that asks.

    `trace` is the call's that asks. `prompt` is the id of the prompt that it got. Once it is put to
    a person, `may_remember` says whether the answer may hold beyond this run of the app, and
    `verified` whether the publisher's signature is right.
    """

    identity: ClientId
    grant: Grant
    reason: str | None = None
    origin: str | None = None
    trace: CallTrace = CallTrace()
    prompt: str = ""
    may_remember: bool = False
    verified: bool = False


class ConsentAnswer(NamedTuple):
    """The answer to a prompt. Only `allow` allows; `failed`: nobody could be asked.

    `holds` is for how long, `expires_ms` (from now) where that has an end.
    """

    choice: Literal["allow", "deny", "dismissed", "timeout", "failed"]
    holds: Holds = "once"
    expires_ms: int | None = None


class Permit(NamedTuple):
    """The permission for one operation. `once` permits this operation alone, and no later one.

    A `reserved` one is kept until the bus uses it up.
    """

    identity: ClientId
    grant: Grant
    once: bool = False
    reserved: bool = False
