"""The backend's side of the watchdog."""

import os
import subprocess
import sys
from pathlib import Path

import structlog

from deskbus.processes.system.process_tree import Root

WATCHDOG = Path(__file__).with_name("watchdog.py")
CLOSE_WITHIN_S = 0.5

log = structlog.get_logger()


class WatchdogClient:
    """Starts the watchdog with the first app; from then on no app outlives the backend."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._roots: dict[int, Root] = {}
        self._not_started: str | None = None
        """Why none could be started, as it was logged; None while there is one."""

    @property
    def pids(self) -> list[int]:
        return [] if self._process is None else [self._process.pid]

    def watch(self, root: Root) -> None:
        self._roots[root.identity.pid] = root
        if self._process is None:
            self._start()
        else:
            self._tell(_line(root))

    def forget(self, root: Root) -> None:
        if self._roots.pop(root.identity.pid, None) is not None:
            self._tell(f"- {root.identity.pid}\n")

    def ensure(self) -> None:
        """Starts a watchdog if there are apps to watch and none runs."""
        if self._process is not None and self._process.poll() is not None:
            self._lose(self._process)
        if self._process is None and self._roots:
            self._start()

    def close(self) -> None:
        """Blocks for a moment; apps must have ended before."""
        if self._process is not None:
            self._hang_up(self._process)
            self._process = None

    def _start(self) -> None:
        if os.name == "nt":
            return
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WATCHDOG)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        except OSError as error:
            if self._not_started != error.strerror:
                log.warning("guard.not_started", reason=error.strerror)
            self._not_started = error.strerror
            return
        self._not_started = None
        # One that ends before it has read them is replaced by `ensure`, not from here for ever.
        self._write(self._process, "".join(map(_line, self._roots.values())))

    def _tell(self, line: str) -> None:
        if self._process is not None and not self._write(self._process, line):
            self.ensure()

    def _write(self, process: subprocess.Popen[bytes], lines: str) -> bool:
        """Writes to the watchdog; returns whether it was there to be told."""
        assert process.stdin is not None
        try:
            process.stdin.write(lines.encode())
            process.stdin.flush()
        except OSError:
            self._lose(process)
            return False
        return True

    def _lose(self, process: subprocess.Popen[bytes]) -> None:
        log.warning("guard.gone")
        self._hang_up(process)
        self._process = None

    @staticmethod
    def _hang_up(process: subprocess.Popen[bytes]) -> None:
        try:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(CLOSE_WITHIN_S)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()


def _line(root: Root) -> str:
    return f"+ {root.identity.pid} {root.identity.started} {root.mark_entry}\n"
