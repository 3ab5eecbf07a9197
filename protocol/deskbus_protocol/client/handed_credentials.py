"""With what a process that the backend started shows who it is."""

import os
from typing import NamedTuple

from deskbus_protocol.appenv import APP_VARIABLE, PIPE_VARIABLE, TICKET_FD_VARIABLE
from deskbus_protocol.errors import SESSION_REQUIRED, DeskbusError


class Credentials(NamedTuple):
    ticket: str
    pipe: str
    app: str


def handed_credentials() -> Credentials:
    """The credentials that the backend gave this process; works once.

    Raises `DeskbusError` (session_required) in a process that it did not start.
    """
    try:
        descriptor = int(os.environ.pop(TICKET_FD_VARIABLE))
        pipe, app = os.environ[PIPE_VARIABLE], os.environ[APP_VARIABLE]
    except (KeyError, ValueError):
        raise DeskbusError(
            SESSION_REQUIRED,
            "This process was not started by the backend.",
            action="Start it with `deskbus apps launch`, as the process of an app in deskbus.toml.",
        ) from None
    with os.fdopen(descriptor, "rb") as handed:
        return Credentials(handed.read().decode().strip(), pipe, app)
