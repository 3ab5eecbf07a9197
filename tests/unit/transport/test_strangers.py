"""Nobody's links without a session keep anybody else's out."""

import pytest

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.strangers import MAX_OF_PROCESS, MAX_STRANGERS, Strangers

HOSTILE, HONEST = 100, 200


class Caller(Link):
    def __init__(self, process: int) -> None:
        super().__init__(Flusher())
        self.process = process
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
async def strangers() -> Strangers:
    return Strangers()


async def test_the_oldest_of_a_process_with_too_many_gives_way(strangers: Strangers) -> None:
    honest = Caller(HONEST)
    strangers.enter(honest)
    hostile = [Caller(HOSTILE) for _ in range(MAX_OF_PROCESS + 3)]
    for link in hostile:
        strangers.enter(link)
    assert [link.is_closed for link in hostile] == [True] * 3 + [False] * MAX_OF_PROCESS
    assert not honest.is_closed


async def test_an_app_with_a_ticket_gets_in_however_many_processes_crowd(
    strangers: Strangers,
) -> None:
    for process in range(1, MAX_STRANGERS // 8 + 1):
        for _ in range(8):
            strangers.enter(Caller(1000 + process))
    assert len(strangers) == MAX_STRANGERS
    honest = Caller(HONEST)
    strangers.enter(honest)
    assert not honest.is_closed
    assert len(strangers) == MAX_STRANGERS


async def test_what_has_a_session_is_no_stranger_any_more(strangers: Strangers) -> None:
    link = Caller(HONEST)
    strangers.enter(link)
    strangers.leave(link)
    for _ in range(MAX_OF_PROCESS + 1):
        strangers.enter(Caller(HONEST))
    assert not link.is_closed
