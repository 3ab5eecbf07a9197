"""FaultInjector: faults of the machine that the backend makes for itself, and takes back."""

import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import anyio
import structlog

from deskbus_protocol.chaos import Fault, Held
from deskbus_protocol.errors import CONFLICT, UNAVAILABLE, DeskbusError

DESCRIPTORS = Path("/dev/fd")
KILLED = getattr(signal, "SIGKILL", signal.SIGTERM)
"""Windows ends a process at once by either name."""

Lasting = Callable[[], AbstractAsyncContextManager[None]]

log = structlog.get_logger()


class FaultInjector:
    """One fault at a time. A lasting one is taken back in any case, also when its caller goes.

    `apps` and `watchdog` tell process ids; `lock_vault` locks the vault; `has_shell` says whether
    the parent process is a shell, which it can only be while it is the one at the start: a process
    whose parent has ended has another that nobody meant.
    """

    def __init__(
        self,
        *,
        apps: Callable[[], Iterable[int]],
        watchdog: Callable[[], Iterable[int]],
        lock_vault: Callable[[], Awaitable[None]],
        has_shell: Callable[[], bool],
    ) -> None:
        self._has_shell = has_shell
        self._at_once: Mapping[str, Callable[[], Awaitable[None]]] = {
            "vault-locked": lock_vault,
            "app-killed": partial(_kill, apps),
            "watchdog-killed": partial(_kill, watchdog),
        }
        self._parent = os.getppid()
        self._lasting = _lasting(self._parent)
        self._busy = anyio.Lock()

    async def cause(self, fault: Fault, seconds: float) -> tuple[Held, Held]:
        """Answers with what the backend held before it, and after it.

        Raises `DeskbusError`: conflict (another fault lasts), unavailable (not on this system).
        """
        try:
            self._busy.acquire_nowait()
        except anyio.WouldBlock:
            raise DeskbusError(
                CONFLICT, "Another fault lasts.", action="Wait for its end."
            ) from None
        try:
            before = _held()
            log.warning("chaos.caused", fault=fault, seconds=seconds)
            with anyio.CancelScope(shield=True):
                await self._happen(fault, seconds)
            log.warning("chaos.over", fault=fault)
            return before, _held()
        finally:
            self._busy.release()

    async def _happen(self, fault: Fault, seconds: float) -> None:
        if fault == "loop-stall":
            time.sleep(seconds)  # noqa: ASYNC251  # the very thing that is forbidden elsewhere
        elif fault in self._at_once:
            await self._at_once[fault]()
        elif fault == "shell-stall" and not self._has_shell_above():
            raise _not_here("There is no shell that could be stopped.")
        elif fault not in self._lasting:
            raise _not_here("This system can't do that.")
        else:
            async with self._lasting[fault]():
                await anyio.sleep(seconds)

    def _has_shell_above(self) -> bool:
        return self._has_shell() and os.getppid() == self._parent


def _lasting(parent: int) -> Mapping[str, Lasting]:
    """Those that this system offers."""
    faults: dict[str, Lasting] = {}
    if sys.platform != "win32":
        from deskbus.reliability import posix_faults

        faults["no-descriptors"] = posix_faults.no_descriptors
        faults["disk-full"] = posix_faults.disk_full
        faults["shell-stall"] = partial(posix_faults.stall, parent)
        if sys.platform == "linux":
            faults["no-memory"] = posix_faults.no_memory
    return faults


def _not_here(why: str) -> DeskbusError:
    return DeskbusError(UNAVAILABLE, why, action="Choose another fault.")


def _held() -> Held:
    descriptors = sum(1 for _ in DESCRIPTORS.iterdir()) if DESCRIPTORS.exists() else 0
    tasks = len(anyio.get_running_tasks())
    return Held(descriptors=descriptors, threads=threading.active_count(), tasks=tasks)


async def _kill(pids: Callable[[], Iterable[int]]) -> None:
    found = list(pids())
    if not found:
        raise _not_here("No such process runs.")
    for pid in found:
        os.kill(pid, KILLED)
