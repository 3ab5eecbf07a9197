"""The two halves of the shell link: one ends with the other."""

import os

import anyio
import anyio.lowlevel

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.standard_streams.standard_descriptors import ClaimedDescriptors
from deskbus.transport.standard_streams.stdio import open_stdio

LIMIT_S = 20


async def is_closed(pipe: int) -> bool:
    """Whether nobody will read what is written, as it comes to be within the limit."""
    with anyio.move_on_after(LIMIT_S):
        while True:
            try:
                os.write(pipe, b"x")
            except BrokenPipeError:
                return True
            await anyio.lowlevel.checkpoint()
    return False


async def test_the_reading_half_is_closed_with_the_link_though_it_is_held_back() -> None:
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    os.set_blocking(theirs_out, False)
    link = Link(Flusher())
    try:
        await open_stdio(link, ClaimedDescriptors(read=ours_in, write=ours_out))
        assert link._reader is not None
        link._reader.pause_reading()
        link.abort()
        assert await is_closed(theirs_out)
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
