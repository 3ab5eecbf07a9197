"""The chart of the benchmark: a group of bars for each row, 1 is what the goal is set against."""

from collections.abc import Sequence
from pathlib import Path

from tests.performance.report.outcome import Measured, number

OURS_COLOUR = "#1f6f5c"
PEER_COLOUR = "#b9c2c9"
AGAINST_COLOUR = "#7d8b96"
GOAL_COLOUR = "#c8553d"
INK = "#22303a"
CLIP = 2.0


def draw(measured: Sequence[Measured], path: Path) -> None:
    """Draws to a PNG file; nothing where nothing was measured."""
    rows = [each for each in measured if each.hardest()]
    if not rows:
        return
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    bars = sum(1 + len(each.peers) for each in rows)
    figure, axes = plt.subplots(figsize=(11, 0.34 * bars + 0.42 * len(rows) + 1.6), dpi=150)
    at = 0.0
    ticks: list[float] = []
    names: list[str] = []
    for each in rows:
        goal = each.hardest()
        assert goal
        base = each.peers[goal.against] if goal.against else goal.limit
        top = at
        axes.text(0, at - 0.75, f"{each.row.name}, {each.row.unit}", weight="bold", color=INK)
        for name in [each.row.ours, *each.peers]:
            value = each.value(name)
            length = value / base if each.row.better == "more" else CLIP * 2
            if each.row.better == "less" and value > 0:
                length = base / value
            colour = (
                OURS_COLOUR
                if name == each.row.ours
                else AGAINST_COLOUR
                if name == goal.against
                else PEER_COLOUR
            )
            axes.barh(at, min(length, CLIP), height=0.78, color=colour)
            label = number(value) + (" »" if length > CLIP else "")
            axes.text(min(length, CLIP) + 0.02, at, label, va="center", color=INK, size=9)
            ticks.append(at)
            names.append(name)
            at += 1
        wanted = 1.0
        if goal.against:
            wanted = goal.limit if each.row.better == "more" else 1 / goal.limit
        axes.plot([wanted, wanted], [top - 0.45, at - 0.55], color=GOAL_COLOUR, lw=1.6)
        at += 1.3
    axes.set_yticks(ticks, names, color=INK, size=9)
    axes.set_ylim(at - 1.2, -1.5)
    axes.set_xlim(0, CLIP + 0.35)
    axes.set_xlabel(
        "relative to what the goal is set against (dark grey, or the limit itself); longer is "
        "better\nred: the hardest goal; »: longer than drawn",
        color=INK,
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.suptitle("deskbus beside other brokers: medians of alternating runs", color=INK)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
