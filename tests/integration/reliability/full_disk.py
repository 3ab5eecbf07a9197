"""A disk that takes nothing more from one process, as on a full or broken one."""

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from tests.integration.shell import LIMIT_S, TestShell


@asynccontextmanager
async def no_room(shell: TestShell) -> AsyncIterator[None]:
    """The backend can't make any file larger for the length of the block, on Linux.

    Its audit log is well again when this returns.
    """
    pid = shell.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    with anyio.fail_after(LIMIT_S):
        while True:
            health = await shell.client.call("health.get", result=dict)
            if health["components"]["audit"]["status"] == "ok":
                return
            await anyio.sleep(0.05)
