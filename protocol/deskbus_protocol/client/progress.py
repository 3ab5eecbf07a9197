"""DeliveryProgress: the last message a client has of each topic, over connections and runs."""

from typing import Any

from deskbus_protocol.bus import DIRECTED_SEQ, MAX_RUNS, GapParams, Mark, MessageParams, Mode
from deskbus_protocol.client.unacknowledged import UnacknowledgedMessages
from deskbus_protocol.session import MAX_LAST_SEQS
from deskbus_protocol.topics import matches

LAST_SEQ = DIRECTED_SEQ - 1
"""Known of a run that nothing more is to be expected of."""


class _Seen:
    """The last seq of one topic in each run of the backend; the last message's run and time."""

    __slots__ = ("at_ms", "run", "seqs")

    def __init__(self) -> None:
        self.seqs: dict[str, int] = {}
        self.run = ""
        self.at_ms = 0

    def forget_runs(self, epoch: str) -> None:
        """Forgets all runs but the present one and that of the last message."""
        self.seqs = {run: seq for run, seq in self.seqs.items() if run in (self.run, epoch)}


class DeliveryProgress:
    """A pattern *flows* while what arrives on it has no hole behind it.

    After a loss a pattern is *owed* what it has not had since its mark, the moment at which the
    backend said that it began. It is settled when the
    session was taken up with it, or when `bus.continue` is answered. Until one of these begins to
    send what is owed, messages that only such patterns bring are passed over: they come again.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._forgot = False
        self._joined: dict[str, Mark | None] = {}
        self._owed: dict[str, None] = {}
        self._whole: set[str] = set()
        self._flowing: set[str] = set()
        self._runs: list[str] = []
        self.epoch = ""
        self.unacknowledged = UnacknowledgedMessages()

    def join(self, pattern: str, mode: Mode) -> None:
        """Notes a subscription that is about to be requested."""
        self._joined.setdefault(pattern, None)
        if mode == "acknowledged":
            self.unacknowledged.join(pattern)
        else:
            self.unacknowledged.leave(pattern)

    def settle(self, pattern: str, mark: Mark) -> None:
        """Notes that the backend has the subscription, on which nothing before `mark` is owed."""
        was_owed = pattern in self._owed
        self._owed.pop(pattern, None)
        if pattern in self._joined:
            self._joined[pattern] = mark
            self._whole.add(pattern)
            if was_owed or not self._owed:
                self._flowing.add(pattern)
        if was_owed and not self._owed:
            for seen in self._seen.values():
                seen.forget_runs(self.epoch)

    def leave(self, pattern: str) -> None:
        self.unacknowledged.leave(pattern)
        self._joined.pop(pattern, None)
        self._owed.pop(pattern, None)
        self._whole.discard(pattern)
        self._flowing.discard(pattern)

    def lose(self) -> None:
        """Notes that the connection ended, with the loss of messages in transit."""
        for pattern in self._joined:
            self._owed.setdefault(pattern)
        self._flowing = set(self._whole)

    def open(self, epoch: str, *, resumed: bool) -> None:
        """Notes that a session was opened in this run of the backend.

        The session that it resumed may be one that this client never knew it had.
        """
        if resumed and epoch == self.epoch:
            for pattern in self._whole:
                self._owed.pop(pattern, None)
        else:
            self._whole.clear()
            self._flowing.clear()
        if epoch != self.epoch:
            for seen in self._seen.values():
                seen.seqs.setdefault(self.epoch, 0)
            self._runs = [*self._runs, epoch][-MAX_RUNS:]
        self.epoch = epoch

    def begin(self, pattern: str) -> None:
        """Notes that the owed messages of a pattern follow from here."""
        if pattern in self._owed:
            self._flowing.add(pattern)

    @property
    def owed(self) -> list[str]:
        return list(self._owed)

    def is_owed(self, pattern: str) -> bool:
        return pattern in self._owed

    def behind(self, pattern: str) -> dict[str, Any] | None:
        """The progress of a pattern, as `bus.continue` takes it; None where it never began.

        Runs in which this client had no session are nobody's to tell it of.
        """
        mark = self._joined.get(pattern)
        if mark is None:
            return None
        runs: dict[str, dict[str, int]] = {epoch: {} for epoch in reversed(self._runs)}
        for topic, seen in self._seen.items():
            if matches(pattern, topic):
                for epoch, seq in seen.seqs.items():
                    if epoch in runs and seq < LAST_SEQ:
                        runs[epoch][topic] = seq
        left = MAX_LAST_SEQS
        for epoch, seqs in runs.items():
            runs[epoch] = dict(list(seqs.items())[-left:] if left else ())
            left -= len(runs[epoch])
        known: dict[str, Any] = {"mark": mark}
        if self._forgot:
            known |= {"partial": True, "since": self._last_at_ms(pattern, mark)}
        return known | {"seen": {epoch: seqs for epoch, seqs in runs.items() if seqs}}

    @property
    def last_seqs(self) -> dict[str, int]:
        """The last message of each topic in this run of the backend."""
        return {
            topic: seen.seqs[self.epoch]
            for topic, seen in self._seen.items()
            if seen.seqs.get(self.epoch)
        }

    def arrived(self, message: MessageParams) -> bool:
        """Whether a message is to be delivered; a repeat that is marked as one is."""
        wanted = self._is_new(message)
        if wanted:
            self.unacknowledged.arrived(message)
        return wanted

    def _is_new(self, message: MessageParams) -> bool:
        topic, epoch, seq = message.topic, message.epoch, message.seq
        if seq >= DIRECTED_SEQ:
            return True
        if not self._owed:
            # Messages of another run come out of a replay that somebody asked for.
            if epoch == self.epoch:
                self._note(topic, epoch, seq, message.timestamp)
            return True
        if self._is_early(topic):
            return False
        seen = self._seen.get(topic)
        if seen is not None and seq <= seen.seqs.get(epoch, -1):
            return bool(message.redelivery)
        self._note(topic, epoch, seq, message.timestamp)
        return True

    def _note(self, topic: str, epoch: str, seq: int, at_ms: int) -> None:
        seen = self._seen.get(topic)
        if seen is None:
            if len(self._seen) >= MAX_LAST_SEQS:
                self._forgot = True
                del self._seen[next(iter(self._seen))]
            seen = self._seen[topic] = _Seen()
        # A repeated message has a number that was passed already.
        seen.seqs[epoch] = max(seq, seen.seqs.get(epoch, 0))
        # A repeated message may be of a run that was forgotten already.
        if at_ms >= seen.at_ms:
            seen.at_ms, seen.run = at_ms, epoch
        if len(seen.seqs) > MAX_RUNS:
            del seen.seqs[next(iter(seen.seqs))]

    def clip(self, gap: GapParams) -> GapParams | None:
        """The part of a gap that was not told before; None where none of it is news."""
        if gap.reason not in ("disconnected", "restarted"):
            return gap
        seen = self._seen.get(gap.topic)
        if seen is None or gap.epoch not in seen.seqs:
            return gap
        first = max(gap.first, seen.seqs[gap.epoch] + 1)
        if first > gap.last:
            return None
        if gap.reason == "restarted":
            seen.seqs[gap.epoch] = gap.last
        return GapParams(
            topic=gap.topic, epoch=gap.epoch, first=first, last=gap.last, reason=gap.reason
        )

    def _last_at_ms(self, pattern: str, mark: Mark) -> int:
        """The time at which the last message on a pattern was sent, Unix ms."""
        fitting = (seen.at_ms for topic, seen in self._seen.items() if matches(pattern, topic))
        return max(fitting, default=mark.timestamp)

    def _is_early(self, topic: str) -> bool:
        """Whether only owed patterns match a topic, none of which flows yet."""
        awaited = any(
            pattern not in self._flowing and matches(pattern, topic) for pattern in self._owed
        )
        return awaited and not any(matches(pattern, topic) for pattern in self._flowing)
