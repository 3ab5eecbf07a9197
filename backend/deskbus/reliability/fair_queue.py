"""FairQueue: shares one scarce resource among apps, one app after the other."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter

import anyio
import anyio.lowlevel
import structlog

from deskbus_protocol.errors import OVERLOADED, DeskbusError

MAX_WAITING = 256

PIECE_S = 0.0005
"""Work of the event loop that others wait for at once; half of what an app may do in a turn, so
that its other calls get on meanwhile.
"""


Later = Callable[[Callable[[], bool]], None]
"""Has work done piece by piece, until it says that nothing is left."""

log = structlog.get_logger()


def at_once(work: Callable[[], bool]) -> None:
    """Does all of it, where nobody waits for turns of the loop."""
    while work():
        pass


class FairQueue:
    """At most `at_once` pieces of work run, of one owner at most `of_one`.

    A turn that becomes free goes to the owner whose last turn is longest ago, so one that waits
    with hundreds of them keeps another waiting for the length of one.
    """

    def __init__(self, at_once: int, *, of_one: int, max_waiting: int = MAX_WAITING) -> None:
        """Of one owner `max_waiting` may wait; what comes beyond is refused."""
        self._free = at_once
        self._max_waiting = max_waiting
        self._of_one = of_one
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[anyio.Event]] = OrderedDict()

    @asynccontextmanager
    async def take(self, owner: str) -> AsyncIterator[None]:
        """A turn for the length of a `with` block; raises `DeskbusError` (overloaded)."""
        await self._wait(owner)
        try:
            yield
        finally:
            self._give_back(owner)

    async def _wait(self, owner: str) -> None:
        if self._free and self._running[owner] < self._of_one and owner not in self._waiting:
            self._start(owner)
            return
        mine = self._waiting.setdefault(owner, deque())
        if len(mine) >= self._max_waiting:
            raise DeskbusError(OVERLOADED, "This app waits for too much of this kind already.")
        turn = anyio.Event()
        mine.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self._give_back(owner)
            else:
                self._drop(owner, turn)
            raise

    def _start(self, owner: str) -> None:
        self._free -= 1
        self._running[owner] += 1

    def _give_back(self, owner: str) -> None:
        self._free += 1
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        self._pass_on()

    def _pass_on(self) -> None:
        while self._free:
            owner = next(
                (each for each in self._waiting if self._running[each] < self._of_one), None
            )
            if owner is None:
                return
            turn = self._waiting[owner][0]
            self._waiting.move_to_end(owner)
            self._drop(owner, turn)
            self._start(owner)
            turn.set()

    def _drop(self, owner: str, turn: anyio.Event) -> None:
        self._waiting[owner].remove(turn)
        if not self._waiting[owner]:
            del self._waiting[owner]


class Piece:
    """The time of one piece of long work, from when it begins."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._until_s = perf_counter() + PIECE_S

    @property
    def is_over(self) -> bool:
        """Whether others have waited long enough."""
        return perf_counter() >= self._until_s


class Pieces:
    """Long work of the event loop in pieces, one in a turn of the loop, the owners in turn.

    A block that a piece is taken for must not wait: it is the piece.
    """

    def __init__(self, max_waiting: int) -> None:
        self._turns = FairQueue(1, of_one=1, max_waiting=max_waiting)

    @asynccontextmanager
    async def take(self, owner: str) -> AsyncIterator[None]:
        """Raises `DeskbusError` (overloaded) where too many of `owner` wait already."""
        async with self._turns.take(owner):
            # Work that came meanwhile is served first.
            await anyio.lowlevel.checkpoint()
            yield


class Chores:
    """Long work of the event loop that no call waits for: a piece in a turn of the loop, the
    owners in turn.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Callable[[], bool]]] = OrderedDict()
        self._is_due = False

    def add(self, owner: str, work: Callable[[], bool]) -> None:
        """Has `work` called, a piece each time, until it says that nothing is left.

        Raises `RuntimeError`, and leaves it be, where no event loop is running.
        """
        asyncio.get_running_loop()
        self._waiting.setdefault(owner, deque()).append(work)
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._is_due = False
        owner, works = next(iter(self._waiting.items()))
        self._waiting.move_to_end(owner)
        work = works.popleft()
        try:
            if work():
                works.append(work)
        except Exception:  # one chore's fault must not stop the others
            log.exception("chore.failed")
        if not works:
            del self._waiting[owner]
        self._schedule()
