"""Outlives the backend for a moment: when the backend is killed, kills what it had started.

A program of its own, run as `python -I -S watchdog.py`, so it imports nothing of ours. Its standard
input tells it about every app's process, a line each: `+ PID STARTED MARK` and `- PID`. The end of
that input is the end of the backend.
"""

import os
import signal
import sys
import time

assert sys.platform != "win32"

LIMIT_S = 2.0
PAUSE_S = 0.005


class WatchedEntry:
    """One process, as proc(5) tells it."""

    def __init__(self, pid: int, fields: list[bytes]) -> None:
        self.pid = pid
        self.zombie = fields[0] in (b"Z", b"X")
        self.parent, self.group, self.session = map(int, fields[1:4])
        self.started = int(fields[19])


def read(pid: int) -> WatchedEntry | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib costs the start
            text = file.read()
    except OSError:
        return None
    return WatchedEntry(pid, text[text.rfind(b")") + 2 :].split())


def is_marked(pid: int, marks: set[bytes]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - as above
            return not marks.isdisjoint(file.read().split(b"\0"))
    except OSError:
        return False


def members(roots: dict[int, tuple[int, bytes]], seen: dict[int, int]) -> list[WatchedEntry]:
    """Every process below a root, in its session or with its mark; `seen` is kept for the next
    call.
    """
    table: dict[int, WatchedEntry] = {}
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        entry = read(int(name)) if name.isdigit() else None
        if entry is not None and entry.pid != os.getpid():
            table[entry.pid] = entry
            children.setdefault(entry.parent, []).append(entry.pid)
    marks = {mark for _, mark in roots.values()}
    oldest = min((started for started, _ in roots.values()), default=0)
    found: dict[int, WatchedEntry] = {}
    search = [
        pid
        for pid, entry in table.items()
        if entry.started >= oldest
        and (
            seen.get(pid) == entry.started
            or (pid in roots and roots[pid][0] == entry.started)
            or is_marked(pid, marks)
        )
    ]
    while search:
        pid = search.pop()
        if pid not in found:
            found[pid] = table[pid]
            search += children.get(pid, ())
    seen.update({pid: entry.started for pid, entry in found.items()})
    return [entry for entry in found.values() if not entry.zombie]


if sys.platform == "linux":

    def kill(entry: WatchedEntry, number: int) -> None:
        """Kills through a handle, so that a reused pid is never hit."""
        try:
            handle = os.pidfd_open(entry.pid)
        except OSError:
            return
        try:
            now = read(entry.pid)
            if now is not None and now.started == entry.started:
                signal.pidfd_send_signal(handle, number)
        except OSError:
            return
        finally:
            os.close(handle)

    def end(roots: dict[int, tuple[int, bytes]]) -> None:
        deadline = time.monotonic() + LIMIT_S
        seen: dict[int, int] = {}
        while roots and time.monotonic() < deadline:
            left = members(roots, seen)
            if not left:
                return
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for entry in left:
                    kill(entry, number)
            time.sleep(PAUSE_S)

else:

    def end(roots: dict[int, tuple[int, bytes]]) -> None:
        for pid in roots:
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                continue


def lift_limits() -> None:
    """Raises inherited soft limits to their hard ones.

    One that starts while the backend is short of descriptors, memory or room on a disk, as on
    purpose in development, would keep that for life.
    """
    import resource

    for inherited in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS):
        _, hard = resource.getrlimit(inherited)
        resource.setrlimit(inherited, (hard, hard))


def main() -> None:
    lift_limits()
    # Ctrl-C ends the backend in order; the watchdog is for an end that is not in order.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    roots: dict[int, tuple[int, bytes]] = {}
    for line in sys.stdin.buffer:
        words = line.split()
        if len(words) == 4 and words[0] == b"+":
            roots[int(words[1])] = (int(float(words[2])), words[3])
        elif len(words) == 2 and words[0] == b"-":
            roots.pop(int(words[1]), None)
    end(roots)


if __name__ == "__main__":
    main()
