"""Drives Electron's pages over the Chrome DevTools Protocol: look, click, type.

One connection to the browser serves all pages (flat sessions, protocol version 1.3).
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

CALL_LIMIT_S = 15.0
CLOSE_LIMIT_S = 0.5
POLL_S = 0.02

Json = dict[str, Any]


class DevToolsError(Exception):
    """The browser refused a command, the page threw, or something did not come in time."""


class PageGoneError(DevToolsError):
    """The window was closed before it answered."""


class PageThrewError(DevToolsError):
    """JavaScript that was evaluated in a page threw."""


@dataclass(frozen=True)
class Target:
    """A page as the browser lists it."""

    id: str
    url: str


@dataclass
class _Reply:
    session: str | None
    arrived: anyio.Event = field(default_factory=anyio.Event)
    message: Json | None = None


class DevTools:
    """One connection to a browser; made by `devtools`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._next_id = 0
        self._replies: dict[int, _Reply] = {}
        self._targets: dict[str, Target] = {}
        self._pages: dict[str, Page] = {}
        self._changed = anyio.Event()
        self._closed = False

    async def call(self, method: str, session: str | None = None, **params: object) -> Json:
        """Sends one command and returns its result; raises `DevToolsError`."""
        self._next_id += 1
        command: Json = {"id": self._next_id, "method": method, "params": params}
        if session:
            command["sessionId"] = session
        reply = self._replies[command["id"]] = _Reply(session)
        try:
            if self._closed:
                raise DevToolsError(f"{method}: the browser is gone")
            with anyio.fail_after(CALL_LIMIT_S):
                await self._connection.send(json.dumps(command))
                await reply.arrived.wait()
        except (ConnectionClosed, TimeoutError) as error:
            raise DevToolsError(f"{method}: {type(error).__name__}") from error
        finally:
            del self._replies[command["id"]]
        if reply.message is None:
            raise PageGoneError(f"{method}: the window was closed")
        if "error" in reply.message:
            raise DevToolsError(f"{method}: {reply.message['error'].get('message')}")
        result: Json = reply.message["result"]
        return result

    def url_of(self, target_id: str) -> str:
        """Raises `PageGoneError`."""
        target = self._targets.get(target_id)
        if target is None:
            raise PageGoneError("the window was closed")
        return target.url

    def targets(self) -> list[Target]:
        """The pages that are open now."""
        return list(self._targets.values())

    async def page(
        self, what: str, fits: Callable[[Target], bool], *, timeout_s: float = 10
    ) -> "Page":
        """Waits for a page that fits and attaches to it; raises `DevToolsError`, naming `what`."""
        with anyio.move_on_after(timeout_s):
            while not self._closed:
                for target in self.targets():
                    if fits(target):
                        return await self._attach(target)
                await self._changed.wait()
        seen = ", ".join(f"{target.url}" for target in self.targets()) or "none"
        raise DevToolsError(f"{what}: no such window within {timeout_s:g} s (open: {seen})")

    async def gone(self, page: "Page", *, timeout_s: float = 5) -> None:
        """Waits until a page is closed."""
        with anyio.move_on_after(timeout_s):
            while page.target_id in self._targets and not self._closed:
                await self._changed.wait()
            return
        raise DevToolsError(f"a window is still open after {timeout_s:g} s")

    async def run(self) -> None:
        """Reads until the browser goes away; then every waiter is woken."""
        try:
            async for frame in self._connection:
                self._receive(json.loads(frame))
        except ConnectionClosed:
            pass
        finally:
            self._closed = True
            for reply in self._replies.values():
                reply.arrived.set()
            self._announce()

    def _wake(self, session: str) -> None:
        for reply in self._replies.values():
            if reply.session == session:
                reply.arrived.set()

    async def _attach(self, target: Target) -> "Page":
        if target.id not in self._pages:
            answer = await self.call("Target.attachToTarget", targetId=target.id, flatten=True)
            self._pages[target.id] = Page(self, target.id, answer["sessionId"])
        return self._pages[target.id]

    def _receive(self, message: Json) -> None:
        if "id" in message:
            reply = self._replies.get(message["id"])
            if reply:
                reply.message = message
                reply.arrived.set()
            return
        params = message.get("params", {})
        match message["method"]:
            case "Target.targetCreated" | "Target.targetInfoChanged":
                info = params["targetInfo"]
                if info["type"] in {"page", "webview"}:
                    seen = Target(info["targetId"], info["url"])
                    self._targets[seen.id] = seen
            case "Target.detachedFromTarget":
                self._wake(params["sessionId"])
            case "Target.targetDestroyed" | "Target.targetCrashed":
                self._targets.pop(params["targetId"], None)
                self._pages.pop(params["targetId"], None)
            case _:
                return
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class Page:
    """One window's page."""

    def __init__(self, devtools: DevTools, target_id: str, session: str) -> None:
        self._devtools = devtools
        self._session = session
        self.target_id = target_id

    async def call(self, method: str, **params: object) -> Json:
        return await self._devtools.call(method, self._session, **params)

    async def evaluate(self, expression: str, *, by_a_click: bool = False) -> Any:
        """The value of a JavaScript expression, awaited; raises `DevToolsError` if it throws.

        `by_a_click`, the page takes it for what a person's click has done.
        """
        answer = await self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=by_a_click,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            thrown = details.get("exception", {}).get("description") or details["text"]
            raise PageThrewError(f"the page threw: {thrown}")
        return answer["result"].get("value")

    async def until(self, expression: str, *, timeout_s: float = 10) -> Any:
        """Polls until the expression is truthy, and returns its value; a throw counts as no."""
        last = "never true"
        with anyio.move_on_after(timeout_s):
            while True:
                try:
                    value = await self.evaluate(expression)
                    if value:
                        return value
                except PageThrewError as error:
                    last = str(error)
                await anyio.sleep(POLL_S)
        where = await self.evaluate("`${location.href} is ${document.readyState}`")
        raise DevToolsError(f"not so within {timeout_s:g} s: {expression} ({last}; {where})")

    async def text(self, selector: str) -> str:
        found = await self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")
        return str(found).strip()

    async def click(self, selector: str) -> None:
        """Clicks an element's centre as a mouse does; raises if something else lies there."""
        spot = await self.evaluate(
            f"""(() => {{
                const element = document.querySelector({json.dumps(selector)});
                if (!element) return null;
                element.scrollIntoView({{ block: 'nearest' }});
                const box = element.getBoundingClientRect();
                const x = box.x + box.width / 2;
                const y = box.y + box.height / 2;
                const top = document.elementFromPoint(x, y);
                return {{ x, y, clear: element.contains(top) }};
            }})()"""
        )
        if spot is None or not spot["clear"]:
            problem = "is not there" if spot is None else "is covered or out of view"
            raise DevToolsError(f"can't click {selector}: it {problem}")
        await self.click_at(spot["x"], spot["y"])

    async def click_at(self, x: float, y: float) -> None:
        """A click that closes the window is one too."""
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            try:
                await self.call(
                    "Input.dispatchMouseEvent",
                    type=kind,
                    x=x,
                    y=y,
                    button="none" if kind == "mouseMoved" else "left",
                    buttons=buttons,
                    clickCount=0 if kind == "mouseMoved" else 1,
                )
            except PageGoneError:
                if kind != "mouseReleased":
                    raise

    async def type(self, text: str) -> None:
        """Types into the element that has the focus."""
        await self.call("Input.insertText", text=text)

    async def press(self, key: str, code: int) -> None:
        """Presses and releases a key, for instance `press("Escape", 27)`; may close the window."""
        try:
            for kind in ("rawKeyDown", "keyUp"):
                await self.call(
                    "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code
                )
        except PageGoneError:
            return

    async def close(self) -> None:
        """Closes the window, as its close button does."""
        await self._devtools.call("Target.closeTarget", targetId=self.target_id)

    def url(self) -> str:
        """The address that it shows; raises `PageGoneError` once the window is closed."""
        return self._devtools.url_of(self.target_id)


