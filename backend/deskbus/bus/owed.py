"""What a client that reads acknowledged is owed when it begins anew."""

from collections.abc import Callable, Sequence

from deskbus.bus.acknowledged import AcknowledgedOutlet, Pending
from deskbus.bus.message import Origin, origin
from deskbus_protocol.bus import ContinueParams, Unacknowledged
from deskbus_protocol.framing import lines_of


class Owed:
    """Messages that `wants` names: behind what the client has seen, or not acknowledged.

    They go through its window, and so come again until they are acknowledged. What `earlier` ones
    of the same connection bring is left to them. `epoch` is this run of the backend.
    """

    def __init__(
        self,
        window: AcknowledgedOutlet,
        wants: Callable[[str], bool],
        params: ContinueParams,
        *,
        epoch: str,
        earlier: Sequence["Owed"],
    ) -> None:
        self.wants = wants
        self._window = window
        self._since = params.since
        self._seen = params.seen
        self._epoch = epoch
        self._earlier = earlier
        self._again: set[tuple[str, str, int]] = set()
        self.since = params.since
        """When the oldest was sent, Unix ms."""
        if isinstance(params.unacknowledged, Unacknowledged):
            self.since = min(self.since, params.unacknowledged.since)
            self._again = {
                (run, topic, seq)
                for run, topics in params.unacknowledged.seqs.items()
                for topic, seqs in topics.items()
                for seq in seqs
            }

    def release(self, from_log: Callable[[str], bool]) -> None:
        """Takes out of the window what comes out of the log."""

        def comes(pending: Pending) -> bool:
            if not from_log(pending.topic) or not self._is_first(pending.topic):
                return False
            return origin(pending.line).timestamp >= self._since

        self._window.release(comes)

    def send_again(self) -> None:
        """What is left in the window was sent before the client knew what to do with it."""
        self._window.send_again(self._is_first)

    async def take(self, block: bytes) -> int:
        """Picks what is owed out of lines of the log; returns how many there were.

        Waits while the window is full. Raises `DeskbusError` (connection_lost).
        """
        taken = 0
        for line in lines_of(block):
            read = origin(line)
            if not self.brings(read) or any(other.brings(read) for other in self._earlier):
                continue
            await self._window.room()
            # What is in the window already comes by itself.
            if not self._window.holds(read.topic, read.seq):
                epoch = "" if read.epoch == self._epoch else read.epoch
                again = self._is_again(read)
                self._window.put_owed(line, read.topic, read.seq, epoch, again=again)
                taken += 1
        return taken

    def brings(self, read: Origin) -> bool:
        """Whether a message of the log is among them."""
        if not self.wants(read.topic):
            return False
        seen = self._seen.get(read.epoch, {}).get(read.topic, 0)
        is_new = read.timestamp >= self._since and read.seq > seen
        return is_new or self._is_again(read)

    def _is_again(self, read: Origin) -> bool:
        return (read.epoch, read.topic, read.seq) in self._again

    def _is_first(self, topic: str) -> bool:
        return self.wants(topic) and not any(other.wants(topic) for other in self._earlier)
