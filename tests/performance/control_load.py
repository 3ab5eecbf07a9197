"""The control centre in a browser while the bus is busy, for `make control-load`.

At 10,000 messages a second between 100 clients, each page is opened in Chromium, between spans
without it. Prints what the main thread of the page used of a processor, its longest task, and the
bus's own p99 with and without the page. The p50 and p99 of the clients are told beside it: a
browser takes of the processors that they need too. The exit code is 1 where a threshold is missed.

Others on the machine make most moments slow, so each threshold holds for the quietest span: a page
that is slow has none.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from playwright.sync_api import BrowserContext, CDPSession, Page, sync_playwright

from tests.performance.servers.load import ROOT, load
from tests.performance.servers.ours import Deskbus
from tests.performance.servers.server import Launch, Running, free_port, started
from tests.web.chromium import ARGUMENTS, chromium

CLIENTS, RATE, PAYLOAD_BYTES = 100, 10_000, 256
WARM_S = 1.0
SPAN_S, SPANS = 1.0, 6
LIMIT_S = 60.0
SETTLE_S = 2.0
"""A page draws for the first time, and its scripts are compiled, before it is judged."""

MAIN_THREAD = 0.30
"""Of one processor."""

LONG_TASK_MS = 100.0
P99_FACTOR = 1.25
"""Of the bus's own p99 in the worst span without a page: up to there the median beside a page is
noise.
"""

SAMPLED_MS = 60_000

FOLLOWS = 0.95
PAGES = ("overview", "bus", "bus/crowd.0", "apps")
OUTPUT = ROOT / "build" / "control-load"

LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longTasks.push(duration);
}).observe({ type: 'longtask' });
"""


class Watched(Deskbus):
    """The backend with its gateway; `store` is its data folder once it was prepared."""

    store: Path

    def prepare(self, sockets: Path, store: Path) -> Launch:
        self.store = store
        return super().prepare(sockets, store)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The bus in one measurement, and the page beside it; `page` is empty where there is none."""

    page: str
    p50_ms: float
    p99_ms: float
    own_p99_ms: float
    per_second: float
    lost: int
    main_thread: float = 0.0
    longest_task_ms: float = 0.0


def main(_: Sequence[str] | None = None) -> int:
    spans: list[Span] = []
    print("          page   p50 ms   p99 ms      own   sent/s   main   task")
    with browser() as context:
        for name in PAGES:
            for beside in ("", name):
                spans.append(span_beside(context, beside))
                tell(spans[-1])
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "results.json").write_bytes(msgspec.json.encode(spans) + b"\n")
    faults = find_faults(spans)
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


def span_beside(context: BrowserContext, name: str) -> Span:
    """A backend of its own each time: clients of the load before would be waited for."""
    backend = Watched("deskbus", config=f"[web]\nport = {free_port()}\n")
    with started(backend) as running:
        if not name:
            return measure(running, backend.store, "")
        with shown(context, backend.store, name) as page:
            return measure(running, backend.store, name, page)


@contextmanager
def browser() -> Iterator[BrowserContext]:
    with sync_playwright() as driver, tempfile.TemporaryDirectory(prefix="profile-") as folder:
        context = driver.chromium.launch_persistent_context(
            folder,
            executable_path=chromium(),
            args=ARGUMENTS,
            headless=True,
            viewport={"width": 1360, "height": 860},
        )
        try:
            yield context
        finally:
            context.close()


@contextmanager
def shown(context: BrowserContext, store: Path, name: str) -> Iterator[Page]:
    """A page of the control centre, let in as a person does it."""
    told = deskbus(store, "control-centre", name, "--browser", "--print")
    page = context.new_page()
    page.goto(told["page"])
    page.wait_for_selector("#page > *")
    try:
        yield page
    finally:
        page.close()


def measure(running: Running, store: Path, name: str, page: Page | None = None) -> Span:
    task = {
        "client": running.client,
        "address": running.address,
        "clients": CLIENTS,
        "rate": RATE,
        "payload_bytes": PAYLOAD_BYTES,
        "warm_s": WARM_S if page is None else WARM_S + SETTLE_S,
        "span_s": SPAN_S,
        "spans": SPANS,
    }
    watch = None if page is None else Watch(page)
    with load("crowd", task, LIMIT_S) as figures:
        seen = {} if watch is None else watch.figures()
        own = {"own_p99_ms": own_p99_ms(store)}
        return msgspec.convert({"page": name, **figures, **seen, **own}, Span)


def own_p99_ms(store: Path) -> float:
    """The bus's own p99 in its quietest second: from what is read to what is written."""
    told = deskbus(store, "call", "control.samples", json.dumps({"span": SAMPLED_MS}))
    samples: list[float] = [each for each in told["series"]["latencyP99"] if each]
    return min(samples) * 1000


def deskbus(store: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "deskbus", *words, "--data-dir", str(store)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


class Watch:
    """The work of a page's main thread, from its first drawing on."""

    def __init__(self, page: Page) -> None:
        time.sleep(SETTLE_S)
        self._page = page
        page.evaluate(LONG_TASKS)
        self._devtools: CDPSession = page.context.new_cdp_session(page)
        # By the thread's own clock: what others take of the machine is not the page's.
        self._devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._used_s, self._began = self._task_s(), time.monotonic()

    def figures(self) -> dict[str, float]:
        used_s, elapsed_s = self._task_s() - self._used_s, time.monotonic() - self._began
        tasks: list[float] = self._page.evaluate("window.longTasks")
        return {"main_thread": used_s / elapsed_s, "longest_task_ms": max(tasks, default=0.0)}

    def _task_s(self) -> float:
        metrics: list[dict[str, Any]] = self._devtools.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def find_faults(spans: Sequence[Span]) -> list[str]:
    without = [span for span in spans if not span.page]
    beside = [span for span in spans if span.page]
    faults = [
        f"{span.lost} messages were lost beside {span.page or 'no page'}"
        for span in spans
        if span.lost
    ]
    if max(span.per_second for span in spans) < FOLLOWS * RATE:
        faults.append("the load was never reached: the machine is too busy to judge by")
    for span in beside:
        if span.main_thread > MAIN_THREAD:
            words = f"{span.main_thread:.0%} of a processor, above {MAIN_THREAD:.0%}"
            faults.append(f"{span.page}: the main thread used {words}")
    calm = min(span.longest_task_ms for span in beside)
    if calm > LONG_TASK_MS:
        faults.append(f"every page had a task of over {LONG_TASK_MS:g} ms, the shortest {calm:.0f}")
    noise = max(span.own_p99_ms for span in without)
    watched = median(span.own_p99_ms for span in beside)
    if watched > P99_FACTOR * noise:
        faults.append(f"the bus's p99 is {watched:.2f} ms beside a page, up to {noise:.2f} without")
    return faults


def tell(span: Span) -> None:
    print(
        f"{span.page or 'none':>14} {span.p50_ms:8.2f} {span.p99_ms:8.2f} {span.own_p99_ms:8.2f} "
        f"{span.per_second:8,.0f} {span.main_thread:6.1%} {span.longest_task_ms:6.0f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
