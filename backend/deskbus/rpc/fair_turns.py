"""FairTurns: shares of each turn of the event loop, one for the links of each app."""

import asyncio
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar

import structlog

from deskbus.reliability.work_clock import work_s

TURN_S = 0.001
"""Work of one app in one turn of the loop, on all of its links; what is left waits for the next.

Frames of others are read and served between them.
"""

LEAST_SLICE_S = 0.0001
"""The least slice of one link where several wait."""

BEGUN_A_TURN = 4
"""Calls of one app in one turn of the loop, each of which costs some tenths of a millisecond."""

UNCOUNTED_S = TURN_S / 4
"""Work that may add up before the turns are counted, so that a small read schedules nothing."""

T = TypeVar("T")

log = structlog.get_logger()


class Worker(Protocol):
    """Work that can be done in parts."""

    turns: "FairTurns"

    def work(self, until_s: float) -> bool:
        """Works until about `until_s`, by `work_s`; returns whether something is left."""

    def abort(self) -> None:
        """Gives up what is left, after work that failed."""


class FairTurns:
    """The turns of everybody who shares it, one after the other, each in its own order.

    A call that takes longer than its turn is a debt: nothing else is begun until it is paid.
    """

    def __init__(self) -> None:
        self._waiting: deque[Worker] = deque()
        self._spent_s = 0.0
        self._begun = 0
        self._is_counting = False

    @property
    def is_over(self) -> bool:
        """Whether no further call may be begun in this turn."""
        return self._begun >= BEGUN_A_TURN or self._spent_s >= TURN_S

    @property
    def is_free(self) -> bool:
        """Whether nobody waits, and this turn has time left."""
        return not self._waiting and self._spent_s < TURN_S

    def take(self, worker: Worker) -> None:
        """Has `worker` work now as far as this turn goes, and then in the turns that follow."""
        if not self.is_free or self._serve(worker, TURN_S):
            worker.turns.wait(worker)

    def begin(self) -> None:
        """Counts a call that is begun in this turn."""
        self._begun += 1
        self._count()

    def charge(self, seconds: float) -> None:
        """Counts time that the loop was kept."""
        self._spent_s += seconds
        if self._spent_s > UNCOUNTED_S:
            self._count()

    def _serve(self, worker: Worker, slice_s: float) -> bool:
        began_s = work_s()
        try:
            is_left = worker.work(began_s + min(slice_s, TURN_S - self._spent_s))
        except Exception:  # whatever it is, the others who share the turns go on
            log.exception("turn.failed")
            worker.abort()
            is_left = False
        self.charge(work_s() - began_s)
        return is_left

    def wait(self, worker: Worker) -> None:
        """Has `worker` work in the turns that follow."""
        self._waiting.append(worker)
        self._count()

    def _count(self) -> None:
        if not self._is_counting:
            self._is_counting = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._is_counting = False
        self._spent_s = max(self._spent_s - TURN_S, 0.0)
        self._begun = 0
        for left in range(len(self._waiting), 0, -1):
            if self._spent_s >= TURN_S:
                break
            worker = self._waiting.popleft()
            if self._serve(worker, max(TURN_S / left, LEAST_SLICE_S)):
                # It may have opened a session meanwhile, and so share others' turns.
                worker.turns.wait(worker)
        if self._waiting or self._spent_s > UNCOUNTED_S:
            self._count()


@types.coroutine
def charged(
    awaited: Coroutine[Any, Any, T], charge: Callable[[float], None]
) -> Generator[Any, Any, T]:
    """Awaits `awaited`, and charges the time for which it keeps the loop."""
    step: Callable[[Any], Any] = awaited.send
    argument: Any = None
    while True:
        began_s = work_s()
        try:
            waits_for = step(argument)
        except StopIteration as ended:
            returned: T = ended.value
            return returned
        finally:
            charge(work_s() - began_s)
            # An error keeps the frames that it went through, so this one is not to keep it.
            step, argument = awaited.send, None
        try:
            argument = yield waits_for
        except GeneratorExit:
            awaited.close()
            raise
        except BaseException as error:  # noqa: BLE001 - it is thrown into what is awaited
            step, argument = awaited.throw, error
