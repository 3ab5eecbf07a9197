"""Operations under way, each ended when what permits it is taken back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from deskbus.security.permission_request import Permit
from deskbus_protocol.errors import PERMISSION_REVOKED, DeskbusError


class _Operation:
    def __init__(self, permits: tuple[Permit, ...], scope: anyio.CancelScope) -> None:
        self.permits = permits
        self.scope = scope
        self.revoked = False


class ActiveOperations:
    def __init__(self) -> None:
        self._open: set[_Operation] = set()

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def hold(self, *permits: Permit) -> Iterator[None]:
        """Runs an operation for the length of a `with` block.

        Raises `DeskbusError` (permission_revoked) where a permit is taken back meanwhile.
        """
        with anyio.CancelScope() as scope:
            operation = _Operation(permits, scope)
            self._open.add(operation)
            try:
                yield
            finally:
                self._open.discard(operation)
        if operation.revoked:
            raise DeskbusError(PERMISSION_REVOKED)

    def end(self, ended: Callable[[Permit], bool]) -> None:
        """Ends every operation that runs under one of these permits."""
        for operation in list(self._open):
            if any(ended(permit) for permit in operation.permits):
                operation.revoked = True
                operation.scope.cancel()
