"""Displacement: in a full queue, the oldest messages give way to one that comes."""

from abc import ABC, abstractmethod

from deskbus.reliability.fair_queue import Later, Piece

DISPLACED_AT_ONCE = 8
"""One message may be as long as thousands, and come to many queues in the same turn of the loop."""


class Displacement(ABC):
    """Of a bounded queue. Where many have to give way to one message, they do so by `later`, piece
    by piece; what comes meanwhile is lost itself, unless there is room by then.
    """

    def __init__(self, later: Later) -> None:
        self._later = later
        self._is_making_room = False

    @property
    @abstractmethod
    def _is_over(self) -> bool:
        """Whether more waits than may."""

    @abstractmethod
    def _lose_oldest(self) -> None:
        """Loses the message that is to give way first."""

    def _has_room_by_displacement(self) -> bool:
        """Whether what came last may stay, and the queue is within its bounds soon."""
        if not self._displace_some():
            return True
        if self._is_making_room:
            return False
        self._is_making_room = True
        self._later(self._make_room)
        return True

    def _displace_some(self) -> bool:
        """Whether even more has to give way."""
        for _ in range(DISPLACED_AT_ONCE):
            if not self._is_over:
                return False
            self._lose_oldest()
        return self._is_over

    def _make_room(self) -> bool:
        piece = Piece()
        while self._displace_some():
            if piece.is_over:
                return True
        self._is_making_room = False
        return False
