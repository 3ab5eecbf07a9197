"""Joins the method table with the handlers, and holds callers to their role."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from deskbus.observability.error_counts import ErrorCounts
from deskbus.observability.tracing.tracer import Tracer
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Acting, Dispatcher, Handler, Refused
from deskbus.rpc.fastpath import METHODS
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import PERMISSION_DENIED, SESSION_REQUIRED, DeskbusError
from deskbus_protocol.method import ControlPermission, Method

Permits = Callable[[ClientId, ControlPermission], bool]
"""Whether a client was granted a permission of the control centre."""


OPERATORS_OWN = frozenset({"session.ping", "session.leave"})
"""Methods that a session needs to live and to end."""


class IncompleteTableError(Exception):
    """A row has no handler, or a handler no row; the backend does not start."""


def build_dispatcher(
    rows: Mapping[str, Method],
    handlers: Iterable[Mapping[str, Handler]],
    on_refused: Refused,
    errors: ErrorCounts,
    tracer: Tracer | None,
    *,
    permits: Permits,
    acting: Acting,
) -> Dispatcher:
    """Raises `IncompleteTableError`."""
    table = {name: handler for group in handlers for name, handler in group.items()}
    wanted = {row.name for row in rows.values() if row.handled_by == "backend"} - METHODS
    if wanted != table.keys():
        raise IncompleteTableError(f"rows and handlers differ: {sorted(wanted ^ table.keys())}")
    dispatcher = Dispatcher(partial(authorize, permits=permits), on_refused, errors, tracer, acting)
    for name, handler in table.items():
        dispatcher.add(rows[name], handler)
    return dispatcher


def authorize(call: Call, row: Method, permits: Permits = lambda _, __: False) -> None:
    """Raises `DeskbusError` when this caller may not call `row`.

    An app that calls a method of the shell's is told that it may not, and nothing more.
    """
    connection = call.connection
    if connection.has_session and call.identity.app == CONTROL_APP:
        _authorize_operator(call, row, permits)
        return
    is_shell = connection.role == "shell" or connection.shell_link
    needs_session = row.callers == "session" or (row.callers == "shell" and not is_shell)
    if needs_session and not connection.has_session:
        raise DeskbusError(SESSION_REQUIRED)
    if row.callers == "shell" and not is_shell and not _is_permitted(call, row, permits):
        raise DeskbusError(PERMISSION_DENIED)


def _authorize_operator(call: Call, row: Method, permits: Permits) -> None:
    """A browser in the control centre calls what the centre consists of, and nothing else.

    Raises `DeskbusError` (permission_denied).
    """
    if row.name in OPERATORS_OWN or (row.permission and permits(call.identity, row.permission)):
        return
    raise DeskbusError(PERMISSION_DENIED)


def _is_permitted(call: Call, row: Method, permits: Permits) -> bool:
    return row.permission is not None and permits(call.identity, row.permission)
