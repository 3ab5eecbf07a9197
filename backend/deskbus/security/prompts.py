"""Prompts: identical wishes share one, one is open for an app, three in all, first come first."""

import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio
import structlog
from anyio.abc import TaskGroup

from deskbus.observability.calltrace import CallTrace
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import OVERLOADED, DeskbusError
from deskbus_protocol.permissions import Grant

MAX_OPEN_PROMPTS = 3
MAX_WAITING_OF_AN_APP = 16
"""Different wishes; what comes after is refused, so that no app fills the queue."""

log = structlog.get_logger()


class Wish(NamedTuple):
    """What an app wants, with its own reason, and the origin of the page that asks.

    `trace` is the call's that asks. `prompt` is the id of the prompt that the wish got.
    """

    identity: Sender
    grant: Grant
    reason: str | None = None
    origin: str | None = None
    trace: CallTrace = CallTrace()
    prompt: str = ""


class Settled(NamedTuple):
    """What came of a prompt. `once` is for one of those who waited for it."""

    allowed: bool
    once: bool = False


DENIED = Settled(allowed=False)


class _Prompt:
    """A prompt in progress and how many wait for it."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.scope = anyio.CancelScope()
        self.decided = anyio.Event()
        self.settled = DENIED
        self.waiting = 0


class Prompts:
    """`ask` puts a wish to a person when its turn has come; whatever it raises means denied."""

    def __init__(self, ask: Callable[[Wish], Awaitable[Settled]]) -> None:
        self._ask = ask
        self._open: dict[tuple[str, Grant], _Prompt] = {}
        self._turns: dict[str, anyio.Lock] = {}
        self._slots = anyio.Semaphore(MAX_OPEN_PROMPTS)
        self._tasks: TaskGroup | None = None

    async def run(self) -> None:
        """Runs prompts until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            await anyio.sleep_forever()

    async def join(self, wish: Wish) -> Settled:
        """Joins the prompt for the same wish, or opens one; the last to leave closes it.

        What is allowed once goes to the client that asked first, and to no other.
        Raises `DeskbusError` (overloaded).
        """
        if self._tasks is None:
            return DENIED
        app = wish.identity.app
        key = (app, wish.grant)
        prompt = self._open.get(key)
        if prompt is None:
            if sum(known[0] == app for known in self._open) >= MAX_WAITING_OF_AN_APP:
                raise DeskbusError(OVERLOADED, "This app has too many prompts waiting already.")
            prompt = self._open[key] = _Prompt(wish._replace(prompt=secrets.token_hex(8)))
            self._tasks.start_soon(self._run, prompt)
        prompt.waiting += 1
        try:
            await prompt.decided.wait()
        finally:
            prompt.waiting -= 1
            if not prompt.waiting:
                # Who asks again from here on gets a prompt of its own.
                self._close(key, prompt)
                prompt.scope.cancel()
        settled = prompt.settled
        if not settled.once:
            return settled
        if wish.identity != prompt.wish.identity:
            return DENIED
        prompt.settled = DENIED
        return settled

    async def _run(self, prompt: _Prompt) -> None:
        app = prompt.wish.identity.app
        turn = self._turns.setdefault(app, anyio.Lock())
        try:
            with prompt.scope:
                async with turn, self._slots:
                    prompt.settled = await self._ask(prompt.wish)
        except Exception:
            log.exception("permission.prompt_failed", app=app)
        finally:
            self._close((app, prompt.wish.grant), prompt)
            prompt.decided.set()

    def _close(self, key: tuple[str, Grant], prompt: _Prompt) -> None:
        if self._open.get(key) is prompt:
            del self._open[key]
        app = key[0]
        if not any(known[0] == app for known in self._open) and not self._busy(app):
            self._turns.pop(app, None)

    def _busy(self, app: str) -> bool:
        turn = self._turns.get(app)
        return turn is not None and turn.locked()
