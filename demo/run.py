"""Runs the demo: `make demo`.

With a display, Electron opens for a person and this ends when they close it. Without one, or with
--auto, the whole story plays by itself, is checked step by step and told in a transcript;
screenshots are left in build/demo/. Exits with 0 if everything happened, else with 1.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from subprocess import DEVNULL
from typing import NamedTuple

import anyio

from demo.devtools import DevToolsError, Page
from demo.electron import (
    ALLOW,
    ROOT,
    ElectronError,
    ElectronSession,
    electron_command,
    electron_session,
    has_display,
)
from demo.processes import Process, command_of, memory_of, remains
from demo.screen import ScreenError, virtual_display

MAIN = ROOT / "demo" / "main.js"
PICTURES = ROOT / "build" / "demo"
STORY_LIMIT_S = 180
WATCH_S = 5.0
FLOW_MINIMUM_PER_S = 20
"""The feed sends 50; on a machine that is busy otherwise it gets to fewer."""
ENDED_WITHIN_S = 20.0
CLEAN_EXIT_S = 4.0
BACK_WITHIN_S = 20.0


Flow = dict[str, float]


class Deed(NamedTuple):
    """A button of Chaos, and what becomes of the app: `cause` is what its window then says.

    One that comes back does so by itself; a person restarts the others.
    """

    name: str
    button: str
    cause: str
    picture: str
    comes_back: bool = False


DEEDS = (
    Deed("memory", "Eat memory", "limit", "10-memory", comes_back=True),
    Deed("crash", "Crash", "signal", "11-crash"),
    Deed("hang", "Hang", "hung", "12-hang"),
    Deed("flood", "Flood", "limit", "13-flood"),
)


class StoryError(Exception):
    """A step of the demo did not happen."""


class Story:
    """Plays the demo as a person would, and tells what happens when."""

    def __init__(self, session: ElectronSession) -> None:
        self._session = session
        self._started = time.monotonic()
        self._deeds = 0

    def tell(self, who: str, what: str) -> None:
        print(f"{time.monotonic() - self._started:6.2f} s  {who:<9} {what}", flush=True)

    async def play(self) -> None:
        blotter = await self._session.window("/blotter/index.html")
        ticker = await self._session.window("/ticker/index.html")
        self.tell("Electron", "three windows are open: Ticker, Blotter and Chaos")
        await self.consent(ticker)
        await self.watch({"Ticker": ticker, "Blotter": blotter})
        await self.picture(ticker, "02-ticker")
        await self.trade(ticker, blotter)
        await self.picture(ticker, "04-ticker")
        await self.picture(blotter, "05-blotter")
        chaos = await self._session.window("/chaos/index.html")
        await self.picture(chaos, "06-chaos")
        await self.desk_picture("07-desk")
        await self.control_centre()
        for deed in DEEDS:
            await self.chaos(deed, {"Ticker": ticker, "Blotter": blotter})
        chaos = await self._session.window("/chaos/index.html")
        await self.picture(chaos, "15-chaos")
        await self.account_for(ticker, blotter)
        await self.end()

    async def consent(self, ticker: Page) -> None:
        """Ticker asks for the prices and a person allows it."""
        await ticker.until("document.querySelector('#connect').textContent.startsWith('Connect')")
        await ticker.click("#connect")
        self.tell("person", "clicks “Connect to prices” in Ticker")
        dialog = await self._session.dialog()
        opened = time.monotonic()
        await dialog.until("document.querySelector('#statement').textContent")
        self.tell("backend", f"asks: “{await dialog.text('#statement')}”")
        await dialog.until(f"!document.querySelector('{ALLOW}').disabled")
        waited_ms = (time.monotonic() - opened) * 1000
        await self.picture(dialog, "01-consent")
        await dialog.click(ALLOW)
        self.tell("person", f"clicks Allow, which could not be clicked for {waited_ms:.0f} ms")
        await self._session.browser.gone(dialog)
        await ticker.until("document.querySelectorAll('#rows tr').length === 8")
        self.tell("Ticker", "shows prices of 8 instruments")

    async def watch(self, windows: dict[str, Page]) -> None:
        """Prices flow into both windows for a while."""
        before, since = await flows(windows), time.monotonic()
        await anyio.sleep(WATCH_S)
        await self.unharmed(before, windows, since)
        for name, now in (await flows(windows)).items():
            self.tell(
                name,
                f"from the feed to the page p50 {now['p50']:.2f} ms, p99 {now['p99']:.2f} ms",
            )

    async def trade(self, ticker: Page, blotter: Page) -> None:
        """A click in Ticker fills Blotter's ticket; orders are sent, and filled or not."""
        await self.prefill(ticker, blotter, "EURUSD", "BUY")
        await self.picture(blotter, "03-prefilled")
        await self.submit(blotter, ("Working", "Filled"))
        await self.prefill(ticker, blotter, "ASML", "SELL")
        await self.set_limit(blotter, "900.00")
        await self.submit(blotter, ("Filled",))
        await self.prefill(ticker, blotter, "SAP", "SELL")
        await self.set_limit(blotter, "185.00")
        await self.submit(blotter, ("Working",))
        await ticker.until("/^Order 0003: .*working$/.test(find('order').textContent)")
        self.tell("Ticker", f"hears of it on orders.status: “{await ticker.text('#order')}”")

    async def prefill(self, ticker: Page, blotter: Page, symbol: str, side: str) -> None:
        await ticker.evaluate("void (find('answer').textContent = '')")
        await ticker.click(f"tr[data-symbol={symbol}] .{side.lower()}")
        answer = await ticker.until("find('answer').textContent")
        self.tell("person", f"clicks a price in Ticker; Blotter answers: “{answer}”")
        price = re.search(r" at ([\d.]+): the ticket is filled", answer)
        require(price is not None, f"Blotter did not fill its ticket: “{answer}”")
        ticket = await blotter.evaluate("[find('symbol').value, side(), find('limit').value]")
        wanted = [symbol, side, price and price[1]]
        require(ticket == wanted, f"Blotter's ticket holds {ticket}, not {wanted}")

    async def set_limit(self, blotter: Page, limit: str) -> None:
        await blotter.click("#limit")
        await blotter.evaluate("document.querySelector('#limit').select()")
        await blotter.type(limit)
        self.tell("person", f"types the limit {limit} into Blotter")

    async def submit(self, blotter: Page, expected: tuple[str, ...]) -> None:
        label = await blotter.text("#submit")
        lines = await blotter.evaluate("document.querySelectorAll('#orders tr').length")
        await blotter.click("#submit")
        await blotter.until(f"document.querySelectorAll('#orders tr').length === {lines + 1}")
        status = await blotter.text("#orders tr .status")
        self.tell("person", f"clicks “{label}”; Blotter shows the order as {status}")
        require(status.split()[0] in expected, f"the order is {status}, not {expected}")

    async def control_centre(self) -> None:
        """An operator looks at all of it: what runs, and who talks to whom."""
        await self._open_centre("overview")
        centre = await self._session.window("/control.html")
        await centre.until("document.querySelectorAll('.bar').length > 2")
        await centre.until("document.querySelectorAll('.uplot canvas').length === 6")
        self.tell("operator", f"opens the control centre: “{await centre.text('.headline')}”")
        await self.picture(centre, "08-control-centre")
        await self._open_centre("bus")
        await centre.until("document.querySelectorAll('.edge').length > 4")
        topics = await centre.evaluate("document.querySelectorAll('.node.column-1').length")
        self.tell("operator", f"sees who talks to whom on {topics} topics")
        await self.picture(centre, "09-control-centre-bus")
        await centre.close()
        await self._session.browser.gone(centre)

    async def _open_centre(self, page: str) -> None:
        async with self._session.main_process() as main:
            shell = "process.mainModule.exports.shell"
            await main.evaluate(f"{shell}.openControlCentre('{page}').then(() => true)")

    async def chaos(self, deed: Deed, others: dict[str, Page]) -> None:
        """An app misbehaves until it is ended; it comes back, and nobody else notices."""
        chaos = await self._session.window("/chaos/index.html")
        await chaos.until(f"!document.querySelector('[data-deed={deed.name}]').disabled")
        before, since = await flows(others), time.monotonic()
        await chaos.click(f"[data-deed={deed.name}]")
        self.tell("person", f"clicks “{deed.button}” in Chaos")
        page = await self._session.window("/crash.html", timeout_s=ENDED_WITHIN_S)
        await page.until(
            "document.getElementById('crash') && !document.getElementById('crash').hidden"
        )
        took_s = time.monotonic() - since
        why = await page.text("#explanation")
        self.tell("backend", f"ended it; {took_s:.1f} s later its window says: “{why}”")
        cause = await page.evaluate("document.documentElement.dataset.cause")
        require(cause == deed.cause, f"its window says {cause}, not {deed.cause}: {why}")
        await self.picture(page, deed.picture)
        if deed.name == "flood":
            await self.desk_picture("14-desk")
        if not deed.comes_back:
            await page.click("#restart")
            self.tell("person", "clicks Restart there")
        chaos = await self._session.window("/chaos/index.html", timeout_s=BACK_WITHIN_S)
        if deed.comes_back:
            await chaos.until("/once/.test(find('restarts').textContent)", timeout_s=BACK_WITHIN_S)
        self._deeds += 1
        await chaos.until(
            f"document.querySelectorAll('#list li').length === {self._deeds}",
            timeout_s=BACK_WITHIN_S,
        )
        time_of_day, done = await chaos.evaluate(
            "Array.from(document.querySelector('#list li').childNodes, (each) => each.textContent)"
        )
        self.tell("Chaos", f"is back, with its state: “{done}” at {time_of_day}")
        await self.unharmed(before, others, since)

    async def unharmed(
        self, before: dict[str, Flow], windows: dict[str, Page], since: float
    ) -> None:
        """The others went on all the while, and nothing of theirs was lost."""
        for name, now in (await flows(windows)).items():
            rate = (now["count"] - before[name]["count"]) / (time.monotonic() - since)
            lost = now["gaps"] - before[name]["gaps"]
            self.tell(name, f"got {rate:.1f} messages/s all the while; new gaps: {lost:.0f}")
            require(rate >= FLOW_MINIMUM_PER_S, f"only {rate:.1f} messages/s reached {name}")
            require(lost == 0, f"{name} lost messages: {lost:.0f} gaps")

    async def account_for(self, ticker: Page, blotter: Page) -> None:
        for name, page in {"Ticker": ticker, "Blotter": blotter}.items():
            total = await flow(page)
            self.tell(
                name,
                f"in all {total['count']:,.0f} prices; p50 {total['p50']:.2f} ms, "
                f"p99 {total['p99']:.2f} ms over the last 1,024",
            )
        for process in self._session.tree():
            memory = memory_of(process)
            if memory is not None:
                what, size = role(process), memory / 2**20
                self.tell("processes", f"{process.pid:>7}  {what:<28} {size:5.0f} MB")

    async def end(self) -> None:
        """Quits; nothing of the tree may be left after a moment."""
        tree, asked = self._session.tree(), time.monotonic()
        self._session.process.terminate()
        left = await remains(tree, CLEAN_EXIT_S)
        require(not left, f"still running {CLEAN_EXIT_S:g} s after the end: {left}")
        took = time.monotonic() - asked
        self.tell("Electron", f"has quit; all {len(tree)} processes are gone after {took:.1f} s")
        self.tell("demo", f"all of it happened; the pictures are in {PICTURES.relative_to(ROOT)}/")

    async def picture(self, page: Page, name: str) -> None:
        """No picture is worth the story."""
        self._tell_picture(name, await self._session.picture(page, PICTURES / f"{name}.png"))

    async def desk_picture(self, name: str) -> None:
        """Of all windows, where the screen is our own."""
        if self._session.screen is not None:
            self._tell_picture(name, await self._session.desk_picture(PICTURES / f"{name}.png"))

    def _tell_picture(self, name: str, taken: bool) -> None:
        file = f"build/demo/{name}.png"
        self.tell("picture", file if taken else f"{file} could not be taken; the story goes on")


