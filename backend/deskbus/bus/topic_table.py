"""The topics that the broker knows, bounded in number and in the bytes of their histories."""

from collections import Counter
from collections.abc import Callable
from itertools import islice

from deskbus.bus.route import Topic
from deskbus.contracts.message_log import SequenceLog
from deskbus_protocol.bus import DIRECTED_SEQ

MAX_TOPICS = 100_000
"""Topics whose state is kept; beyond, the app with most loses those published on longest ago."""


FORGOTTEN_AT_ONCE = 256

MAX_HISTORY_BYTES = 128 * 1024 * 1024
"""Size of all histories together; beyond, the app with the largest share loses some."""

FREED_SHARE = 64
"""The part of it that is freed at once: a megabyte may be the histories of a thousand topics."""


DIRECT_TOPIC_NUMBER = 0


class TopicTable:
    """`on_forgotten` is called after topics were evicted, so that their other holders drop them."""

    def __init__(
        self,
        epoch: str,
        log: SequenceLog | None,
        clock_ms: Callable[[], int],
        on_forgotten: Callable[[], None],
    ) -> None:
        self._epoch = epoch
        self._log = log
        self._clock_ms = clock_ms
        self._on_forgotten = on_forgotten
        self._topics: dict[str, Topic] = {}
        self._made = DIRECT_TOPIC_NUMBER
        self._directed = 0
        self._forgotten_seq = 0
        self._owned: dict[str, dict[str, Topic]] = {}
        self._bytes_of: Counter[str] = Counter()
        self.history_bytes = 0

    def __len__(self) -> int:
        return len(self._topics)

    def all(self) -> list[Topic]:
        return list(self._topics.values())

    def find(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def find_or_make(self, name: str, owner: str) -> Topic:
        """Returns the topic; one that is new is charged to `owner`."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = self._make(name, owner)
            self._owned.setdefault(owner, {})[name] = topic
            if len(self._topics) > MAX_TOPICS:
                self._forget_oldest()
        return topic

    def direct(self, name: str) -> Topic:
        """A topic for one message to one app.

        Public readers of the same name see no gap, for directed messages have seqs of their own:
        all of them together count on from `DIRECTED_SEQ`, so that no acknowledgement meets two.
        """
        self._directed += 1
        return Topic(name, self._epoch, DIRECT_TOPIC_NUMBER, seq=DIRECTED_SEQ + self._directed)

    def forget_history(self, name: str) -> None:
        """Empties the history of a topic on which nobody will publish again."""
        topic = self._topics.get(name)
        if topic is not None:
            self._empty(topic)

    def histories_grew(self, size_bytes: int, owner: str) -> None:
        """Adds bytes to the histories that are charged to `owner`, and shrinks them beyond the
        limit.
        """
        self.history_bytes += size_bytes
        self._bytes_of[owner] += size_bytes
        if self.history_bytes > MAX_HISTORY_BYTES:
            self._shrink_histories()

    def _make(self, name: str, owner: str) -> Topic:
        seq, persisted = self._forgotten_seq, False
        if self._log is not None and self._log.persists(name):
            seq, persisted = max(seq, self._log.last_seq(name)), True
        self._made += 1
        topic = Topic(name, self._epoch, self._made, seq=seq, persisted=persisted, owner=owner)
        topic.sensitive = persisted and self._log is not None and self._log.is_sensitive(name)
        topic.timestamp = self._clock_ms()
        return topic

    def _forget_oldest(self) -> None:
        """Evicts a few topics of the app that has most of them; an evicted topic that is used again
        continues above every seq seen so far.

        Candidates are the topics that were created, or examined here, longest ago; of these the
        least recently published go. To examine all topics would hold up everybody.
        """
        most = max(self._owned.values(), key=len)
        looked_at = list(islice(most.values(), 2 * FORGOTTEN_AT_ONCE))
        looked_at.sort(key=lambda topic: topic.timestamp)
        forgotten = looked_at[: max(min(FORGOTTEN_AT_ONCE, len(looked_at) // 2), 1)]
        for topic in forgotten:
            del self._topics[topic.name], most[topic.name]
            self._empty(topic)
            self._forgotten_seq = max(self._forgotten_seq, topic.seq)
        for topic in looked_at[len(forgotten) :]:
            most[topic.name] = most.pop(topic.name)
        self._on_forgotten()

    def _shrink_histories(self) -> None:
        """Empties histories of the app with the largest share, until there is a little room."""
        enough = MAX_HISTORY_BYTES - MAX_HISTORY_BYTES // FREED_SHARE
        while self.history_bytes > enough and self._bytes_of:
            (owner, size), *others = self._bytes_of.most_common(2)
            down_to = max(others[0][1] if others else 0, size - (self.history_bytes - enough))
            self._shrink(owner, min(down_to, size - 1))
        # A batch of messages on topics of several owners is counted as one owner's.
        for topic in self._topics.values():
            if self.history_bytes <= enough:
                return
            self._empty(topic)

    def _shrink(self, owner: str, down_to: int) -> None:
        topics = self._owned.get(owner, {})
        for _ in range(0, len(topics), FORGOTTEN_AT_ONCE):
            for topic in list(islice(topics.values(), FORGOTTEN_AT_ONCE)):
                if self._bytes_of[owner] <= down_to:
                    return
                # The next time others are looked at first.
                topics[topic.name] = topics.pop(topic.name)
                if topic.history:
                    self._empty(topic)
        if self._bytes_of[owner] > down_to:
            del self._bytes_of[owner]

    def _empty(self, topic: Topic) -> None:
        size = sum(map(len, topic.history))
        topic.history.clear()
        self.history_bytes -= size
        self._bytes_of[topic.owner] -= size
