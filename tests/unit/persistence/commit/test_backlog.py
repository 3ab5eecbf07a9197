"""Batches wait in order, fly together, come back when they failed, and are bounded."""

import pytest

from deskbus.persistence.commit import backlog as backlog_module
from deskbus.persistence.commit.backlog import Backlog
from deskbus.persistence.log.batch import Messages
from tests.unit.persistence.rig import batch_of, numbered


def batches(count: int) -> list[Messages]:
    return [batch_of(numbered("a", n * 2 + 1, n * 2 + 2), n * 2) for n in range(count)]


def test_a_flight_takes_the_oldest_up_to_its_limit_and_at_least_one() -> None:
    backlog = Backlog()
    first, second, third = batches(3)
    for batch in (first, second, third):
        assert backlog.add(batch)
    assert backlog.next_group(1) == [first]
    assert backlog.complete(1, 2)
    assert backlog.next_group(first.size_bytes + 1) == [second, third]
    assert not backlog.waits
    assert backlog.messages == 4
    assert backlog.complete(2, 6)
    assert (backlog.batches, backlog.size_bytes) == ([], 0)


def test_what_failed_flies_again_before_what_came_later() -> None:
    backlog = Backlog()
    first, second, third, fourth = batches(4)
    for batch in (first, second, third):
        backlog.add(batch)
    backlog.next_group(10_000)
    backlog.add(fourth)
    backlog.complete(1, 2)
    assert backlog.next_group(10_000) == [second, third, fourth]


def test_positions_follow_where_the_log_turns_out_to_end() -> None:
    backlog = Backlog()
    for batch in batches(3):
        backlog.add(batch)
    backlog.complete(0, 500)
    assert [batch.first_position for batch in backlog.batches] == [500, 502, 504]


def test_beyond_the_bound_the_oldest_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, third, fourth = batches(4)
    monkeypatch.setattr(backlog_module, "MAX_HELD_BYTES", second.size_bytes * 2)
    backlog = Backlog()
    backlog.add(first)
    backlog.next_group(10_000)
    assert backlog.add(second)
    # A batch on its way can't be dropped, so the next one goes.
    assert not backlog.add(third)
    assert backlog.batches == [first, third]
    backlog.add(fourth)
    assert backlog.batches == [first, fourth]
    assert backlog.dropped == 4
    backlog.complete(0, 0)
    assert backlog.batches == [first, fourth]
