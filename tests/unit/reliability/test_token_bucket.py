"""A token bucket lets through what its rate allows, and a burst."""

from hypothesis import given
from hypothesis import strategies as st

from deskbus.reliability.token_bucket import TokenBucket


def test_a_burst_goes_through_then_the_rate() -> None:
    bucket = TokenBucket(10, 20, 0.0)
    assert bucket.take(20, 0.0)
    assert not bucket.take(1, 0.05)
    assert bucket.take(1, 0.1)
    assert not bucket.take(21, 1000)


def test_what_is_owed_is_paid_first() -> None:
    bucket = TokenBucket(10, 10, 0.0)
    bucket.spend(30, 0.0)
    assert not bucket.take(1, 2.0)
    assert bucket.take(1, 2.2)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 15)), max_size=60))
def test_never_more_than_the_burst_and_the_rate_over_any_time(
    asked: list[tuple[float, int]],
) -> None:
    bucket = TokenBucket(5, 10, 0.0)
    now, taken = 0.0, 0
    for pause, count in asked:
        now += pause
        taken += count if bucket.take(count, now) else 0
        assert taken <= 10 + 5 * now + 1e-6
