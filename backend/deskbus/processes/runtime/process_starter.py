"""ProcessStarter: starts the processes of apps, with their tickets, logs and resource groups."""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.lowlevel
import structlog
from anyio.abc import ByteReceiveStream
from anyio.streams.memory import MemoryObjectSendStream
from msgspec import UnsetType

from deskbus.contracts.audit_sink import AuditSink
from deskbus.processes.policy.limit_policy import open_files_ceiling
from deskbus.processes.policy.liveness import Missed
from deskbus.processes.policy.secret_names import secret_refused, secret_violation
from deskbus.processes.ports import AppProcess, EndOrphans, Forker, Reveal
from deskbus.processes.runtime.app_logs import AppLogFile, LogCapture
from deskbus.processes.runtime.environment import is_refused, names_secret
from deskbus.processes.runtime.parent_death_pipe import ParentDeathPipe
from deskbus.processes.runtime.process_run import ProcessRun
from deskbus.processes.runtime.spawn import Badge, Confinement, Program, spawn
from deskbus.processes.spec import MAIN_CLIENT, AppSpec, ProcessSpec
from deskbus.processes.system.process_queries import identity_of, start_clock
from deskbus.processes.system.process_table import ProcessIdentity, UnreadableError
from deskbus.processes.system.process_tree import KILL, Root
from deskbus.processes.system.resource_group import ResourceGroup, ResourceGroups
from deskbus.processes.watchdog.client import WatchdogClient
from deskbus.reliability.resource_shortage import is_shortage, refusal
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.manifest import Limits

log = structlog.get_logger()


class _Started(NamedTuple):
    """A process that runs; only a spawned one has a pipe that ends it with the backend."""

    process: AppProcess
    output: ByteReceiveStream | None
    parent_death_pipe: ParentDeathPipe | None


