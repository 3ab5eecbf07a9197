"""The shell link: the backend's standard input and output."""

import asyncio
import os
import sys
from typing import cast

from deskbus.transport.link import Link, ReadingTransport
from deskbus.transport.standard_streams.standard_descriptors import ClaimedDescriptors
from deskbus.transport.standard_streams.threaded_pipes import ThreadedPipes


class _ReadingHalf(asyncio.Protocol):
    """Feeds the reading half into the link; its end is the end of the link."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link.read_from(cast(ReadingTransport, transport))

    def data_received(self, data: bytes) -> None:
        self._link.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.connection_lost(exc)


async def open_stdio(link: Link, claimed: ClaimedDescriptors) -> None:
    """Connects `link` to descriptors taken by `claim_standard_descriptors`."""
    if sys.platform == "win32":
        ThreadedPipes(link, claimed.read, claimed.write)
    else:
        loop = asyncio.get_running_loop()
        await loop.connect_write_pipe(lambda: link, os.fdopen(claimed.write, "wb", buffering=0))
        await loop.connect_read_pipe(
            lambda: _ReadingHalf(link), os.fdopen(claimed.read, "rb", buffering=0)
        )
