"""The clock of the loop's work counts what was put off with what was done."""

from time import perf_counter

from deskbus.reliability.work_clock import WorkClock


def test_work_that_is_put_off_counts_at_once() -> None:
    clock = WorkClock()
    before_s, began_s = perf_counter(), clock()
    clock.put_off(5.0)
    clock.put_off(2.5)
    assert 7.5 <= clock() - began_s <= 7.5 + perf_counter() - before_s
