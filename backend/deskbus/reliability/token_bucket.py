"""A token bucket: so much a second, and a burst on top. Pure."""


class TokenBucket:
    """Fills with `per_s` tokens a second up to `burst`. Times are monotonic seconds."""

    __slots__ = ("_filled_at", "burst", "per_s", "tokens")

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self.per_s = per_s
        self.burst = burst
        self.tokens = burst
        self._filled_at = now_s

    def fill(self, now_s: float) -> float:
        """The number of tokens available now."""
        grown = (now_s - self._filled_at) * self.per_s
        self.tokens = min(self.burst, self.tokens + max(grown, 0.0))
        self._filled_at = now_s
        return self.tokens

    def take(self, count: float, now_s: float) -> bool:
        """Takes `count` tokens, or none where there are fewer."""
        if self.fill(now_s) < count:
            return False
        self.tokens -= count
        return True

    def spend(self, count: float, now_s: float) -> None:
        """Takes `count` tokens even if there are fewer; the debt is repaid before anything else
        passes.
        """
        self.fill(now_s)
        self.tokens -= count
