"""CircuitBreaker: stops asking a part that keeps failing, and finds out carefully when it is back.

The pattern is Nygard's (Release It!). Closed, calls go through. After `failures` in a row it
opens: for `open_s` nothing is tried. Then it is half open: one trial at a time, and `successes` of
them in a row close it; a failed one opens it again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import structlog

from deskbus.contracts.listeners import Listeners
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError

BreakerState = Literal["closed", "open", "half-open"]

log = structlog.get_logger()


class BreakerPolicy(NamedTuple):
    failures: int = 5
    open_s: float = 30.0
    successes: int = 3


class Attempt:
    """Says once how it went. An attempt from before the breaker's last change counts no more."""

    def __init__(self, breaker: "CircuitBreaker", turn: int) -> None:
        self._breaker: CircuitBreaker | None = breaker
        self._turn = turn

    def succeeded(self) -> None:
        self._end("good")

    def failed(self) -> None:
        self._end("bad")

    def withdrawn(self) -> None:
        """Withdraws an attempt that revealed nothing about the component."""
        self._end(None)

    def _end(self, outcome: Literal["good", "bad"] | None) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker.ended(self._turn, outcome)


class CircuitBreaker:
    """One for each component. It belongs to the event loop's thread."""

    def __init__(
        self,
        name: str,
        *,
        policy: BreakerPolicy = BreakerPolicy(),  # noqa: B008  # immutable
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.changed = Listeners[CircuitBreaker]()
        self._policy = policy
        self._monotonic_s = monotonic_s
        self._state: BreakerState = "closed"
        self._turn = 0
        self._trial = False
        self._failures = 0
        self._successes = 0
        self._open_until_s = 0.0
        self._openings = 0

    @property
    def state(self) -> BreakerState:
        """`open` as well when the time is over and nobody has tried since."""
        return self._state

    @property
    def failures(self) -> int:
        """In a row, up to now."""
        return self._failures

    @property
    def openings(self) -> int:
        """The number of times it has opened since the start."""
        return self._openings

    @property
    def wait_s(self) -> float:
        """Seconds until an attempt may be made; 0 when one may be made now."""
        if self._state != "open":
            return 0.0
        return max(self._open_until_s - self._monotonic_s(), 0.0)

    def begin(self) -> Attempt | None:
        """An attempt to make now; None where none may be made."""
        if self._state == "open" and not self.wait_s:
            self._become("half-open")
        if self._state == "open" or self._trial:
            return None
        self._trial = self._state == "half-open"
        return Attempt(self, self._turn)

    @contextmanager
    def attempt(self, blames: Callable[[Exception], bool]) -> Iterator[None]:
        """One attempt. An exception is a failure if it `blames` the component, else a success.

        Cancelled, it tells nothing. Raises `DeskbusError` (unavailable) where none may be made now.
        """
        attempt = self.begin()
        if attempt is None:
            raise DeskbusError(
                UNAVAILABLE,
                f"The {self.name} failed too often; it is tried again in {self.wait_s:.0f} s.",
            )
        try:
            yield
        except Exception as error:
            attempt.failed() if blames(error) else attempt.succeeded()
            raise
        except BaseException:
            attempt.withdrawn()
            raise
        attempt.succeeded()

    def reset(self) -> None:
        """Closes the breaker for a new component, whatever came before."""
        self._failures = 0
        if self._state != "closed":
            self._become("closed")

    def ended(self, turn: int, outcome: Literal["good", "bad"] | None) -> None:
        """Settles an attempt; called by `Attempt` alone."""
        if turn != self._turn:
            return
        self._trial = False
        if outcome == "good":
            self._failures = 0
            self._successes += 1
            if self._state == "half-open" and self._successes >= self._policy.successes:
                self._become("closed")
        elif outcome == "bad":
            self._failures += 1
            if self._state == "half-open" or self._failures >= self._policy.failures:
                self._open_until_s = self._monotonic_s() + self._policy.open_s
                self._openings += 1
                self._become("open")

    def _become(self, state: BreakerState) -> None:
        self._state = state
        self._turn += 1
        self._trial = False
        self._successes = 0
        tell = log.warning if state == "open" else log.info
        tell("breaker.changed", component=self.name, state=state, failures=self._failures)
        self.changed(self)
