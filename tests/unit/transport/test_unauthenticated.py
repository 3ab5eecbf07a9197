"""Nobody's links without a session keep anybody else's out."""

import pytest

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.unauthenticated import (
    MAX_HELD_BYTES,
    MAX_HELD_OF_PROCESS_BYTES,
    MAX_OF_PROCESS,
    MAX_STRANGERS,
    UnauthenticatedLinks,
)

HOSTILE, HONEST = 100, 200


class Caller(Link):
    def __init__(self, process: int) -> None:
        super().__init__(Flusher())
        self.process = process
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
async def unauthenticated() -> UnauthenticatedLinks:
    return UnauthenticatedLinks()


async def test_the_oldest_of_a_process_with_too_many_gives_way(
    unauthenticated: UnauthenticatedLinks,
) -> None:
    honest = Caller(HONEST)
    unauthenticated.enter(honest)
    hostile = [Caller(HOSTILE) for _ in range(MAX_OF_PROCESS + 3)]
    for link in hostile:
        unauthenticated.enter(link)
    assert [link.is_closed for link in hostile] == [True] * 3 + [False] * MAX_OF_PROCESS
    assert not honest.is_closed


async def test_an_app_with_a_ticket_gets_in_however_many_processes_crowd(
    unauthenticated: UnauthenticatedLinks,
) -> None:
    for process in range(1, MAX_STRANGERS // 8 + 1):
        for _ in range(8):
            unauthenticated.enter(Caller(1000 + process))
    assert len(unauthenticated) == MAX_STRANGERS
    honest = Caller(HONEST)
    unauthenticated.enter(honest)
    assert not honest.is_closed
    assert len(unauthenticated) == MAX_STRANGERS


async def test_what_has_a_session_is_no_stranger_any_more(
    unauthenticated: UnauthenticatedLinks,
) -> None:
    link = Caller(HONEST)
    unauthenticated.enter(link)
    unauthenticated.leave(link)
    for _ in range(MAX_OF_PROCESS + 1):
        unauthenticated.enter(Caller(HONEST))
    assert not link.is_closed


BLOCK = b"{" + b"x" * (256 * 1024)


@pytest.mark.requirement("C")
@pytest.mark.parametrize("first", [BLOCK, b"Content-Length: 4000000\r\n\r\n" + BLOCK])
async def test_the_link_that_holds_most_of_a_process_with_too_much_gives_way(
    unauthenticated: UnauthenticatedLinks, first: bytes
) -> None:
    honest = Caller(HONEST)
    unauthenticated.enter(honest)
    honest.data_received(first)
    hostile = [Caller(HOSTILE) for _ in range(8)]
    for link in hostile:
        unauthenticated.enter(link)
        link.data_received(first)
    while not any(link.is_closed for link in hostile):
        for link in hostile:
            link.data_received(BLOCK)
            assert sum(each.held_bytes for each in hostile) <= MAX_HELD_OF_PROCESS_BYTES
    assert not honest.is_closed


async def test_all_processes_together_hold_no_more_than_a_bound(
    unauthenticated: UnauthenticatedLinks,
) -> None:
    links = [Caller(1000 + number) for number in range(16)]
    for link in links:
        unauthenticated.enter(link)
    for _ in range(13):
        for link in links:
            if not link.is_closed:
                link.data_received(BLOCK)
            assert sum(each.held_bytes for each in links) <= MAX_HELD_BYTES
    assert any(link.is_closed for link in links)


async def test_a_session_may_hold_a_whole_frame(unauthenticated: UnauthenticatedLinks) -> None:
    links = [Caller(HONEST) for _ in range(8)]
    for link in links:
        unauthenticated.enter(link)
        unauthenticated.leave(link)
        for _ in range(15):
            link.data_received(BLOCK)
    assert not any(link.is_closed for link in links)
