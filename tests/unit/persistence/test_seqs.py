"""The last seqs are bounded, and none that was let go can be given out again."""

import pytest

from deskbus.persistence import seqs as seqs_module
from deskbus.persistence.batch import TopicRange
from deskbus.persistence.seqs import LastSeqs


def test_the_last_seq_of_each_topic_is_kept() -> None:
    last = LastSeqs()
    last.update({"a": TopicRange(2, 1, 2), "b": TopicRange(1, 7, 7)})
    last.update({"a": TopicRange(1, 3, 3)})
    assert (last.copy(), last.forgotten) == ({"a": 3, "b": 7}, 0)


def test_beyond_the_bound_the_oldest_share_the_highest_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seqs_module, "MAX_TOPICS", 20)
    last = LastSeqs()
    for number in range(30):
        last.update({f"t{number}": TopicRange(1, 1, 100 - number)})
    assert len(last.copy()) <= 20
    assert last.forgotten == 100
