"""Messages that a reconnecting client may have missed, from the topics' histories."""

from collections.abc import Iterator, Mapping

from deskbus.bus.broker import MessageBroker
from deskbus.bus.encoded_message import stamps
from deskbus.bus.member import Member
from deskbus.bus.route import Rank, Topic
from deskbus.reliability.fair_queue import Piece

MAX_LINES = 20_000
"""Messages of one client that are sent again; what is beyond is told as gaps."""


class SessionCatchup:
    """Lines to send again, and ranges (topic, first, last) that are not kept any more.

    They are messages after those that the client has, and before those that wait in its queue. Of
    a topic that it has nothing of, what came since it began, for an answer may have been lost.
    Acknowledged messages are not among them: they come again by themselves. The client is to be
    away while topics are looked through, which goes step by step: there may be many.
    """

    def __init__(self, broker: MessageBroker, member: Member, last_seqs: Mapping[str, int]) -> None:
        self.member = member
        self.lines: list[tuple[bytes, str, int]] = []
        self.gaps: list[tuple[str, int, int]] = []
        self._last_seqs = last_seqs
        self._steps = self._look(broker.topics.all())

    def advance(self) -> bool:
        """Looks at some topics; whether there are more."""
        return next(self._steps, False)

    def finish(self) -> None:
        """Looks at the rest, and leaves to the queue what waits there by now."""
        while self.advance():
            pass
        queued = self.member.queue.first_seqs()
        self.lines = [item for item in self.lines if item[2] < queued.get(item[1], item[2] + 1)]
        ends = (
            (topic, first, last, queued.get(topic, last + 1) - 1)
            for topic, first, last in self.gaps
        )
        self.gaps = [
            (topic, first, min(last, end)) for topic, first, last, end in ends if first <= end
        ]

    def _look(self, topics: list[Topic]) -> Iterator[bool]:
        piece = Piece()
        for topic in topics:
            self._look_at(topic)
            if piece.is_over:
                yield True
                piece.begin()

    def _look_at(self, topic: Topic) -> None:
        reader = self.member.client.reader_of(topic.name)
        if reader is None or reader.rank > Rank.LIVE:
            return
        known = self._last_seqs.get(topic.name)
        kept = [(line, stamps(line)) for line in topic.history]
        if known is None:
            first = self.member.joined_at
            wanted = [(line, read) for line, read in kept if read.timestamp >= first]
        else:
            wanted = [(line, read) for line, read in kept if read.seq > known]
            oldest = min((read.seq for _, read in kept), default=topic.seq + 1)
            if known + 1 < oldest:
                self.gaps.append((topic.name, known + 1, oldest - 1))
        is_filtered = reader is self.member.filtered
        if len(self.lines) >= MAX_LINES:
            if wanted:
                self.gaps.append((topic.name, wanted[0][1].seq, wanted[-1][1].seq))
            return
        self.lines.extend(
            (line, topic.name, read.seq)
            for line, read in wanted
            if not is_filtered or self.member.sources.wants(line, topic.name)
        )
