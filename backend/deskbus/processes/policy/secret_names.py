"""Refusals of manifests that name a secret of the configuration and are not the administrator's."""

from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError
from deskbus_protocol.events import Violation


def secret_refused(app: str) -> DeskbusError:
    return DeskbusError(
        PERMISSION_DENIED,
        f"{app} names a secret of the configuration, which only the configuration itself may do.",
        action="Have the administrator put the app into the configuration's [[apps]].",
    )


def secret_violation(app: str, method: str) -> Violation:
    """The audit event of a refused secret; `method` is the refused call. The secret is not told."""
    return Violation(
        app=app,
        kind="secret",
        method=method,
        reason="a manifest from elsewhere names a secret of the configuration",
    )