class MainProcess:
    """Electron's main process, by Node's inspector; made by `main_process`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._next_id = 0

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited; it sees `require`. Raises `PageThrewError`."""
        self._next_id += 1
        scoped = f"((require) => {expression})(process.mainModule.require.bind(process.mainModule))"
        params = {"expression": scoped, "awaitPromise": True, "returnByValue": True}
        command = {"id": self._next_id, "method": "Runtime.evaluate", "params": params}
        with anyio.fail_after(CALL_LIMIT_S):
            await self._connection.send(json.dumps(command))
            while (answer := json.loads(await self._connection.recv())).get("id") != self._next_id:
                continue
        if "exceptionDetails" in answer["result"]:
            details = answer["result"]["exceptionDetails"]
            thrown = details.get("exception", {}).get("description") or details["text"]
            raise PageThrewError(f"the main process threw: {thrown}")
        return answer["result"]["result"].get("value")


@asynccontextmanager
async def main_process(url: str) -> AsyncIterator[MainProcess]:
    """Connects to Node's inspector by its `ws://` address."""
    connecting = connect(
        url, max_size=None, proxy=None, ping_interval=None, close_timeout=CLOSE_LIMIT_S
    )
    async with connecting as connection:
        yield MainProcess(connection)


@asynccontextmanager
async def devtools(url: str) -> AsyncIterator[DevTools]:
    """Connects to a browser by its `ws://…/devtools/browser/…` address."""
    # An old Chrome closes the connection at a ping, and doesn't answer the closing handshake.
    connecting = connect(
        url, max_size=None, proxy=None, ping_interval=None, close_timeout=CLOSE_LIMIT_S
    )
    async with connecting as connection:
        browser = DevTools(connection)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.run)
            await browser.call("Target.setDiscoverTargets", discover=True)
            try:
                yield browser
            finally:
                tasks.cancel_scope.cancel()
