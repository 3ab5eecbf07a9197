"""A peer that is slow is not read from: what it takes is its sign of life, and nothing else is."""

import asyncio
import socket
from collections.abc import AsyncIterator

import anyio
import pytest

from deskbus.rpc.heartbeat import Heartbeat
from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher

LINE = b"x" * 65_536 + b"\n"
LIMIT_S = 20
LONG_AGO = -1000.0


@pytest.fixture
async def ends(anyio_backend: str) -> AsyncIterator[tuple[Link, socket.socket]]:
    """A link whose peer is slow, and the peer's end."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    link = Link(Flusher())
    await asyncio.get_running_loop().connect_accepted_socket(lambda: link, ours)
    seq = 0
    while not link.outbox.slow:
        link.outbox.put(LINE, "a", seq)
        link.outbox.flush()
        seq += 1
    link.heard_at = LONG_AGO
    yield link, theirs
    theirs.close()
    link.abort()


async def take_some(link: Link, theirs: socket.socket) -> None:
    """Reads until the link could write more, and is slow still."""
    before = link._waiting_bytes
    with anyio.fail_after(LIMIT_S):
        while link._waiting_bytes == before:
            await asyncio.get_running_loop().sock_recv(theirs, len(LINE))
    assert link.outbox.slow


@pytest.mark.requirement("6.4")
async def test_one_that_takes_a_little_is_alive_and_one_that_takes_nothing_is_not(
    ends: tuple[Link, socket.socket],
) -> None:
    link, theirs = ends
    link.look_for_progress()
    assert link.heard_at == LONG_AGO
    await take_some(link, theirs)
    link.look_for_progress()
    assert link.heard_at > LONG_AGO
    link.heard_at = LONG_AGO
    link.look_for_progress()
    assert link.heard_at == LONG_AGO, "nothing was taken since"


async def test_one_that_has_caught_up_is_alive(ends: tuple[Link, socket.socket]) -> None:
    link, theirs = ends
    with anyio.fail_after(LIMIT_S):
        while link.outbox.slow:
            await asyncio.get_running_loop().sock_recv(theirs, len(LINE))
    assert link.heard_at > LONG_AGO


@pytest.mark.parametrize("takes", [True, False])
async def test_the_heartbeat_ends_a_slow_link_only_where_nothing_is_taken(
    ends: tuple[Link, socket.socket], *, takes: bool
) -> None:
    link, theirs = ends
    ended: list[bool] = []
    heartbeat = Heartbeat(
        link, lambda: None, lambda: ended.append(True), interval_s=3600, deadline_s=7200
    )
    heartbeat.start()
    if takes:
        await take_some(link, theirs)
    link.heard_at = LONG_AGO * 10
    heartbeat._look()
    heartbeat.stop()
    assert ended == ([] if takes else [True])
