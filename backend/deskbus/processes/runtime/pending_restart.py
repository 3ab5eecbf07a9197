"""The restart that an app waits for, if it waits for one."""

import time

import anyio


class PendingRestart:
    """At most one is waited for: whoever awaits `wait` learns whether it is still wanted."""

    def __init__(self) -> None:
        self._due_at: float | None = None
        self._scope: anyio.CancelScope | None = None

    @property
    def in_s(self) -> float | None:
        """Until it is due; None where there is none."""
        return None if self._due_at is None else max(0.0, self._due_at - time.monotonic())

    def plan(self, delay_s: float) -> anyio.CancelScope:
        """Takes the place of one that was planned before. The scope is for `wait`."""
        self.cancel()
        self._due_at = time.monotonic() + delay_s
        self._scope = anyio.CancelScope()
        return self._scope

    async def wait(self, planned: anyio.CancelScope, delay_s: float) -> None:
        """Returns when it is due, or when it was cancelled."""
        with planned:
            await anyio.sleep(delay_s)

    def is_wanted(self, planned: anyio.CancelScope) -> bool:
        return self._scope is planned

    def take(self, planned: anyio.CancelScope) -> bool:
        """Whether this one is still wanted; it counts as done then."""
        if not self.is_wanted(planned):
            return False
        self._due_at = self._scope = None
        return True

    def cancel(self) -> None:
        self._due_at = None
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None
