"""Many apps with mixed traffic: `python -m tests.performance.mixed_load`, for `make load`.

First 100, 250, 500 and 1,000 connections at one rate, some of them WebSockets of pages, then 500 at
ever higher ones until it no longer follows: the knee. Prints and draws percentiles of latency over
time, processor and memory. The exit code is 1 where a message is lost, or where a threshold is
missed.

Others on the machine make most moments slow, so a threshold holds for the quietest span of 0.2 s: a
product that is slow has none.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from demo.processes import process, processor_of
from tests.performance.servers.load import ROOT, LoadError, load
from tests.performance.servers.ours import DeskbusWeb
from tests.performance.servers.server import Running, started

PAGES = {100: 10, 250: 25, 500: 50, 1_000: 60}
"""How many connections, and how many of them come through the web gateway, which lets in at most
64 WebSockets of one origin.
"""

RATE = 1_000
"""Messages that are sent a second, by all apps: 3.6 million an hour."""
KNEE_SIZE = 500
KNEE_RATES = (2_000, 4_000, 6_000, 8_000, 12_000, 16_000)
WARM_S = 1.0
SPAN_S = 8.0
KNEE_SPAN_S = 5.0
LIMIT_S = 120.0
PAYLOAD_BYTES = 256
WINDOW_S = 0.2

P50_MS = 2.0
P99_MS = 5.0
PAGE_P50_MS = 3.0
MEMORY_MB = {100: 120.0, 250: 150.0, 500: 200.0, 1_000: 320.0}
FOLLOWS = 0.95
"""The part of a rate that is delivered where the backend follows it."""

OUTPUT = ROOT / "build" / "load"


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """In milliseconds. `at_s` counts from the beginning, and is absent for a whole run."""

    p50: float
    p95: float
    p99: float
    max: float
    count: int
    at_s: float | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """`processor` is the part of one processor that the backend used; `per_second` was sent."""

    apps: int
    rate: int
    per_second: float
    processor: float
    memory_mb: float
    lost: int
    failed: int
    all: Latency
    each: list[Latency]
    pages: Latency
    each_of_pages: list[Latency]
    kinds: dict[str, Latency]

    @property
    def quiet(self) -> Latency:
        """The span with the least p99."""
        return min(self.each, key=lambda span: span.p99)

    @property
    def page_p50_ms(self) -> float:
        """Of what pages hear, in the quietest span."""
        return min(span.p50 for span in self.each_of_pages)


def run(running: Running, apps: int, rate: int, span_s: float) -> Run:
    task = {
        "client": "deskbus",
        "page_client": running.client,
        "address": running.address,
        "clients": apps,
        "pages": PAGES[apps],
        "rate": rate,
        "payload_bytes": PAYLOAD_BYTES,
        "warm_s": WARM_S,
        "span_s": span_s,
        "window_s": WINDOW_S,
    }
    backend = process(running.pid)
    assert backend is not None
    used_s, began = processor_of(backend) or 0.0, time.monotonic()
    with load("mixed", task, LIMIT_S) as figures:
        used_s = (processor_of(backend) or 0.0) - used_s
        figures = {
            **figures,
            "apps": apps,
            "rate": rate,
            "processor": used_s / (time.monotonic() - began),
            "memory_mb": running.memory_mb(),
        }
    return msgspec.convert(figures, Run)


def find_knee(runs: Sequence[Run]) -> Run | None:
    """The first that the backend, or whoever sends, no longer follows; `runs` go up in rate."""
    for each in runs:
        if each.per_second < FOLLOWS * each.rate or each.quiet.p99 > P99_MS or each.lost:
            return each
    return None


def find_faults(runs: Sequence[Run]) -> list[str]:
    """Faults at the rate that is promised."""
    faults = []
    for each in runs:
        quiet, name = each.quiet, f"{each.apps} apps"
        if each.lost or each.failed:
            faults.append(f"{name}: {each.lost} messages lost, {each.failed} calls failed")
        if quiet.p50 > P50_MS:
            faults.append(f"{name}: p50 {quiet.p50:.2f} ms in the quietest span, above {P50_MS:g}")
        if quiet.p99 > P99_MS:
            faults.append(f"{name}: p99 {quiet.p99:.2f} ms in the quietest span, above {P99_MS:g}")
        if each.page_p50_ms > PAGE_P50_MS:
            faults.append(f"{name}: pages hear after {each.page_p50_ms:.2f} ms (p50)")
        limit_mb = MEMORY_MB[each.apps]
        if each.memory_mb > limit_mb:
            faults.append(f"{name}: {each.memory_mb:.0f} MB, above {limit_mb:g}")
    return faults


def explain(knee: Run | None, rates: Sequence[Run]) -> str:
    if knee is None:
        return f"No knee up to {rates[-1].rate:,} messages a second."
    cause = (
        "the backend's one processor is full"
        if knee.processor > 0.85
        else "the backend is not: who sends and hears, or the machine, is the limit"
    )
    return (
        f"The knee is at {knee.rate:,} messages a second sent by {knee.apps} apps: p99 "
        f"{knee.quiet.p99:.1f} ms, {knee.processor:.0%} of a processor in the backend: {cause}."
    )


def line(each: Run) -> str:
    quiet, whole = each.quiet, each.all
    return (
        f"{each.apps:6,} {each.rate:7,} {each.per_second:9,.0f} {whole.p50:8.2f} {whole.p95:8.2f} "
        f"{whole.p99:8.2f} {whole.max:8.1f} {quiet.p50:8.2f} {quiet.p99:8.2f} "
        f"{each.pages.p50:8.2f} {each.pages.p99:8.2f} {each.page_p50_ms:8.2f} "
        f"{each.processor:6.0%} {each.memory_mb:7.0f} {each.lost:5} {each.failed:6}"
    )


HEAD = (
    "  apps  rate/s    sent/s      p50      p95      p99      max  p50 quiet p99 quiet"
    " page p50 page p99   quiet    CPU"
    "      MB  lost failed"
)


def draw(sizes: Sequence[Run], rates: Sequence[Run], path: Path) -> None:
    """Latency over time for each size, and over the rate."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), dpi=150)
    for each in sizes:
        left.plot(
            [one.at_s for one in each.each],
            [one.p99 for one in each.each],
            label=f"{each.apps} apps",
        )
    left.set_title(f"p99 at {RATE:,} messages/s, over time", loc="left")
    left.set_xlabel("seconds")
    for name in ("p50", "p95", "p99"):
        values = [getattr(each.quiet, name) for each in rates]
        right.plot([each.rate for each in rates], values, marker="o", label=name)
    right.set_title(f"{KNEE_SIZE} apps, over the rate (quietest span)", loc="left")
    right.set_xlabel("messages sent a second")
    for plot in (left, right):
        plot.set_yscale("log")
        plot.set_ylabel("ms")
        plot.grid(alpha=0.25)
        plot.legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.mixed_load")
    parser.parse_args(arguments)
    print(HEAD)
    sizes, rates = [], []
    for apps in PAGES:
        with started(DeskbusWeb("deskbus")) as running:
            sizes.append(run(running, apps, RATE, SPAN_S))
        print(line(sizes[-1]), flush=True)
    for rate in KNEE_RATES:
        try:
            with started(DeskbusWeb("deskbus")) as running:
                rates.append(run(running, KNEE_SIZE, rate, KNEE_SPAN_S))
        except LoadError as error:
            print(f"{rate:,} messages a second: {error}")
            break
        print(line(rates[-1]), flush=True)
        if find_knee(rates):
            break
    print(explain(find_knee(rates), rates))
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "results.json").write_bytes(
        msgspec.json.encode({"sizes": sizes, "rates": rates}) + b"\n"
    )
    draw(sizes, rates, OUTPUT / "load.png")
    faults = find_faults(sizes)
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
