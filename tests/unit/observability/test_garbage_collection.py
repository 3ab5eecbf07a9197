"""The garbage collector looks through everything while nobody waits, and not too seldom."""

from deskbus.observability.garbage_collection import BUSY_EVERY_S, IDLE_EVERY_S, GarbageCollection


class Backend:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.routed = self.collections = 0
        self.collector = GarbageCollection(
            lambda: self.routed, collect=self._collect, monotonic_s=lambda: self.now_s
        )

    def _collect(self) -> None:
        self.collections += 1

    def run(self, seconds: float, *, busy: bool) -> int:
        """How many collections there were meanwhile."""
        before = self.collections
        for _ in range(int(seconds)):
            self.now_s += 1
            self.routed += busy
            self.collector.look()
        return self.collections - before


def test_an_idle_backend_collects_again_and_again() -> None:
    assert Backend().run(4 * IDLE_EVERY_S, busy=False) == 4


def test_a_busy_one_waits_for_a_quiet_second() -> None:
    backend = Backend()
    assert backend.run(BUSY_EVERY_S - 1, busy=True) == 0
    assert backend.run(1, busy=False) == 1


def test_one_that_is_never_idle_collects_at_last() -> None:
    assert Backend().run(2 * BUSY_EVERY_S, busy=True) == 2
