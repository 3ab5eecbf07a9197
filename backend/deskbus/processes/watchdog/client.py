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
            log.warning("guard.not_started", reason=error.strerror)
            return
        for root in self._roots.values():
            self._tell(_line(root))

    def _tell(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError:
            log.warning("guard.gone")
            self._hang_up(self._process)
            self._process = None
            if line.startswith("+"):
                self._start()

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
