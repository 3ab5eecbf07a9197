"""HeadSampler: which messages and calls are traced, decided before anything is done for them."""

import random
import time
from collections.abc import Callable, Sequence
from math import inf, log

from deskbus.reliability.token_bucket import TokenBucket
from deskbus_protocol.topics import matches

NEVER = 1 << 62
MAX_TOPICS = 10_000
"""Topics whose verdict is remembered; beyond, it is worked out anew."""


class HeadSampler:
    """A share of all, and all of some topics, but no more than `max_per_s` a second together.

    How many go by before the next is drawn, so those that go by cost a subtraction together. That
    number has the geometric distribution, as if each had been drawn by itself.
    """

    def __init__(
        self,
        ratio: float,
        topics: Sequence[str] = (),
        chance: Callable[[], float] = random.random,
        *,
        max_per_s: float = inf,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._bucket = None
        if max_per_s < inf:
            self._bucket = TokenBucket(max_per_s, max_per_s, monotonic_s())
        self.ratio = ratio
        self.topics = tuple(topics)
        self._chance = chance
        self._verdicts: dict[str, bool] = {}
        self._pass = self._draw()

    def first_of(self, count: int) -> int:
        """The number, among the next `count`, of the first to be traced; `count` for none of them.

        The ones before it are passed over, and the draw is used up; all of them are where there is
        no room for it in this second.
        """
        at = self._pass
        if at >= count:
            self._pass -= count
            return count
        self._pass = self._draw()
        return at if self.affords_one() else count

    def affords_one(self) -> bool:
        """Whether there is room for one more in this second, which is taken."""
        return self._bucket is None or self._bucket.take(1, self._monotonic_s())

    def takes_one(self) -> bool:
        return self.first_of(1) == 0

    def takes_topic(self, topic: str) -> bool:
        """Whether every message of the topic is traced."""
        if not self.topics:
            return False
        known = self._verdicts.get(topic)
        if known is None:
            if len(self._verdicts) >= MAX_TOPICS:
                self._verdicts.clear()
            known = any(matches(pattern, topic) for pattern in self.topics)
            self._verdicts[topic] = known
        return known and self.affords_one()

    def _draw(self) -> int:
        if self.ratio <= 0.0:
            return NEVER
        if self.ratio >= 1.0:
            return 0
        return min(int(log(1.0 - self._chance()) / log(1.0 - self.ratio)), NEVER)
