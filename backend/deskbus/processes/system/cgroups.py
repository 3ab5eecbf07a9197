"""Resource groups by control groups, version 2, where a part of the tree is delegated to this user.

https://docs.kernel.org/admin-guide/cgroup-v2.html; a systemd unit delegates with `Delegate=yes`.
Without controllers there is still `cgroup.kill` (Linux 5.14), which no fork outruns.
"""

import contextlib
import os
from pathlib import Path

import structlog
from msgspec import UnsetType

from deskbus_protocol.manifest import Limits

CONTROLLERS = ("cpu", "memory", "pids")
CPU_PERIOD_US = 100_000
HEADROOM = 1.25
"""The OS's own limits are this much above ours: first we warn, and tell what happened."""

log = structlog.get_logger()


def delegated_group(membership: Path, mount: Path) -> Path | None:
    """The group of this process, if it may create groups below it."""
    try:
        lines = membership.read_text().split("\n")
    except OSError:
        return None
    own = next((line[3:] for line in lines if line.startswith("0::/")), None)
    if own is None or not (mount / "cgroup.controllers").exists():
        return None
    group = mount / own.lstrip("/")
    writable = os.access(group, os.W_OK) and os.access(group / "cgroup.procs", os.W_OK)
    return group if writable else None


class ControlGroups:
    """Groups of apps, beside a group of the backend's own: inner groups may hold no process."""

    def __init__(self, group: Path, name: str) -> None:
        self._group = group
        self._name = name
        self._count = 0
        self.controllers: tuple[str, ...] = ()
        self.kind = "cgroup kill"
        self._prepare()

    def make(self, app: str, limits: Limits) -> "ControlGroup":
        self._count += 1
        folder = self._group / f"deskbus-{self._name}-{self._count}-{app}"
        resource_group = ControlGroup(folder, self.controllers)
        resource_group.limit(limits)
        return resource_group

    def _prepare(self) -> None:
        ours = self._group / f"deskbus-{self._name}"
        try:
            ours.mkdir(exist_ok=True)
            (ours / "cgroup.procs").write_text(str(os.getpid()))
        except OSError as error:
            log.info("cgroup.no_group_of_our_own", reason=error.strerror)
        granted = []
        for controller in CONTROLLERS:
            # Each by itself: one that is missing must not cost the others.
            with contextlib.suppress(OSError):
                (self._group / "cgroup.subtree_control").write_text(f"+{controller}")
                granted.append(controller)
        self.controllers = tuple(granted)
        if granted:
            self.kind = f"cgroup: {', '.join(granted)}"


class ControlGroup:
    def __init__(self, folder: Path, controllers: tuple[str, ...]) -> None:
        self._folder = folder
        self._controllers = controllers
        self.entrance = ""
        try:
            folder.mkdir()
            self.entrance = str(folder / "cgroup.procs")
        except OSError as error:
            log.warning("cgroup.not_made", reason=error.strerror)

    def put_in(self, pid: int) -> None:
        self._write("cgroup.procs", str(pid))

    def limit(self, limits: Limits) -> None:
        if "memory" in self._controllers:
            memory = limits.memory_mb
            self._write("memory.max", _number(memory, 1024 * 1024 * HEADROOM))
            self._write("memory.swap.max", "max" if isinstance(memory, UnsetType) else "0")
        if "pids" in self._controllers:
            self._write("pids.max", _number(limits.processes, 2 * HEADROOM))
        if "cpu" in self._controllers:
            quota = _number(limits.cpu_percent, CPU_PERIOD_US / 100 * HEADROOM)
            self._write("cpu.max", f"{quota} {CPU_PERIOD_US}")

    def out_of_memory(self) -> bool:
        try:
            lines = (self._folder / "memory.events").read_text().split("\n")
        except OSError:
            return False
        return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)

    def kill(self) -> None:
        self._write("cgroup.kill", "1")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _write(self, name: str, text: str) -> None:
        try:
            (self._folder / name).write_text(text)
        except OSError as error:
            log.info("cgroup.refused", file=name, reason=error.strerror)


def _number(limit: float | UnsetType, factor: float) -> str:
    return "max" if isinstance(limit, UnsetType) else str(int(limit * factor))
