"""HeadSampler: which messages and calls are traced, decided before anything is done for them."""

import random
from collections.abc import Callable, Sequence
from math import log

from deskbus_protocol.topics import matches

NEVER = 1 << 62
MAX_TOPICS = 10_000
"""Topics whose verdict is remembered; beyond, it is worked out anew."""


class HeadSampler:
    """A share of all, and all of some topics.

    How many go by before the next is drawn, so those that go by cost a subtraction together. That
    number has the geometric distribution, as if each had been drawn by itself.
    """

    def __init__(
        self,
        ratio: float,
        topics: Sequence[str] = (),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.ratio = ratio
        self.topics = tuple(topics)
        self._chance = chance
        self._verdicts: dict[str, bool] = {}
        self._pass = self._draw()

    def first_of(self, count: int) -> int:
        """Which of the next `count` is the first to be traced; `count` for none of them.

        Those before it have gone by, and with it the draw is used up.
        """
        if self._pass >= count:
            self._pass -= count
            return count
        at, self._pass = self._pass, self._draw()
        return at

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
        return known

    def _draw(self) -> int:
        if self.ratio <= 0.0:
            return NEVER
        if self.ratio >= 1.0:
            return 0
        return min(int(log(1.0 - self._chance()) / log(1.0 - self.ratio)), NEVER)
