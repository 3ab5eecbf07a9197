"""The logged messages that a restarted client lacks: by run, topic and seq, not by time."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from msgspec import UnsetType

from deskbus.bus.encoded_message import Origin
from deskbus.reliability.fair_queue import Piece
from deskbus_protocol.bus import (
    ContinueParams,
    GapParams,
    Mark,
    Unacknowledged,
    UnacknowledgedSeqs,
)


class Last(NamedTuple):
    """The last message that the client has on a topic; it has all before it."""

    epoch: str
    seq: int


class ClientProgress:
    """From `start`, a position of the log, all that the client has not `seen` is new to it.

    `again` is what it has and did not acknowledge, by run, topic and seq. A client without a mark
    goes by the time of its last message, `since_ms` (Unix). `known` is a message of each topic that
    it has, with all before it. `look` is to be gone through before anything is asked.
    """

    def __init__(self, params: ContinueParams) -> None:
        self.mark = params.mark if isinstance(params.mark, Mark) else None
        self.seen = params.seen
        self.start = 0
        self.since_ms = params.since
        self.again: set[tuple[str, str, int]] = set()
        self.first_seqs_again: dict[str, int] = {}
        self.known: dict[str, Last] = {}
        self._named: set[str] = set()
        self._unacknowledged: Mapping[str, UnacknowledgedSeqs] = {}
        if isinstance(params.unacknowledged, Unacknowledged):
            self.since_ms = min(self.since_ms, params.unacknowledged.since)
            self._unacknowledged = params.unacknowledged.seqs
        self._by_time = self.mark is None
        self._unnamed_since_ms = params.since if params.partial else 0
        if self.mark is not None:
            self.since_ms = 0
            self.start = 0 if isinstance(self.mark.position, UnsetType) else self.mark.position
        else:
            self._unnamed_since_ms = params.since

    @property
    def unacknowledged(self) -> int:
        """The number of messages that the client has and did not acknowledge."""
        runs = self._unacknowledged.values()
        return sum(len(seqs) for topics in runs for seqs in topics.values())

    def look(self) -> Iterator[None]:
        """Processes the client's report piece by piece."""
        piece = Piece()
        for _ in chain(self._look_at_seen(), self._look_at_unacknowledged()):
            if piece.is_over:
                yield
                piece.begin()

    def _look_at_seen(self) -> Iterator[None]:
        for epoch, seqs in self.seen.items():
            for topic, seq in seqs.items():
                self._named.add(topic)
                # The lowest of a topic's last messages in several runs is the likeliest to be kept.
                if seq > 0 and (topic not in self.known or seq < self.known[topic].seq):
                    self.known[topic] = Last(epoch, seq)
                yield

    def _look_at_unacknowledged(self) -> Iterator[None]:
        for epoch, topics in self._unacknowledged.items():
            for topic, seqs in topics.items():
                self.again.update((epoch, topic, seq) for seq in seqs)
                first = self.first_seqs_again
                first[topic] = min(*seqs, first.get(topic, seqs[0]))
                yield

    def is_new(self, read: Origin) -> bool:
        """Whether the client has not had a message that lies behind `start`."""
        if (self._by_time or read.topic not in self._named) and self._is_early(read):
            return False
        return read.seq > self.seen.get(read.epoch, {}).get(read.topic, 0)

    def _is_early(self, read: Origin) -> bool:
        """Whether a message of which the client told nothing was sent before it wanted any."""
        if self.mark is not None and read.epoch == self.mark.epoch:
            return read.timestamp < max(self.mark.timestamp, self._unnamed_since_ms)
        return read.timestamp < self._unnamed_since_ms

    def is_again(self, read: Origin) -> bool:
        return (read.epoch, read.topic, read.seq) in self.again

    def first_seqs(self, met: Mapping[str, Origin]) -> dict[str, int]:
        """From which seq on a topic is to be looked for in the log.

        `met` is the first message of each `known` topic that the log has from there on. If that is
        the very one that the client has, all that is new lies behind it; if not, the log lost the
        end of that run, later ones counted on from less, and every seq is looked at.
        """
        again = self.first_seqs_again
        return {
            topic: min(last.seq + 1, again.get(topic, last.seq + 1))
            for topic, last in self.known.items()
            if topic in met and (met[topic].epoch, met[topic].seq) == last
        }

    def removed(self, met: Mapping[str, Origin]) -> list[GapParams]:
        """The gap between the last message that the client has and the first that is kept."""
        return [
            GapParams(
                topic=topic,
                epoch=last.epoch,
                first=last.seq + 1,
                last=met[topic].seq - 1,
                reason="disconnected",
            )
            for topic, last in self.known.items()
            if topic in met and met[topic].seq > last.seq + 1
        ]
