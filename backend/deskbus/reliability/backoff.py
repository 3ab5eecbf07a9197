"""Backoff: the delay before the next attempt."""

import random
from collections.abc import Callable


class Backoff:
    """Doubles from `first_s` to `longest_s`; jitter takes up to half of it away."""

    def __init__(
        self,
        first_s: float = 0.25,
        longest_s: float = 5.0,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives numbers from 0 to 1."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._chance = chance
        self._failures = 0

    def next_s(self) -> float:
        whole = min(self._first_s * 2.0 ** min(self._failures, 30), self._longest_s)
        self._failures += 1
        return whole * (1 - self._chance() / 2)

    def reset(self) -> None:
        self._failures = 0
