"""Every error that can cross the wire, in one table.

Codes above -32010 are JSON-RPC 2.0's and LSP's own; codes from -32010 downward are ours.
An error tells its category, whether trying again can help, and what to do about it. It never
carries exception text, a path or a traceback.
"""

from typing import Literal, get_args

import msgspec
from msgspec import UNSET, Raw, UnsetType

Category = Literal[
    "protocol",
    "permission",
    "not_found",
    "conflict",
    "limit",
    "unavailable",
    "timeout",
    "degraded",
    "internal",
]
CATEGORIES: tuple[str, ...] = get_args(Category)


class ErrorKind(msgspec.Struct, frozen=True):
    """One row of the error table."""

    name: str
    code: int
    category: Category
    retryable: bool
    message: str
    action: str


class ErrorData(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The `data` member of every error that deskbus sends."""

    category: Category
    retryable: bool
    action: str
    correlation_id: str | UnsetType = UNSET


class ErrorObject(msgspec.Struct, frozen=True):
    """JSON-RPC 2.0, section 5.1. `data` stays raw: a foreign peer may put anything there."""

    code: int
    message: str
    data: Raw | UnsetType = UNSET


ERRORS: dict[str, ErrorKind] = {}


def _kind(
    name: str, code: int, category: Category, message: str, action: str, *, retryable: bool = False
) -> ErrorKind:
    row = ErrorKind(name, code, category, retryable, message, action)
    ERRORS[name] = row
    return row


PARSE_ERROR = _kind(
    "parse_error",
    -32700,
    "protocol",
    "The frame is not a JSON document that this bus accepts.",
    "Send UTF-8 JSON with unique envelope keys, no NaN or Infinity, nested at most 128 deep.",
)
INVALID_REQUEST = _kind(
    "invalid_request",
    -32600,
    "protocol",
    "The frame is JSON, but not a JSON-RPC 2.0 request, notification or response.",
    'Send {"jsonrpc":"2.0","method":…,"params":{…}} and an id where an answer is wanted.',
)
METHOD_NOT_FOUND = _kind(
    "method_not_found",
    -32601,
    "not_found",
    "There is no such method.",
    "Call rpc.discover for the list of methods.",
)
INVALID_PARAMS = _kind(
    "invalid_params",
    -32602,
    "protocol",
    "The parameters do not fit the method's schema.",
    "Compare the parameters with the method's schema in rpc.discover.",
)
INTERNAL_ERROR = _kind(
    "internal_error",
    -32603,
    "internal",
    "Something went wrong inside the backend.",
    "Look for the correlation id in the backend's log.",
)
CANCELLED = _kind(
    "cancelled",
    -32800,
    "conflict",
    "The request was cancelled.",
    "Nothing to do; send the request again if it is still wanted.",
)
PERMISSION_DENIED = _kind(
    "permission_denied",
    -32010,
    "permission",
    "This is not permitted.",
    "Ask for the permission with permissions.request, or ask an administrator.",
)
SESSION_REQUIRED = _kind(
    "session_required",
    -32011,
    "permission",
    "This connection has no session yet.",
    "Open one with session.open and a ticket, or session.hello on the shell link.",
)
TICKET_REFUSED = _kind(
    "ticket_refused",
    -32012,
    "permission",
    "The ticket is not valid here.",
    "Get a fresh ticket; each works once, for 60 s, and only for its app.",
)
INVALID_TOPIC = _kind(
    "invalid_topic",
    -32013,
    "protocol",
    "This is not a valid topic or pattern.",
    "Use 1 to 256 bytes in at most 32 non-empty levels split by dots; wildcards only in patterns.",
)
NO_SUBSCRIBER = _kind(
    "no_subscriber",
    -32014,
    "not_found",
    "Nobody is listening there.",
    "Start the receiving app, or wait until it has subscribed.",
    retryable=True,
)
TIMEOUT = _kind(
    "timeout",
    -32015,
    "timeout",
    "No answer came in time.",
    "Try again, or allow more time.",
    retryable=True,
)
TOO_LARGE = _kind(
    "too_large",
    -32016,
    "limit",
    "This is larger than the bus accepts.",
    "Keep a frame under 4 MiB; send a reference to large data instead.",
)
OVERLOADED = _kind(
    "overloaded",
    -32017,
    "limit",
    "Too much is in flight on this connection.",
    "Wait for answers before you send more.",
    retryable=True,
)
VERSION_MISMATCH = _kind(
    "version_mismatch",
    -32018,
    "conflict",
    "The two sides speak different major versions of the protocol.",
    "Install matching versions of the backend and of deskbus-electron.",
)
NOT_FOUND = _kind(
    "not_found",
    -32019,
    "not_found",
    "There is nothing of that name.",
    "Check the name against the matching list method.",
)
UNAVAILABLE = _kind(
    "unavailable",
    -32020,
    "unavailable",
    "The part that would do this is not there right now.",
    "Look at health.get, and try again later.",
    retryable=True,
)
CONFLICT = _kind(
    "conflict",
    -32021,
    "conflict",
    "This does not fit the present state.",
    "Read the present state and decide again.",
)
DEGRADED = _kind(
    "degraded",
    -32022,
    "degraded",
    "The backend can't give this guarantee at the moment.",
    "Look at health.get; try again when it says ok.",
    retryable=True,
)
RESPONDER_FAILED = _kind(
    "responder_failed",
    -32023,
    "unavailable",
    "The app that was asked answered with an error.",
    "The message is the other app's own; ask its authors.",
)
CONNECTION_LOST = _kind(
    "connection_lost",
    -32024,
    "unavailable",
    "The connection closed before an answer came.",
    "Reconnect and send the request again if it is safe to repeat.",
    retryable=True,
)
AUDIT_UNAVAILABLE = _kind(
    "audit_unavailable",
    -32025,
    "unavailable",
    "The audit log can't be written at the moment, so this was not done.",
    "Free space on the disk of the data folder, or repair it, then try again.",
    retryable=True,
)
RATE_LIMITED = _kind(
    "rate_limited",
    -32026,
    "limit",
    "This app sends more than its limits allow.",
    "Send less a second; an administrator sets limits with apps.setLimits.",
    retryable=True,
)
PERMISSION_REVOKED = _kind(
    "permission_revoked",
    -32027,
    "permission",
    "The permission for this was taken back while it was under way.",
    "Ask for the permission again, if it is still needed.",
)
NEWER_FORMAT = _kind(
    "newer_format",
    -32028,
    "conflict",
    "The files were written by a newer deskbus; they are left as they are.",
    "Install the newer deskbus, or use another data folder.",
)


class DeskbusError(Exception):
    """An error of the table, raised anywhere and sent as it is.

    `message` and `action` may be sharpened for the case at hand; both reach the peer, so neither
    may tell internals.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str | None = None,
        *,
        action: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message or kind.message)
        self.kind = kind
        self.message = message or kind.message
        self.action = action or kind.action
        self.correlation_id = correlation_id

    def again(self) -> "DeskbusError":
        """The same error, to raise where this one is kept.

        A raised error has the stack in it, so one that the stack also holds would never be freed
        without the garbage collector.
        """
        return DeskbusError(
            self.kind, self.message, action=self.action, correlation_id=self.correlation_id
        )

    def to_object(self) -> ErrorObject:
        data = ErrorData(
            category=self.kind.category,
            retryable=self.kind.retryable,
            action=self.action,
            correlation_id=self.correlation_id or UNSET,
        )
        return ErrorObject(self.kind.code, self.message, Raw(msgspec.json.encode(data)))

    @classmethod
    def from_object(cls, error: ErrorObject) -> "DeskbusError":
        """Reads a peer's error; an unknown code becomes an internal error with its message."""
        kind = _BY_CODE.get(error.code, INTERNAL_ERROR)
        try:
            data = msgspec.json.decode(error.data or b"", type=ErrorData)
        except msgspec.MsgspecError:
            return cls(kind, error.message)
        correlation_id = data.correlation_id or None
        return cls(kind, error.message, action=data.action, correlation_id=correlation_id)


_BY_CODE = {row.code: row for row in ERRORS.values()}
