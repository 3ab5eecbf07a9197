"""ResourceGroup: holds one run of an app together by means of the OS, where it has any."""

import secrets
import sys
from pathlib import Path
from typing import Protocol

from deskbus_protocol.manifest import Limits


class ResourceGroup(Protocol):
    """The operating system's group of an app's processes. Every method is quick; none raises."""

    @property
    def entrance(self) -> str:
        """The file through which a process enters by itself; "" where it is put in."""

    def put_in(self, pid: int) -> None:
        """Takes in a process that did not enter by itself; what it starts follows."""

    def limit(self, limits: Limits) -> None:
        """Has the OS enforce what it can of these from now on."""

    def out_of_memory(self) -> bool:
        """Whether the OS has killed one of them for want of memory."""

    def kill(self) -> None:
        """Kills all of them at one stroke, if the OS can."""

    def close(self) -> None:
        """Removes the group, which is empty."""


class ResourceGroups(Protocol):
    """Makes resource groups."""

    @property
    def kind(self) -> str:
        """The means by which limits are enforced, for `deskbus doctor` and health."""

    def make(self, app: str, limits: Limits) -> ResourceGroup: ...


class NoResourceGroup:
    """Without means of the OS: limits rest on samples, and trees are ended by walks."""

    entrance = ""

    def put_in(self, pid: int) -> None: ...

    def limit(self, limits: Limits) -> None: ...

    def out_of_memory(self) -> bool:
        return False

    def kill(self) -> None: ...

    def close(self) -> None: ...


class NoResourceGroups:
    kind = "samples"

    def make(self, app: str, limits: Limits) -> ResourceGroup:
        return NoResourceGroup()


def find_resource_groups() -> ResourceGroups:
    """The best that this machine offers to us."""
    if sys.platform == "win32":
        from deskbus.processes.system.jobs import Jobs

        return Jobs()
    else:
        if sys.platform == "linux":
            from deskbus.processes.system.cgroups import ControlGroups, delegated_group

            own = delegated_group(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
            if own is not None:
                return ControlGroups(own, secrets.token_hex(4))
        return NoResourceGroups()
