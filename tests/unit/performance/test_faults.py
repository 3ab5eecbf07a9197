"""Losses, as `make chaos` has them."""

import pytest

from tests.performance.faults import find_faults


def test_what_was_refused_may_be_there_or_not() -> None:
    assert find_faults({1, 3}, [1, 3], [1, 2, 3]) == []


@pytest.mark.parametrize(
    ("heard", "stored", "words"),
    [
        ([1, 2], [1, 2, 3], "not heard"),
        ([1, 2, 3], [1, 3], "not in the log"),
        ([1, 2, 2, 3], [1, 2, 3], "heard twice"),
        ([1, 2, 3], [1, 2, 3, 3], "in the log twice"),
        ([2, 1, 3], [1, 2, 3], "out of order"),
    ],
)
def test_each_loss_is_told(heard: list[int], stored: list[int], words: str) -> None:
    (fault,) = find_faults({1, 2, 3}, heard, stored)
    assert words in fault
