"""Utility processes, forked by the shell: Electron's main process is the only one that can."""

import secrets
from collections.abc import Callable

import anyio

from deskbus.ui.shell import Shell
from deskbus_protocol.utility import ForkedUtility, ForkUtilityParams, KillUtilityParams

FORK_TIMEOUT_S = 10.0

Output = Callable[[str], None]


class UtilityProcess:
    """One run of a utility process. It is not a child of ours, so its end is told by the shell."""

    def __init__(self, shell: Shell, run: str, output: Output) -> None:
        self._shell = shell
        self.run = run
        self.pid = 0
        self.exit_code: int | None = None
        self.output = output
        self._ended = anyio.Event()

    async def wait(self) -> int:
        """Returns the exit code; -1 where the shell went first."""
        await self._ended.wait()
        return -1 if self.exit_code is None else self.exit_code

    def kill(self) -> None:
        self._shell.notify("apps.killUtility", KillUtilityParams(run=self.run))

    def ended(self, exit_code: int | None) -> None:
        self.exit_code = exit_code
        self._ended.set()


class UtilityProcesses:
    """Forks utility processes through the shell, and passes on what they write and their end."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._running: dict[str, UtilityProcess] = {}

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
        output: Output,
    ) -> UtilityProcess:
        """Returns once the process has a pid; raises `DeskbusError` (unavailable)."""
        run = secrets.token_hex(8)
        process = self._running[run] = UtilityProcess(self._shell, run, output)
        params = ForkUtilityParams(
            app=app, run=run, entry=entry, args=args, cwd=cwd, env=env, pipe=pipe, ticket=ticket
        )
        try:
            forked: ForkedUtility = await self._shell.call(
                "apps.forkUtility", params, ForkedUtility, timeout_s=FORK_TIMEOUT_S
            )
        except BaseException:
            process.kill()
            self._running.pop(run, None)
            raise
        process.pid = forked.pid
        return process

    def wrote(self, run: str, text: str) -> None:
        if run in self._running:
            self._running[run].output(text)

    def exited(self, run: str, exit_code: int) -> None:
        process = self._running.pop(run, None)
        if process is not None:
            process.ended(exit_code)
