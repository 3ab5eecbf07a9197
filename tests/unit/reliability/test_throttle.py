"""A throttle passes a few events of each kind in an interval, and counts those beyond."""

from hypothesis import given
from hypothesis import strategies as st

from deskbus.reliability.throttle import Throttle, Throttled


def test_each_kind_passes_up_to_its_limit_and_the_next_interval_counts_the_rest() -> None:
    throttle: Throttle[str] = Throttle(2, 60, 10)
    taken = [throttle.take("a", now) for now in (0, 1, 2, 59)]
    assert taken == [(True, 0), (True, 0), (False, 1), (False, 2)]
    assert throttle.take("b", 59) == Throttled(True, 0)
    assert throttle.take("a", 60) == Throttled(True, 2)
    assert throttle.take("a", 61) == Throttled(True, 0)


def test_the_kind_that_began_first_gives_way_to_new_ones() -> None:
    throttle: Throttle[int] = Throttle(1, 60, 3)
    for kind in range(4):
        assert throttle.take(kind, kind).passes
    assert [throttle.take(kind, 5).passes for kind in (3, 2, 1, 0)] == [False, False, False, True]


@given(
    limit=st.integers(1, 5),
    steps=st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab")), max_size=60),
)
def test_no_event_is_lost_from_the_count_and_no_interval_passes_more_than_its_limit(
    limit: int, steps: list[tuple[int, str]]
) -> None:
    throttle: Throttle[str] = Throttle(limit, 60, 10)
    now, beyond, told, latest = 0, dict.fromkeys("ab", 0), dict.fromkeys("ab", 0), {}
    began, passed = dict.fromkeys("ab", -60), dict.fromkeys("ab", 0)
    for wait, kind in steps:
        now += wait
        found = throttle.take(kind, now)
        if now - began[kind] >= 60:
            told[kind] += found.left_out
            began[kind], passed[kind] = now, 0
        passed[kind] += found.passes
        beyond[kind] += not found.passes
        latest[kind] = found
        assert passed[kind] <= limit
    for kind, found in latest.items():
        assert told[kind] + (0 if found.passes else found.left_out) == beyond[kind]
