"""The last seqs are bounded, and none that was let go can be given out again."""

import pytest

from deskbus.persistence.log import last_seqs as seqs_module
from deskbus.persistence.log.last_seqs import LastSeqs


def test_the_last_seq_of_each_topic_is_kept() -> None:
    last = LastSeqs()
    last.update({"a": 2, "b": 7})
    last.update({"a": 3})
    assert (last.copy(), last.forgotten) == ({"a": 3, "b": 7}, 0)


def test_beyond_the_bound_the_oldest_share_the_highest_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seqs_module, "MAX_TOPICS", 20)
    last = LastSeqs()
    for number in range(30):
        last.update({f"t{number}": 100 - number})
    assert len(last.copy()) <= 20
    assert last.forgotten == 100


def test_many_at_once_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seqs_module, "MAX_TOPICS", 20)
    last = LastSeqs()
    last.update({f"t{number}": number for number in range(100)})
    assert list(last.copy()) == [f"t{number}" for number in range(82, 100)]
    assert last.forgotten == 81
