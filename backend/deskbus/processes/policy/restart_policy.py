"""RestartPolicy: whether and when an app that ended is started again. Pure."""

import random
from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

from deskbus.reliability.backoff import Backoff
from deskbus_protocol.manifest import RestartSpec


class RestartDecision(NamedTuple):
    """`restart` after `delay_s`; `give_up` until a person says otherwise; `stay` as it ended."""

    action: Literal["restart", "give_up", "stay"]
    delay_s: float = 0.0


class RestartPolicy:
    """Counts crashes and runs of one app. Times are monotonic seconds.

    The delay grows from crash to crash and begins anew after a stable run alone: a restart is no
    sign of health.
    """

    def __init__(self, spec: RestartSpec, *, chance: Callable[[], float] = random.random) -> None:
        self._spec = spec
        self._backoff = Backoff(spec.first_s, spec.longest_s, chance=chance)
        self._crashed_at: deque[float] = deque()
        self._started_at: float | None = None
        self.restarts = 0
        """How often it came back by itself since a person launched it."""

    def launched(self) -> None:
        """A person starts the app: what happened before no longer counts."""
        self._backoff.reset()
        self._crashed_at.clear()
        self._started_at = None
        self.restarts = 0

    def started(self, now_s: float) -> None:
        self._started_at = now_s

    def restarted(self, now_s: float) -> None:
        self.restarts += 1
        self.started(now_s)

    def ended(self, now_s: float, *, crashed: bool) -> RestartDecision:
        spec = self._spec
        if self._started_at is not None and now_s - self._started_at >= spec.stable_s:
            self._backoff.reset()
        self._started_at = None
        while self._crashed_at and now_s - self._crashed_at[0] >= spec.within_s:
            self._crashed_at.popleft()
        if crashed:
            self._crashed_at.append(now_s)
        if spec.when == "never" or (spec.when == "on_crash" and not crashed):
            return RestartDecision("stay")
        if len(self._crashed_at) >= spec.crashes:
            return RestartDecision("give_up")
        return RestartDecision("restart", self._backoff.next_s())
