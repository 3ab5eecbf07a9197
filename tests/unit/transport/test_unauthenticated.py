"""Nobody's links without a session keep anybody else's out."""

import pytest

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.unauthenticated import MAX_OF_PROCESS, MAX_STRANGERS, UnauthenticatedLinks

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
