"""Joins the method table with the handlers, and holds callers to their role."""

from collections.abc import Iterable, Mapping

from deskbus.observability.error_counts import ErrorCounts
from deskbus.observability.tracing.tracer import Tracer
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Dispatcher, Handler, Refused
from deskbus.rpc.fastpath import METHODS
from deskbus_protocol.errors import PERMISSION_DENIED, SESSION_REQUIRED, DeskbusError
from deskbus_protocol.method import Method


class IncompleteTableError(Exception):
    """A row has no handler, or a handler no row; the backend does not start."""


def build_dispatcher(
    rows: Mapping[str, Method],
    handlers: Iterable[Mapping[str, Handler]],
    on_refused: Refused | None = None,
    errors: ErrorCounts | None = None,
    tracer: Tracer | None = None,
) -> Dispatcher:
    """Raises `IncompleteTableError`."""
    table = {name: handler for group in handlers for name, handler in group.items()}
    wanted = {row.name for row in rows.values() if row.handled_by == "backend"} - METHODS
    if wanted != table.keys():
        raise IncompleteTableError(f"rows and handlers differ: {sorted(wanted ^ table.keys())}")
    dispatcher = Dispatcher(authorize, on_refused, errors, tracer)
    for name, handler in table.items():
        dispatcher.add(rows[name], handler)
    return dispatcher


def authorize(call: Call, row: Method) -> None:
    """Raises `DeskbusError` when this caller may not call `row`.

    An app that calls a method of the shell's is told that it may not, and nothing more.
    """
    connection = call.connection
    if row.callers == "shell" and connection.role != "shell" and not connection.shell_link:
        raise DeskbusError(PERMISSION_DENIED)
    if row.callers == "session" and not connection.has_session:
        raise DeskbusError(SESSION_REQUIRED)
