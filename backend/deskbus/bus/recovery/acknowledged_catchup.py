"""Unacknowledged messages owed to a client that begins anew."""

from collections.abc import Callable, Sequence

from deskbus.bus.delivery.acknowledged import AcknowledgedOutlet, PendingMessage
from deskbus.bus.line import Origin, origin
from deskbus.bus.recovery.client_progress import ClientProgress
from deskbus_protocol.framing import lines_of


class AcknowledgedCatchup:
    """Messages that `wants` names: behind what the client has seen, or not acknowledged.

    They go through its window, and so come again until they are acknowledged. What `earlier` ones
    of the same connection bring is left to them. `epoch` is this run of the backend.
    """

    def __init__(
        self,
        window: AcknowledgedOutlet,
        wants: Callable[[str], bool],
        behind: ClientProgress,
        *,
        epoch: str,
        earlier: Sequence["AcknowledgedCatchup"],
    ) -> None:
        self.wants = wants
        self.behind = behind
        self._window = window
        self._epoch = epoch
        self._earlier = earlier

    @property
    def edges(self) -> list[int]:
        """Positions at which what earlier ones bring begins."""
        return [other.behind.start for other in self._earlier]

    def release(self, from_log: Callable[[Origin], bool]) -> None:
        """Takes out of the window what comes out of the log."""

        def comes(pending: PendingMessage) -> bool:
            read = origin(pending.line)
            return self._is_first(read.topic) and from_log(read) and self._brings(read)

        self._window.release(comes)

    def send_again(self) -> None:
        """Messages left in the window were sent before the client could handle them."""
        self._window.send_again(self._is_first)

    async def take(self, block: bytes, position: int) -> int:
        """Picks what is owed out of lines of the log behind `position`; returns how many it took.

        Between two `edges`. Waits while the window is full. Raises `DeskbusError`
        (connection_lost).
        """
        taken = 0
        for line in lines_of(block):
            read = origin(line)
            if not self.brings(read, position):
                continue
            if any(other.brings(read, position) for other in self._earlier):
                continue
            await self._window.room()
            # Messages in the window already come by themselves.
            if not self._window.holds(read.topic, read.seq):
                epoch = "" if read.epoch == self._epoch else read.epoch
                again = self.behind.is_again(read)
                self._window.put_owed(line, read.topic, read.seq, epoch, again=again)
                taken += 1
        return taken

    def brings(self, read: Origin, position: int) -> bool:
        """Whether a message that lies behind `position` in the log is among them."""
        if not self.wants(read.topic):
            return False
        if position < self.behind.start:
            return self.behind.is_again(read)
        return self._brings(read)

    def _brings(self, read: Origin) -> bool:
        return self.behind.is_new(read) or self.behind.is_again(read)

    def _is_first(self, topic: str) -> bool:
        return self.wants(topic) and not any(other.wants(topic) for other in self._earlier)
