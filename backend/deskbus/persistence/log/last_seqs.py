"""The last seq of each topic, bounded: so that a topic counts on after a restart."""

MAX_TOPICS = 100_000
"""Beyond, the topics that were first written longest ago share one number."""


class LastSeqs:
    """Written by one thread; `copy` may be called on another."""

    def __init__(self) -> None:
        self._seqs: dict[str, int] = {}
        self.forgotten = 0
        """The highest seq of topics that are not kept apart any more."""

    def update(self, last_seqs: dict[str, int]) -> None:
        self._seqs.update(last_seqs)
        if len(self._seqs) > MAX_TOPICS:
            for topic in list(self._seqs)[: len(self._seqs) - MAX_TOPICS * 9 // 10]:
                self.forgotten = max(self.forgotten, self._seqs.pop(topic))

    def copy(self) -> dict[str, int]:
        return self._seqs.copy()