class ProcessStarter:
    """`mint` makes a ticket, `reveal` puts secrets into an environment."""

    def __init__(
        self,
        *,
        mint: Callable[[ClientId], str],
        reveal: Reveal,
        trail: AuditSink,
        resource_groups: ResourceGroups,
        forker: Forker,
        log_dir: Path,
        pipe: str = "",
    ) -> None:
        self.resource_groups = resource_groups
        self.watchdog = WatchdogClient()
        self._mint = mint
        self._reveal = reveal
        self._trail = trail
        self._forker = forker
        self._log_dir = log_dir
        self._pipe = pipe
        self._electron: str | None = None
        self._spawning = 0
        self._spawns = 0

    @property
    def spawning(self) -> bool:
        """Whether a process is being started that is not yet known as an app's."""
        return self._spawning > 0

    @property
    def spawns(self) -> int:
        """The number of process starts since the backend began."""
        return self._spawns

    def use_electron(self, binary: str | None) -> None:
        """Sets Electron's binary, once a shell has named it."""
        self._electron = binary

    async def start_run(
        self,
        spec: AppSpec,
        process: ProcessSpec,
        limits: Limits,
        *,
        on_missed: Callable[[ProcessRun, Missed], None],
        end_orphans: EndOrphans,
    ) -> ProcessRun:
        """Starts an app's process; raises `DeskbusError`: unavailable, permission_denied."""
        program = await self._revealed(spec.app, process.program)
        refused = sorted(
            name for name in program.env if is_refused(name, administered=program.administered)
        )
        if refused:
            log.warning("app.variables_refused", app=spec.app, variables=refused)
        open_files = None if isinstance(limits.open_files, UnsetType) else limits.open_files
        mark = secrets.token_hex(8)
        badge = Badge(spec.app, self._pipe, self._mint(ClientId(spec.app, MAIN_CLIENT)), mark)
        file = AppLogFile(self._log_dir / f"{spec.app}.log")
        capture = LogCapture(file, limits.log_kb_per_s * 1024, time.monotonic)
        with ExitStack() as undo:
            resource_group = self.resource_groups.make(spec.app, limits)
            undo.callback(resource_group.close)
            began = start_clock()
            started = await self._start(program, badge, resource_group, open_files, undo)
            root = Root(await _identity_of(started, began), mark)
            undo.pop_all()
        self.watchdog.watch(root)
        return ProcessRun(
            process,
            process=started.process,
            root=root,
            resource_group=resource_group,
            parent_death_pipe=started.parent_death_pipe,
            capture=capture,
            output=started.output,
            on_missed=on_missed,
            open_files=open_files,
            end_orphans=end_orphans,
        )

    async def _start(
        self,
        program: Program,
        badge: Badge,
        resource_group: ResourceGroup,
        open_files: int | None,
        undo: ExitStack,
    ) -> _Started:
        """The process, in its resource group; raises `DeskbusError` (unavailable)."""
        self._spawning += 1
        self._spawns += 1
        try:
            if program.kind == "utility":
                forked, output = await self._fork(program, badge)
                resource_group.put_in(forked.pid)
                return _Started(forked, output, None)
            files = 0 if open_files is None else open_files_ceiling(open_files)
            parent_death_pipe = ParentDeathPipe()
            undo.callback(parent_death_pipe.close)
            confinement = Confinement(
                resource_group.entrance, files, parent_death_pipe.reading, self._electron
            )
            with anyio.CancelScope(shield=True):
                # A process whose start is cancelled here would be known to nobody, and never ended.
                opened = await spawn(program, badge, confinement)
            parent_death_pipe.handed_over()
            if not resource_group.entrance:
                resource_group.put_in(opened.pid)
            return _Started(opened, opened.stdout, parent_death_pipe)
        except OSError as error:
            log.warning("app.not_started", app=badge.app, reason=error.strerror)
            if is_shortage(error):
                raise refusal(error) from None
            raise DeskbusError(
                UNAVAILABLE,
                f"The program of {badge.app} could not be started.",
                action="Check the command in its manifest.",
            ) from None
        finally:
            self._spawning -= 1

    async def _revealed(self, app: str, program: Program) -> Program:
        """The program with the secrets that its manifest names, which only an administrator's may
        do.
        """
        if not names_secret(program.env):
            return program
        if not program.administered:
            await self._trail.commit(secret_violation(app, "apps.launch"))
            raise secret_refused(app)
        return program._replace(env=await self._reveal(program.env))

    async def _fork(self, program: Program, badge: Badge) -> tuple[AppProcess, ByteReceiveStream]:
        """Forks a utility process; its output arrives through the shell, as a stream like any
        other.
        """
        send, receive = anyio.create_memory_object_stream[bytes](64)
        process = await self._forker.fork(
            app=badge.app,
            entry=str(program.cwd / program.entry),
            args=list(program.args),
            cwd=str(program.cwd),
            env=program.environment(badge, self._electron),
            pipe=badge.pipe,
            ticket=badge.ticket,
            output=partial(_put, send),
        )
        return process, _Output(receive)


class _Output(ByteReceiveStream):
    """Chunks, as a stream of bytes."""

    def __init__(self, chunks: anyio.abc.ObjectReceiveStream[bytes]) -> None:
        self._chunks = chunks

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        return await self._chunks.receive()

    async def aclose(self) -> None:
        await self._chunks.aclose()


async def _identity_of(started: _Started, began: float) -> ProcessIdentity:
    """Raises `DeskbusError` where it can't be told, once the process is ended."""
    try:
        return identity_of(started.process.pid, not_before=began)
    except UnreadableError as error:
        # Nobody could measure it, or end what it starts.
        with suppress(OSError):
            os.kill(started.process.pid, KILL)
        if started.output is not None:
            await started.output.aclose()
        raise DeskbusError(
            UNAVAILABLE, str(error), action="Try again when fewer apps are connected."
        ) from None


def _put(send: MemoryObjectSendStream[bytes], text: str) -> None:
    """Output beyond the buffer is lost, as it would be dropped anyway."""
    try:
        send.send_nowait(text.encode())
    except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
        log.debug("app.output_dropped", characters=len(text))
