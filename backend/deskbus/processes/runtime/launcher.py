"""Runs in an app's new process, before its program: sets what only the process itself can set.

A program of its own, run as `python -I -S launcher.py STATUS_FD PARENT FILES GROUP COMMAND…`, so it
imports nothing of ours, and no code of ours runs between fork and exec in a process with threads.
Where the command can't be run, the error's number is written to STATUS_FD; else that closes.
"""

import os
import signal
import sys

assert sys.platform != "win32"

PR_SET_PDEATHSIG = 1


def main() -> None:
    status, parent, files, resource_group, *command = sys.argv[1:]
    os.set_inheritable(int(status), False)
    try:
        if resource_group:
            join(resource_group)
        limit(int(files))
        die_with(int(parent))
        os.execvp(command[0], command)  # noqa: S606 - the app's program, as its manifest says
    except OSError as error:
        os.write(int(status), str(error.errno or 1).encode())
    os._exit(127)


def join(resource_group: str) -> None:
    """Enters a cgroup, so that not even the first fork happens outside of it."""
    with open(resource_group, "w") as file:  # noqa: PTH123 - pathlib costs the start
        file.write("0")


def limit(files: int) -> None:
    """No core file, which would hold the app's secrets; at most so many open files (0: as is).

    The backend's own limits of memory and of files' sizes are not the app's: one that starts while
    the backend is short of either, as on purpose in development, would keep them for life.
    """
    import resource

    for inherited in (resource.RLIMIT_FSIZE, resource.RLIMIT_AS):
        _, hard = resource.getrlimit(inherited)
        resource.setrlimit(inherited, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if files:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


def die_with(parent: int) -> None:
    """SIGKILL when the thread that spawned us ends; that is the backend's main thread."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)


if __name__ == "__main__":
    main()
