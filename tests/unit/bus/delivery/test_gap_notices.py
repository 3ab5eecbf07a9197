"""Losses of a client, gathered into ranges: at most so many, and never less than was lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from deskbus.bus.delivery import gap_notices
from deskbus.bus.delivery.gap_notices import GapNotices, LostRanges


@pytest.fixture
def lost() -> LostRanges:
    return LostRanges()


def ranges(lost: LostRanges) -> list[tuple[int, int]]:
    return [(first, last) for _, first, last, _ in lost.take()]


def test_losses_in_a_row_are_one_range_and_others_are_their_own(lost: LostRanges) -> None:
    for seq in (3, 4, 5, 5, 4, 7, 2):
        lost.add("a", seq, "overflow")
    assert ranges(lost) == [(2, 2), (3, 5), (7, 7)]
    assert ranges(lost) == []


def test_each_topic_and_each_reason_has_ranges_of_its_own(lost: LostRanges) -> None:
    lost.add("a", 1, "overflow")
    lost.add("b", 2, "overflow")
    lost.add("a", 2, "revoked")
    lost.add_range("b", 5, 9, "overflow")
    assert list(lost.take()) == [
        ("a", 1, 1, "overflow"),
        ("b", 2, 2, "overflow"),
        ("b", 5, 9, "overflow"),
        ("a", 2, 2, "revoked"),
    ]


def test_beyond_so_many_ranges_the_last_is_stretched(
    lost: LostRanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_notices, "MAX_RANGES", 2)
    for seq in (10, 20, 30, 15):
        lost.add("a", seq, "overflow")
    assert ranges(lost) == [(10, 10), (15, 30)]


def test_losses_of_so_many_topics_can_not_be_told_one_by_one(
    lost: LostRanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_notices, "MAX_TOPICS", 2)
    lost.add("a", 1, "overflow")
    lost.add_range("b", 1, 2, "overflow")
    lost.add("a", 3, "overflow")
    assert not lost.full
    lost.add_range("c", 1, 2, "overflow")
    lost.add("a", 4, "overflow")
    lost.add("d", 1, "overflow")
    assert [topic for topic, *_ in lost.take()] == ["a", "a", "b"]
    assert lost.full


@given(st.lists(st.integers(1, 60), max_size=40))
def test_every_loss_is_in_a_range(seqs: list[int]) -> None:
    lost = LostRanges()
    for seq in seqs:
        lost.add("a", seq, "overflow")
    told = {seq for first, last in ranges(lost) for seq in range(first, last + 1)}
    assert told == set(seqs)


@pytest.mark.requirement("1.3")
def test_a_gap_is_told_as_a_line_with_its_run_and_reason() -> None:
    notices = GapNotices("run")
    notices.add("a", 3, "overflow")
    notices.add_range("a", 7, 9, "overflow")
    lines = notices.take_lines()
    assert all(line.endswith(b"\n") for line in lines)
    told = [json.decode(line) for line in lines]
    assert [each["method"] for each in told] == ["bus.gap"] * 2
    assert [each["params"] for each in told] == [
        {"topic": "a", "epoch": "run", "first": first, "last": last, "reason": "overflow"}
        for first, last in ((3, 3), (7, 9))
    ]
    assert (notices.take_lines(), notices.overflowed) == ([], False)
