"""Child processes that never outlive the block that started them."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

GRACE_S = 5.0


@contextmanager
def child(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    talks: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `command` in a process group of its own, with stderr in the file `log`.

    With `talks`, stdin and stdout are pipes, and the end of stdin asks the process to leave;
    otherwise SIGTERM does. What is left of the group is killed.
    """
    pipe = subprocess.PIPE if talks else subprocess.DEVNULL
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, env=env, stdin=pipe, stdout=pipe, stderr=errors, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.stdin:
            with suppress(BrokenPipeError):
                process.stdin.close()
        else:
            process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def tail(log: Path, limit_bytes: int = 600) -> str:
    """The end of a log, for an error message."""
    return log.read_bytes()[-limit_bytes:].decode(errors="replace").strip()
