"""Unacknowledged messages owed to a client that begins anew."""

from collections.abc import Callable, Sequence
from functools import cache

from deskbus.bus.delivery.acknowledged import AcknowledgedOutlet, PendingMessage
from deskbus.bus.encoded_message import Origin, origin
from deskbus.bus.recovery.client_progress import ClientProgress


class AcknowledgedCatchup:
    """Messages that `wants` names: behind what the client has seen, or not acknowledged.

    They go through its window, and so come again until they are acknowledged. Messages that
    `earlier` ones of the same connection bring are left to them. `epoch` is this run of the
    backend.
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
        self._earlier_of: dict[str, list[AcknowledgedCatchup]] = {}

    @property
    def edges(self) -> list[int]:
        """Positions at which what earlier ones bring begins."""
        return [other.behind.start for other in self._earlier]

    def release(self, from_log: Callable[[Origin], bool]) -> None:
        """Takes out of the window what comes out of the log."""
        is_first = cache(self._is_first)

        def comes(pending: PendingMessage) -> bool:
            if not is_first(pending.topic):
                return False
            epoch = pending.epoch or self._epoch
            read = Origin(pending.topic, epoch, pending.seq, pending.timestamp)
            return from_log(read) and self._brings(read)

        self._window.release(comes)

    def send_again(self) -> None:
        """Messages left in the window were sent before the client could handle them."""
        self._window.send_again(cache(self._is_first))

    def pick(self, lines: Sequence[bytes], position: int) -> list[tuple[bytes, Origin]]:
        """The messages owed among log lines behind `position`, which lie between two `edges`."""
        return [
            (line, read)
            for line, read in zip(lines, map(origin, lines), strict=True)
            if self.brings(read, position)
            and not any(other.brings(read, position) for other in self._earlier_for(read.topic))
        ]

    async def put(self, picked: Sequence[tuple[bytes, Origin]]) -> int:
        """Sends what was picked, and returns how many; waits while the window is full.

        Raises `DeskbusError` (connection_lost).
        """
        taken = 0
        for line, read in picked:
            await self._window.room()
            # Messages in the window already come by themselves.
            if not self._window.holds(read.topic, read.seq):
                epoch = "" if read.epoch == self._epoch else read.epoch
                again = self.behind.is_again(read)
                self._window.put_owed(line, read.topic, read.seq, epoch, again=again)
                taken += 1
        return taken

    def finish(self) -> None:
        """The log was read to its end."""
        self._earlier_of.clear()

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
        return self.wants(topic) and not self._earlier_for(topic)

    def _earlier_for(self, topic: str) -> "list[AcknowledgedCatchup]":
        """They are of the same client, which may read the topic or may not, and they with it."""
        found = self._earlier_of.get(topic)
        if found is None:
            found = self._earlier_of[topic] = [
                other for other in self._earlier if other.wants(topic)
            ]
        return found
