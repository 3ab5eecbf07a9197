"""SampleRing: the course of some figures over a day, in ever coarser steps, in bounded memory.

Pure: whoever adds a sample tells when it was taken.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from math import isnan, nan
from typing import NamedTuple


class Tier(NamedTuple):
    """`steps` steps of `step_s` seconds."""

    step_s: int
    steps: int

    @property
    def span_s(self) -> int:
        return self.step_s * self.steps


TIERS = (Tier(1, 600), Tier(10, 720), Tier(60, 1440))
"""Ten minutes by the second, two hours by ten, a day by the minute."""

Combine = Callable[[Sequence[float]], float]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


class Course(NamedTuple):
    """Samples `step_s` apart, oldest first. `ends_s` are as `add` was told; NaN is no value."""

    step_s: int
    ends_s: list[int]
    series: dict[str, list[float]]


class _Ring:
    """The steps of one tier; a step for which nothing came is left as NaN."""

    def __init__(self, tier: Tier, names: Sequence[str]) -> None:
        self.tier = tier
        self.columns = {name: array("d", [nan]) * tier.steps for name in names}
        self.last_step: int | None = None
        self._pending: dict[str, list[float]] = {name: [] for name in names}

    def add(
        self, now_s: float, values: Mapping[str, float], combine: Mapping[str, Combine]
    ) -> None:
        step = int(now_s // self.tier.step_s)
        before = self.last_step
        if before is None or step > before:
            self._advance(step)
        for name, pending in self._pending.items():
            value = values.get(name, nan)
            if not isnan(value):
                pending.append(value)
                column = self.columns[name]
                column[step % self.tier.steps] = combine[name](pending)
                if before is not None and step == before + 2:
                    # A sample that comes a moment late leaves no hole before it.
                    column[(step - 1) % self.tier.steps] = column[step % self.tier.steps]

    def _advance(self, step: int) -> None:
        first = step if self.last_step is None else self.last_step + 1
        for skipped in range(max(first, step - self.tier.steps + 1), step + 1):
            for column in self.columns.values():
                column[skipped % self.tier.steps] = nan
        self.last_step = step
        for pending in self._pending.values():
            pending.clear()

    def course(self, span_s: float) -> Course:
        if self.last_step is None:
            return Course(self.tier.step_s, [], {name: [] for name in self.columns})
        count = min(self.tier.steps, max(1, int(span_s // self.tier.step_s)))
        steps = range(self.last_step - count + 1, self.last_step + 1)
        places = [step % self.tier.steps for step in steps]
        known = [
            at
            for at, place in enumerate(places)
            if any(not isnan(column[place]) for column in self.columns.values())
        ]
        first = known[0] if known else count
        return Course(
            self.tier.step_s,
            [(step + 1) * self.tier.step_s for step in steps[first:]],
            {
                name: [column[place] for place in places[first:]]
                for name, column in self.columns.items()
            },
        )


class SampleRing:
    """`combine` says for each series how samples become one of a coarser step."""

    def __init__(self, combine: Mapping[str, Combine], tiers: Sequence[Tier] = TIERS) -> None:
        self._combine = dict(combine)
        self._rings = [_Ring(tier, list(combine)) for tier in tiers]

    def add(self, now_s: float, values: Mapping[str, float]) -> None:
        """A sample; times never go back. A series that is missing has no value then."""
        for ring in self._rings:
            ring.add(now_s, values, self._combine)

    def course(self, span_s: float) -> Course:
        """The last `span_s` seconds, by the finest tier that holds so much."""
        for ring in self._rings:
            if ring.tier.span_s >= span_s:
                return ring.course(span_s)
        return self._rings[-1].course(span_s)