def require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise StoryError(otherwise)


async def flow(page: Page) -> Flow:
    """The page's own count of the prices it received."""
    counted: Flow = await page.evaluate("desk.flow.snapshot()")
    return counted


async def flows(windows: dict[str, Page]) -> dict[str, Flow]:
    return {name: await flow(page) for name, page in windows.items()}


def role(process: Process) -> str:
    """The kind of a process of the demo, from its command line."""
    words = command_of(process)
    line = " ".join(words)
    kind = re.search(r"--type=(\S+)", line)
    if kind:
        return f"Electron {kind[1]}"
    for program in ("feed.py", "chaos.py", "watchdog.py"):
        if program in line:
            return {"feed.py": "demo.feed", "chaos.py": "demo.chaos"}.get(program, "watchdog")
    return "backend" if "deskbus" in words else "Electron main"


async def play() -> int:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="deskbus-demo-") as data:
        env = {"DESKBUS_PYTHON": sys.executable, "DESKBUS_DATA_DIR": data}
        async with AsyncExitStack() as stack:
            display = None if has_display() else await stack.enter_async_context(virtual_display())
            session = await stack.enter_async_context(
                electron_session(MAIN, PICTURES, env=env, display=display)
            )
            return await tell_story(session)


async def tell_story(session: ElectronSession) -> int:
    story = Story(session)
    try:
        with anyio.fail_after(STORY_LIMIT_S):
            await story.play()
    except TimeoutError:
        story.tell("FAILED", f"the story was not over after {STORY_LIMIT_S} s")
    except (DevToolsError, StoryError) as error:
        story.tell("FAILED", str(error))
    else:
        return 0
    print(f"The log is {session.log.relative_to(ROOT)}", file=sys.stderr)
    return 1


async def open_for_person() -> int:
    """Runs Electron until it is closed; what a person decides is kept for the next time."""
    data = ROOT / "build" / "demo" / "data"
    env = {**os.environ, "DESKBUS_PYTHON": sys.executable, "DESKBUS_DATA_DIR": str(data)}
    command = electron_command(MAIN, data / "profile")
    process = await anyio.run_process(
        command, stdin=DEVNULL, stdout=None, stderr=None, env=env, check=False
    )
    return process.returncode


async def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the deskbus demo in a real Electron.")
    parser.add_argument(
        "--auto", action="store_true", help="play the story even where there is a display"
    )
    try:
        if parser.parse_args().auto or not has_display():
            return await play()
        return await open_for_person()
    except (ElectronError, ScreenError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    try:
        sys.exit(anyio.run(main))
    except KeyboardInterrupt:
        sys.exit(130)
