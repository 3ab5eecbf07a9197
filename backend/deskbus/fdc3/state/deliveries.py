"""Deliveries: contexts and intents that wait for a listener, and results that are owed. Pure."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

MAX_WAITING = 10_000
"""Deliveries that wait at one time, and results that are owed."""


class ContextDelivery(NamedTuple):
    """A context for an app that was opened with it."""

    context_type: str


class IntentDelivery(NamedTuple):
    intent: str
    context_type: str


class WaitingDelivery:
    """`settle` is called once: with True when a listener has come, with False when none did.

    `due_s` is when it is given up, by the agent's clock.
    """

    def __init__(
        self,
        instance_id: str,
        wanted: ContextDelivery | IntentDelivery,
        due_s: float,
        settle: Callable[[bool], None],
    ) -> None:
        self.instance_id = instance_id
        self.wanted = wanted
        self.due_s = due_s
        self.settle = settle


class OwedResult(NamedTuple):
    """The result of an intent: who raised it by which request, and who handles it."""

    raiser: str
    request_uuid: str
    handler: str
    intent: str
    trace_id: str


class Deliveries:
    def __init__(self) -> None:
        self._waiting: list[WaitingDelivery] = []
        self._owed: dict[str, OwedResult] = {}

    def add(self, waiting: WaitingDelivery) -> bool:
        """Adds a delivery; returns False where too many wait."""
        if len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting.append(waiting)
        return True

    def drop(self, waiting: WaitingDelivery) -> None:
        """Drops a delivery that nobody waits for any more."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def intent_listener_came(self, instance_id: str, takes: Callable[[str, str], bool]) -> None:
        """`takes` says whether the listener is for an intent with such a context."""
        self._settle(
            True,
            lambda each: (
                each.instance_id == instance_id
                and isinstance(each.wanted, IntentDelivery)
                and takes(*each.wanted)
            ),
        )

    def context_listener_came(self, instance_id: str, context_type: str | None) -> None:
        self._settle(
            True,
            lambda each: (
                each.instance_id == instance_id
                and isinstance(each.wanted, ContextDelivery)
                and context_type in (None, each.wanted.context_type)
            ),
        )

    def instance_ended(self, instance_id: str) -> Iterator[tuple[str, OwedResult]]:
        """Ends the deliveries to an instance and returns the results that it owes."""
        self._settle(False, lambda each: each.instance_id == instance_id)
        for key, owed in list(self._owed.items()):
            if owed.raiser == instance_id:
                del self._owed[key]
            elif owed.handler == instance_id:
                del self._owed[key]
                yield key, owed

    def tick(self, now_s: float) -> None:
        self._settle(False, lambda each: each.due_s <= now_s)

    def owe(self, key: str, result: OwedResult) -> None:
        """Notes an owed result. Beyond the limit the oldest is dropped, whose raiser has timed out
        by then.
        """
        if len(self._owed) >= MAX_WAITING:
            del self._owed[next(iter(self._owed))]
        self._owed[key] = result

    def paid(self, key: str, handler: str) -> OwedResult | None:
        """Takes out the owed result, provided that this instance owes it."""
        owed = self._owed.get(key)
        if owed is None or owed.handler != handler:
            return None
        del self._owed[key]
        return owed

    def _settle(self, came: bool, fits: Callable[[WaitingDelivery], bool]) -> None:
        done = [each for each in self._waiting if fits(each)]
        self._waiting = [each for each in self._waiting if each not in done]
        for each in done:
            each.settle(came)
