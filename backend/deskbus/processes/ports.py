"""Ports of the process isolation: the protocols that the rest of the backend fulfils."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from deskbus.contracts.audit_sink import AuditSink
from deskbus_protocol.apps import AppStatus
from deskbus_protocol.manifest import Limits
from deskbus_protocol.ui import Bounds, WindowDescriptor


class WindowOpener(Protocol):
    """The shell's windows."""

    async def open(self, descriptor: WindowDescriptor) -> None:
        """Opens it, or takes its crash page away; raises `DeskbusError`."""

    async def place(self, window: str, bounds: Bounds) -> None:
        """Moves an open window; raises `DeskbusError`."""

    async def close(self, window: str) -> None: ...


class AppProcess(Protocol):
    """A process that was started, whoever is its parent."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Returns its exit code; a negative one is a signal's number."""


class Forker(Protocol):
    """Forks utility processes of Electron."""

    async def fork(
        self,
        *,
        app: str,
        entry: str,
        args: list[str],
        cwd: str,
        env: dict[str, str],
        pipe: str,
        ticket: str,
        output: Callable[[str], None],
    ) -> AppProcess:
        """Raises `DeskbusError` (unavailable)."""


class BusLimit(Protocol):
    """Limits what an app publishes, and knows how much that was."""

    def limit(self, app: str, limits: Limits) -> None: ...

    def excess_per_s(self, app: str) -> tuple[float, float]:
        """Messages and bytes a second since the last call, where some were refused; else 0, 0."""


class StateStore(Protocol):
    """Keeps one value for each app, sealed."""

    async def load(self, app: str) -> bytes | None: ...

    async def save(self, app: str, content: bytes) -> bool:
        """Returns False where it is kept in memory only; raises `DeskbusError` (too_large,
        unavailable).
        """

    async def clear(self, app: str) -> bool: ...


class RendererList(Protocol):
    """The processes that draw an app's windows."""

    def of(self, app: str) -> list[int]: ...


Reveal = Callable[[dict[str, str]], Awaitable[dict[str, str]]]
"""Puts the vault's secrets into an environment; raises `DeskbusError`."""


EndOrphans = Callable[[], Awaitable[None]]
"""Returns when nothing is left that an app has left behind and that hides whose it is."""


class Supervisor(Protocol):
    """The manager, as each of its apps sees it."""

    def start_soon(self, task: Callable[..., Coroutine[Any, Any, object]], *args: object) -> None:
        """Runs a task until the apps end; its failure is logged, and ends nothing else."""

    async def end_orphans(self) -> None:
        """See `EndOrphans`."""


class TellApp(Protocol):
    def __call__(self, app: str, *, method: str, params: object) -> bool:
        """Sends a notification to an app's own process; False where it is not connected."""


class AppPorts(NamedTuple):
    """The parts of the backend that an app needs besides its process.

    `on_changed` hears of every change of an app's status.
    """

    windows: WindowOpener
    trail: AuditSink
    renderers: RendererList
    bus_limit: BusLimit
    tell_app: TellApp
    on_changed: Callable[[AppStatus], None]
