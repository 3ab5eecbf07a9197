"""Work of the event loop, by a clock that counts with it what was put off."""

from time import perf_counter


class WorkClock:
    """Seconds of `perf_counter`, and those of work that was put off until later.

    So work that an app causes counts for that app's turn, though others go on before it is done.
    """

    def __init__(self) -> None:
        self._put_off_s = 0.0

    def __call__(self) -> float:
        return perf_counter() + self._put_off_s

    def put_off(self, seconds: float) -> None:
        """Counts work that is to be done later."""
        self._put_off_s += seconds


work_s = WorkClock()
"""Of the event loop of this process."""
