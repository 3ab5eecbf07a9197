"""The pipe of this platform: a Unix socket, or a Windows named pipe."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher


@asynccontextmanager
async def listen(
    folder: Path, flusher: Flusher, accept: Callable[[Link], None]
) -> AsyncIterator[str]:
    """Listens for the length of a `with` block, whose value is the address for clients.

    `folder` is the runtime directory; on Windows its name makes the pipe's.
    """
    if sys.platform == "win32":
        from deskbus.transport import windows

        async with windows.listen(folder.name, flusher, accept) as address:
            yield address
    else:
        from deskbus.transport import unix

        async with unix.listen(folder, flusher, accept) as address:
            yield address
