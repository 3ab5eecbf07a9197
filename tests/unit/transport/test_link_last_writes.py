"""A link that closes gives its peer time to read what was written, and not for ever."""

import asyncio
import socket
from collections.abc import AsyncIterator

import anyio
import pytest

from deskbus.transport import link as link_module
from deskbus.transport.link import LAST_WRITES_S, Link
from deskbus.transport.outbox import Flusher

SHELL_WAITS_S = 2.0
"""Within this the backend is gone after its shell: no link may hold it up for longer."""
FRAME = b"x" * 65_536
FRAMES = 64


@pytest.fixture
async def ends(anyio_backend: str) -> AsyncIterator[tuple[Link, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    link = Link(Flusher())
    await loop.connect_accepted_socket(lambda: link, ours)
    yield link, theirs
    theirs.close()
    link.abort()


def write_more_than_a_socket_holds(link: Link) -> None:
    for number in range(FRAMES):
        link.outbox.put(FRAME + b"\n", "a", number)


def test_no_link_waits_longer_than_a_shell_does() -> None:
    assert 0 < LAST_WRITES_S <= SHELL_WAITS_S


async def test_a_peer_that_reads_gets_all_that_was_written_before_the_end(
    ends: tuple[Link, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "LAST_WRITES_S", 3600.0)
    link, theirs = ends
    write_more_than_a_socket_holds(link)
    link.close()
    assert not link.closed.is_set()
    read = 0
    with anyio.fail_after(20):
        while data := await asyncio.get_running_loop().sock_recv(theirs, 1 << 20):
            read += len(data)
        await link.closed.wait()
    assert read == FRAMES * (len(FRAME) + 1)


async def test_a_peer_that_does_not_read_is_cut_off_when_its_time_is_over(
    ends: tuple[Link, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "LAST_WRITES_S", 0.05)
    link, _ = ends
    write_more_than_a_socket_holds(link)
    link.close()
    assert not link.closed.is_set()
    with anyio.fail_after(20):
        await link.closed.wait()


async def test_without_anything_to_write_a_link_closes_at_once(
    ends: tuple[Link, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "LAST_WRITES_S", 3600.0)
    link, _ = ends
    link.close()
    with anyio.fail_after(20):
        await link.closed.wait()
