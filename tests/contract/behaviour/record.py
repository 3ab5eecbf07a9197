"""Events of a client, as its driver tells them."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import anyio

LIMIT_S = 30


class Record:
    """Numbers of messages by topic, in the order in which they came; gaps, states, outcomes."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[int]] = defaultdict(list)
        self.repeats: dict[tuple[str, int], int] = {}
        """Messages that came again, and how many states there had been when they last did."""
        self.gaps: list[dict[str, Any]] = []
        self.states: list[str] = []
        self.outcomes: dict[int, int | None] = {}
        self._changed = anyio.Event()

    @property
    def state(self) -> str:
        return self.states[-1] if self.states else "connecting"

    def note(self, word: dict[str, Any]) -> None:
        if message := word.get("message"):
            numbers, number = self.numbers[message["topic"]], message["number"]
            if message["redelivery"]:
                self.repeats[message["topic"], number] = len(self.states)
            if not message["redelivery"] or number not in numbers:
                numbers.append(number)
        elif gap := word.get("gap"):
            self.gaps.append(gap)
        elif state := word.get("state"):
            self.states.append(state)
        elif done := word.get("done"):
            self.outcomes[done] = word.get("error")
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(LIMIT_S):
            while not true():
                await self._changed.wait()

    async def number(self, topic: str, number: int) -> None:
        """Returns when a message has come; none comes after it that is earlier."""
        await self.until(lambda: number in self.numbers[topic])
