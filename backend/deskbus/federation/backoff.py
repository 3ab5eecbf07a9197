"""How long to wait before the next attempt."""

import random
from collections.abc import Callable

FIRST_S = 0.25
LONGEST_S = 5.0


class Backoff:
    """Doubles from `FIRST_S` to `LONGEST_S`; jitter takes up to half of it away."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """`chance` gives numbers from 0 to 1."""
        self._chance = chance
        self._failures = 0

    def next_s(self) -> float:
        whole = min(FIRST_S * 2.0 ** min(self._failures, 10), LONGEST_S)
        self._failures += 1
        return whole * (1 - self._chance() / 2)

    def reset(self) -> None:
        self._failures = 0
