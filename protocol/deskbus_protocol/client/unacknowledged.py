"""Messages delivered and not yet acknowledged, over connections and runs of the backend."""

from deskbus_protocol.bus import (
    DIRECTED_SEQ,
    MAX_REDELIVERIES,
    MAX_RUNS,
    MAX_UNACKNOWLEDGED,
    MessageParams,
    Unacknowledged,
)
from deskbus_protocol.topics import matches


class UnacknowledgedMessages:
    """A bounded number; beyond, the oldest are forgotten, and come again no more.

    A message on its last redelivery is not among them: it is a dead letter unless acknowledged.
    """

    def __init__(self) -> None:
        self._patterns: set[str] = set()
        self._sent_at: dict[tuple[str, str, int], int] = {}

    def join(self, pattern: str) -> None:
        """Messages on this pattern are to be acknowledged."""
        self._patterns.add(pattern)

    def leave(self, pattern: str) -> None:
        if pattern in self._patterns:
            self._patterns.discard(pattern)
            self._sent_at = {key: at for key, at in self._sent_at.items() if self._counts(key[0])}

    def arrived(self, message: MessageParams) -> None:
        """Messages to one app alone are in no log, and so don't count."""
        if message.seq >= DIRECTED_SEQ or not self._counts(message.topic):
            return
        key = (message.topic, message.epoch, message.seq)
        if (message.redelivery or 0) >= MAX_REDELIVERIES:
            self._sent_at.pop(key, None)
            return
        self._sent_at[key] = message.timestamp
        if len(self._sent_at) > MAX_UNACKNOWLEDGED:
            del self._sent_at[next(iter(self._sent_at))]

    def acknowledged(self, message: MessageParams) -> None:
        self._sent_at.pop((message.topic, message.epoch, message.seq), None)

    def behind(self, pattern: str) -> Unacknowledged | None:
        """Unacknowledged messages on a pattern, for `bus.continue`; None where there are none."""
        fitting = {key: at for key, at in self._sent_at.items() if matches(pattern, key[0])}
        runs = list(dict.fromkeys(epoch for _, epoch, _ in fitting))[-MAX_RUNS:]
        seqs: dict[str, dict[str, list[int]]] = {run: {} for run in runs}
        for topic, epoch, seq in fitting:
            if epoch in seqs:
                seqs[epoch].setdefault(topic, []).append(seq)
        oldest = min((at for key, at in fitting.items() if key[1] in seqs), default=0)
        return Unacknowledged(since=oldest, seqs=seqs) if seqs else None

    def _counts(self, topic: str) -> bool:
        return any(matches(pattern, topic) for pattern in self._patterns)
