"""The outcome: a table for people, and results.json for programs."""

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

from tests.performance.report.rows import Goal, Row
from tests.performance.servers.load import Figures

MIN_PAIRS = 10
RESAMPLES = 2000


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One row of results.json.

    A row with several goals tells of the one that is hardest to meet, so `met` holds for all.
    `ratio` is ours over the peer in `against`, or null where `goal` bounds ours itself.
    """

    name: str
    unit: str
    ours: float
    peers: dict[str, float]
    against: str | None
    ratio: float | None
    goal: float
    met: bool


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A row's medians, by server, and the runs that they come from."""

    row: Row
    medians: dict[str, Figures]
    runs: dict[str, list[Figures]]

    def read_as(self, row: Row) -> "Measured":
        """The same runs, as another row that has them reads them."""
        return Measured(row=row, medians=self.medians, runs=self.runs)

    def value(self, server: str) -> float:
        return self.medians[server][self.row.figure]

    @property
    def ours(self) -> float:
        return self.value(self.row.ours)

    @property
    def peers(self) -> dict[str, float]:
        return {name: self.value(name) for name in self.row.peers if name in self.medians}

    def goals(self) -> list[Goal]:
        """The goals that can be told: those without a peer, or with one that was measured."""
        return [
            goal for goal in self.row.goals if goal.against is None or goal.against in self.peers
        ]

    def ratio(self, goal: Goal) -> float | None:
        return None if goal.against is None else self.over(goal.against)

    def over(self, peer: str) -> float:
        """Ours over the peer: of each pair of runs where there are enough, else of the medians.

        What slows the machine for minutes slows both runs of a pair.
        """
        ratios = self._ratios(peer)
        return median(ratios) if len(ratios) >= MIN_PAIRS else self.ours / self.peers[peer]

    def interval(self, peer: str) -> tuple[float, float] | None:
        """Within which ours over the peer lies with 95 %, from runs that alternate; None for few.

        By resampling pairs of runs (the bootstrap), with chance that is the same each time.
        """
        ratios = self._ratios(peer)
        if len(ratios) < MIN_PAIRS:
            return None
        chance = random.Random(1)
        drawn = (median(chance.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
        found = sorted(drawn)
        return found[RESAMPLES * 25 // 1000], found[RESAMPLES * 975 // 1000 - 1]

    def _ratios(self, peer: str) -> list[float]:
        """Ours over the peer in each round."""
        ours, theirs = self.runs.get(self.row.ours, []), self.runs.get(peer, [])
        figure = self.row.figure
        return [a[figure] / b[figure] for a, b in zip(ours, theirs, strict=False) if b[figure]]

    def met(self, goal: Goal) -> bool:
        return self._margin(goal) >= 1

    def hardest(self) -> Goal | None:
        return min(self.goals(), key=self._margin, default=None)

    def _margin(self, goal: Goal) -> float:
        """How far a goal is met; 1 is just met. A cost of nothing or less meets any."""
        ratio = self.ratio(goal)
        part = (self.ours if ratio is None else ratio) / goal.limit
        if self.row.better == "more":
            return part
        return 1 / part if part > 0 else math.inf

    def result(self) -> Result | None:
        """The row for results.json; None where the goal's peer is not installed."""
        goal = self.hardest()
        if goal is None:
            return None
        return Result(
            name=self.row.name,
            unit=self.row.unit,
            ours=self.ours,
            peers=self.peers,
            against=goal.against,
            ratio=self.ratio(goal),
            goal=goal.limit,
            met=self.met(goal),
        )


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """`points` are pairs of how much and the figure."""

    name: str
    of: str
    unit: str
    points: list[tuple[int, float]]


def write(measured: Sequence[Measured], notes: Mapping[str, object], folder: Path) -> None:
    """Writes results.json, and details.json with every figure of every run."""
    results = [result for each in measured if (result := each.result())]
    _write(folder / "results.json", results)
    runs = [{"name": each.row.name, "runs": each.runs} for each in measured]
    _write(folder / "details.json", {**notes, "rows": runs})


def table(measured: Sequence[Measured]) -> str:
    """One line for each pair of row and server, ours first."""
    lines = [_line("", "", "median", "ours over it", "goal", "met")]
    lines += [_line("", "", "", "", "", "").replace(" ", "─")]
    for each in measured:
        lines += _block(each)
    return "\n".join(lines)


def _block(each: Measured) -> list[str]:
    row = each.row
    sign = "≥" if row.better == "more" else "≤"
    goals = {goal.against: goal for goal in each.goals()}
    lines = []
    for name in [row.ours, *each.peers]:
        ours = name == row.ours
        goal = goals.get(None if ours else name)
        ratio = "" if ours else f"{each.over(name):.2f} ×"
        wanted = f"{sign} {number(goal.limit)}" if goal else ""
        met = "" if goal is None else "yes" if each.met(goal) else "NO"
        head = f"{row.name}, {row.unit}" if ours else ""
        lines.append(_line(head, name, number(each.value(name)), ratio, wanted, met))
        interval = None if ours else each.interval(name)
        if interval is not None:
            told = f"95 % of it within {interval[0]:.3f} … {interval[1]:.3f}"
            lines.append(_line("", f"  {told}", "", "", "", ""))
        extra = {key: value for key, value in each.medians[name].items() if key != row.figure}
        if extra:
            told = ", ".join(f"{key} {number(value)}" for key, value in extra.items())
            lines.append(_line("", f"  also: {told}", "", "", "", ""))
    return lines


def number(value: float) -> str:
    """Three figures that count, and thousands apart."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(head: str, server: str, value: str, ratio: str, goal: str, met: str) -> str:
    return f"{head:<36} {server:<16} {value:>12} {ratio:>12} {goal:>8} {met:>4}".rstrip()


def _write(path: Path, content: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
